//! The parent: starts, kills and restarts, then judges.

use super::acks::{self, Ack};
use super::audit::{self, Life};
use super::process::{Line, Process};
use super::{Fallible, runtime};
use leasehold_backend::{Clock, Entropy, SystemClock, SystemEntropy};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a node may take to print its port.
const START_MAX: Duration = Duration::from_secs(60);

/// How long a node may take to end in order.
const END_MAX: Duration = Duration::from_mins(1);

/// How long the client may take to end.
const CLIENT_MAX: Duration = Duration::from_mins(6);

/// How long a node lives at most, once it serves, in ms.
const LIFE_MAX_MS: u64 = 900;

/// One in so many kills falls into the first moments after a start.
const EARLY: u32 = 3;

/// One run and what it has seen.
struct Run {
    clock: SystemClock,
    rng: StdRng,
    store: PathBuf,
    client: Process,
    lives: Vec<Life>,
    /// How long the last start took that was let through.
    start: Duration,
    longest_start: Duration,
    kills_before_serving: u64,
}

/// Runs `rounds` kills and judges what is left.
///
/// # Errors
///
/// When something is lost, or a process does what it must not.
#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
pub fn run(rounds: u64, seed: Option<u64>) -> Fallible {
    let seed = seed.unwrap_or_else(|| SystemEntropy::default().next_u64() >> 32);
    println!("seed {seed}; the plan repeats with: cargo xtask kills --rounds {rounds} --seed {seed}");
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("acks");
    let outcome = kill_and_settle(rounds, seed, folder.path(), &log).and_then(|run| judge(rounds, &run, &log));
    if outcome.is_err() {
        println!("the store and the log are kept in {}", folder.keep().display());
    }
    outcome
}

fn text(path: &Path) -> Fallible<&str> {
    Ok(path.to_str().ok_or("the temporary folder's name is no text")?)
}

/// Kills, and in the end lets everything come to rest.
fn kill_and_settle(rounds: u64, seed: u64, folder: &Path, log: &Path) -> Fallible<Run> {
    let mut run = Run {
        clock: SystemClock::default(),
        rng: StdRng::seed_from_u64(seed),
        store: folder.join("store.db"),
        client: Process::start(&["client", text(log)?, &seed.to_string()])?,
        lives: Vec::new(),
        start: Duration::ZERO,
        longest_start: Duration::ZERO,
        kills_before_serving: 0,
    };
    for _ in 0..rounds {
        run.round()?;
    }
    let mut node = run.begin()?;
    run.serve(&node)?;
    run.client.tell("stop")?;
    let Run { client, .. } = &mut run;
    let client = std::mem::replace(client, Process::start(&["client", text(log)?, "0"])?);
    let _ = client;
    node.close_input();
    let status = node.end(END_MAX, drop)?;
    if !status.success() {
        return Err(format!("the last node ended with {status}").into());
    }
    Ok(run)
}
