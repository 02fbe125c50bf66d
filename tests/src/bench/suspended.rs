//! `bench suspended`: resident memory with suspended executions at rest, and
//! how long one deadline takes to wake many of them.
//!
//! Every count has processes of its own, as in `bench waiting`. The first
//! submits the executions, 1 KiB of payload each, whose handler waits for a
//! time: most for a day, the last ones until one and the same deadline. It
//! looks at itself when all are suspended and it has come to rest
//! (`after=submit`). The second opens the file that the first has left, looks
//! at itself (`after=restart`) and waits for the deadline. The lateness of a
//! handler that runs again is counted from there, in whole milliseconds of
//! partition time.

use super::options::{BackendName, Suspended, SuspendedNode};
use super::report::Report;
use super::rig::{KIND, PAYLOAD_BYTES, due_of, submit_all};
use super::summary::{median, percentile};
use super::{BenchResult, machine};
use leasehold::{Client, HandlerError, Node, PayloadBytes, Waits};
use leasehold_backend::{Clock, SystemClock};
use leasehold_core::time::TimestampMs;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// Executions per call.
const BULK: usize = 500;

/// Handlers at the same time.
const SLOTS: u32 = 256;

/// What suspending or opening leaves to do has ended by then.
const SETTLE: Duration = Duration::from_secs(5);

/// How long most of them are suspended.
const DAY_MS: u64 = 24 * 3_600_000;

/// From the first of those that wake to their deadline: so long, and a
/// millisecond more for each two of them.
const LEAD_MS: u64 = 20_000;

/// Longer than waking takes on any machine this runs on.
const MOST: Duration = Duration::from_mins(10);

/// Runs the bench.
///
/// # Errors
///
/// A process that fails.
pub(super) fn run(args: &Suspended) -> BenchResult<()> {
    if args.common.backend != BackendName::Sqlite {
        return Err("`suspended` measures a node on a file: its backend is sqlite".into());
    }
    let dir = machine::durable_folder(&args.common)?;
    let mut report = Report::new("suspended", &args.common);
    report.note(&format!("in {}, load {}", dir.display(), machine::load()));
    for &count in &args.counts {
        let folder = tempfile::tempdir_in(&dir)?;
        let file = folder.path().join("node.db");
        let woken = args.woken.min(count);
        for (after, submit) in [("submit", count), ("restart", 0)] {
            let figures = child(&dir, &file, submit, woken)?;
            let figure = |name: &str| figures.get(name).copied().ok_or("a process without a figure");
            report.add("rss_mib", figure("rss_mib")?, "MiB", &[("executions", json!(count)), ("after", json!(after))]);
            if after == "restart" && woken > 0 {
                let parameters = [("executions", json!(count)), ("woken", json!(woken))];
                report.add("wake_p50_ms", figure("wake_p50_ms")?, "ms", &parameters);
                report.add("wake_p99_ms", figure("wake_p99_ms")?, "ms", &parameters);
                report.add("wake_all_ms", figure("wake_all_ms")?, "ms", &parameters);
            }
        }
    }
    report.print();
    Ok(())
}

fn child(dir: &Path, file: &Path, submit: usize, woken: usize) -> BenchResult<BTreeMap<String, f64>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("suspended-node").arg("--json").arg("--dir").arg(dir).arg("--file").arg(file);
    command.arg("--submit").arg(submit.to_string()).arg("--woken").arg(woken.to_string());
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let mut figures = BTreeMap::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let line: Value = serde_json::from_str(line)?;
        if let (Some(metric), Some(value)) = (line["metric"].as_str(), line["value"].as_f64()) {
            figures.insert(metric.to_owned(), value);
        }
    }
    Ok(figures)
}

/// One process: a node on a file that suspends executions, or wakes those it
/// finds.
///
/// # Errors
///
/// What the store refuses, and handlers that run at another time than they
/// should.
pub(super) async fn node(args: &SuspendedNode) -> BenchResult<()> {
    machine::durable_folder(&args.common)?;
    let clock = SystemClock::default();
    let node = Node::builder().sqlite(&args.file).open().await?;
    let begun = Arc::new(Begun { all: args.submit, count: AtomicUsize::new(0), end: Notify::new() });
    let (told, mut woken) = mpsc::unbounded_channel();
    let (times, counts) = (node.engine().env().clone(), begun.clone());
    let handler = move |payload: PayloadBytes, mut waits: Waits| {
        let (times, told) = (times.clone(), told.clone());
        counts.one();
        async move {
            let due = due_of(&payload.0)?;
            waits.wait_until("due", due).await?;
            let late = times.time.now().0 - due.0;
            told.send(late as f64).map_err(|_| HandlerError::permanent("the bench has gone"))
        }
    };
    let worker = node.worker("bench").slots(SLOTS).on(KIND, handler).start().await?;
    let mut report = Report::new("suspended", &args.common);
    if args.submit > 0 {
        let now = || node.engine().env().time.now();
        suspend(&node.client(), args.submit - args.woken, now().plus(DAY_MS)).await?;
        begun.until(args.submit - args.woken).await;
        suspend(&node.client(), args.woken, now().plus(LEAD_MS + args.woken as u64 / 2)).await?;
        begun.until(args.submit).await;
    }
    // tidy: sleep because coming to rest gives no signal
    clock.sleep(SETTLE).await;
    let mib = machine::resident_mib()?;
    if !woken.is_empty() {
        return Err("the deadline came too early".into());
    }
    report.add("rss_mib", mib, "MiB", &[]);
    if args.submit == 0 && args.woken > 0 {
        let mut late = Vec::with_capacity(args.woken);
        while late.len() < args.woken {
            tokio::select! {
                next = woken.recv() => late.push(next.ok_or("the handler has gone")?),
                // tidy: sleep because it bounds the wait
                () = clock.sleep(MOST) => return Err(format!("{} of {} woke", late.len(), args.woken).into()),
            }
        }
        report.add("wake_p50_ms", median(&late), "ms", &[]);
        report.add("wake_p99_ms", percentile(&late, 0.99), "ms", &[]);
        report.add("wake_all_ms", percentile(&late, 1.0), "ms", &[]);
    }
    worker.drain(MOST).await;
    node.shutdown().await;
    report.print();
    Ok(())
}

/// Handlers that have begun.
struct Begun {
    all: usize,
    count: AtomicUsize,
    end: Notify,
}

impl Begun {
    fn one(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.end.notify_waiters();
    }

    async fn until(&self, count: usize) {
        debug_assert!(count <= self.all, "more than are submitted never begin");
        loop {
            let end = self.end.notified();
            if self.count.load(Ordering::SeqCst) >= count {
                return;
            }
            end.await;
        }
    }
}

async fn suspend(client: &Client, count: usize, due: TimestampMs) -> BenchResult<()> {
    let mut payload = due.0.to_be_bytes().to_vec();
    payload.resize(PAYLOAD_BYTES, 0);
    let mut left = count;
    while left > 0 {
        let some = left.min(BULK);
        submit_all(client, (0..some).map(|_| client.submit(KIND, payload.clone())).collect()).await?;
        left -= some;
    }
    Ok(())
}
