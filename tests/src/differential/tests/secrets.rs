//! What is logged and what is shown of calls and answers, searched for tokens
//! and secrets.

use super::{PROGRAMS, on_memory};
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The hexadecimal digits of a token's signature; a secret has more, and
/// nothing else that is shown has as many in a row.
const DIGITS: usize = 40;

/// Everything that is logged while it is the writer.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The first run of digits that is as long as a token's signature. A payload
/// may be as long and repeats a digit or two.
fn secret_in(text: &str) -> Option<&str> {
    let varied = |run: &str| run.bytes().collect::<BTreeSet<_>>().len() > 5;
    text.split(|char: char| !char.is_ascii_hexdigit()).find(|run| run.len() >= DIGITS && varied(run))
}

#[tokio::test]
async fn nothing_that_is_logged_or_shown_has_a_token_or_a_secret_in_it() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(log.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (mut made, mut delivered, mut rotated) = (false, 0, 0);
    for seed in 0..PROGRAMS {
        let transcript = on_memory(seed).await;
        let logged = log.take();
        made |= logged.contains("gets its first waitpoint key");
        assert_eq!(secret_in(&logged), None, "logged by program {seed}");
        for line in &transcript.lines {
            assert_eq!(secret_in(&line.text), None, "shown by program {seed}: {}", line.text);
        }
        let granted = |name| transcript.granted.get(name).copied().unwrap_or(0);
        delivered += granted("deliver_signal");
        rotated += granted("rotate_waitpoint_hmac_secret_all");
    }
    assert!(made && delivered > 0 && rotated > 0, "{made}: {delivered} signals delivered, {rotated} keys rotated");
}

#[test]
fn a_token_and_a_secret_are_found() {
    let mac = "0123456789abcdef0123456789abcdef01234567";
    assert_eq!(secret_in(&format!("token: \"k1:{mac}\"")), Some(mac));
    assert_eq!(secret_in(&format!("secret {}", mac.to_uppercase().repeat(2))), Some(&*mac.to_uppercase().repeat(2)));
    assert_eq!(secret_in("ExecutionId({fp:1}:01890a5d-ac96-774b-bcce-b302099a8057) 581644b3df57c1e4"), None);
}
