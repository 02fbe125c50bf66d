//! `bench waiting`: resident memory with delayed executions at rest.
//!
//! Every count has processes of its own, since memory that a process once
//! used is not always given back. The first submits the executions, 1 KiB of
//! payload each and due in a day, and looks at itself when it has come to
//! rest (`after=submit`). The second opens the file that the first has left
//! (`after=restart`).

use super::options::{BackendName, Waiting, WaitingNode};
use super::report::Report;
use super::rig::{self, KIND, submit_all};
use super::{BenchResult, machine};
use leasehold::{Node, PayloadBytes};
use leasehold_backend::{Clock, SystemClock, SystemEntropy};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Executions per call.
const BULK: usize = 500;

/// What submitting or opening leaves to do has ended by then.
const SETTLE: Duration = Duration::from_secs(5);

/// How long the delays are.
const DELAY: Duration = Duration::from_hours(24);

/// Runs the bench.
///
/// # Errors
///
/// A process that fails.
pub(super) fn run(args: &Waiting) -> BenchResult<()> {
    if args.common.backend != BackendName::Sqlite {
        return Err("`waiting` measures a node on a file: its backend is sqlite".into());
    }
    let dir = machine::durable_folder(&args.common)?;
    let mut report = Report::new("waiting", &args.common);
    report.note(&format!("in {}, load {}", dir.display(), machine::load()));
    for &count in &args.counts {
        let folder = tempfile::tempdir_in(&dir)?;
        let file = folder.path().join("node.db");
        for (after, submit) in [("submit", count), ("restart", 0)] {
            let mib = child(&dir, &file, submit)?;
            report.note(&format!("{count} waiting, after {after}: {mib:.1} MiB, load {}", machine::load()));
            report.add("rss_mib", mib, "MiB", &[("executions", json!(count)), ("after", json!(after))]);
        }
    }
    report.print();
    Ok(())
}

fn child(dir: &Path, file: &Path, submit: usize) -> BenchResult<f64> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("waiting-node").arg("--json").arg("--dir").arg(dir).arg("--file").arg(file);
    let output = command.arg("--submit").arg(submit.to_string()).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let line: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    Ok(line["value"].as_f64().ok_or("a process without a figure")?)
}

/// One process: a node on a file, perhaps some submissions, rest, a look.
///
/// # Errors
///
/// What the store refuses.
pub(super) async fn node(args: &WaitingNode) -> BenchResult<()> {
    machine::durable_folder(&args.common)?;
    let (clock, entropy) = (SystemClock::default(), SystemEntropy::default());
    let node = Node::builder().sqlite(&args.file).open().await?;
    let handler = |payload: PayloadBytes| std::future::ready(rig::check(&payload.0));
    let worker = node.worker("bench").slots(256).on(KIND, handler).start().await?;
    let client = node.client();
    let mut left = args.submit;
    while left > 0 {
        let count = left.min(BULK);
        let submission = || client.submit(KIND, rig::payload(&entropy)).delay(DELAY);
        submit_all(&client, (0..count).map(|_| submission()).collect()).await?;
        left -= count;
    }
    // tidy: sleep because coming to rest gives no signal
    clock.sleep(SETTLE).await;
    let mib = machine::resident_mib()?;
    worker.drain(Duration::from_secs(1)).await;
    node.shutdown().await;
    let mut report = Report::new("waiting", &args.common);
    report.add("rss_mib", mib, "MiB", &[("executions", json!(args.submit))]);
    report.print();
    Ok(())
}
