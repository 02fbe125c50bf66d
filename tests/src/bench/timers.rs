//! `bench timers`: delays that fall due evenly, at three tenths of the rate at
//! which this machine drains.
//!
//! The rate comes from a drain in the same run. All delayed executions are
//! submitted before the first one falls due. Each carries its due time in its
//! payload; the handler compares it with partition time, in whole
//! milliseconds, as its first act. The time of a commit is taken before and
//! after.

use super::options::Timers;
use super::report::Report;
use super::rig::{KIND, Rig, due_of, submit_all};
use super::summary::{median, percentile};
use super::{BenchResult, machine, stores, throughput};
use leasehold::PayloadBytes;
use leasehold_core::time::TimestampMs;
use serde_json::json;
use std::time::Duration;
use tokio::sync::mpsc;

/// The share of the drain's rate at which delays fall due.
const SHARE: f64 = 0.3;

/// Executions per call.
const BULK: usize = 500;

/// At least so many are submitted per second, on any machine this runs on.
const SUBMIT_PER_S_MIN: f64 = 2000.0;

/// Raw rows for the time of a commit, before the delays and again after them.
const RAW_SINGLES: usize = 1000;

/// How long after the last due time a start may still come.
const MOST: Duration = Duration::from_mins(1);

/// Runs the bench.
///
/// # Errors
///
/// What the store refuses, and a delay that never ends.
pub(super) async fn run(args: &Timers) -> BenchResult<()> {
    let place = stores::open(&args.common)?;
    let mut report = Report::new("timers", &args.common);
    report.note(&place.settings().await?);
    report.note(&format!("load {}", machine::load()));
    let mut raw = place.raw_commits().await?;
    let mut commits = raw.times(RAW_SINGLES).await?;
    let drain = throughput::drain_rate(&*place, args.executions, args.workers).await?;
    let rate = SHARE * drain;
    let count = (rate * args.seconds as f64) as usize;
    report.note(&format!("drain {drain:.0}/s, so {count} delays at {rate:.0}/s"));

    let rig = Rig::fresh(&*place).await?;
    let env = rig.node.engine().env().clone();
    let (sender, mut lateness) = mpsc::unbounded_channel();
    let times = env.clone();
    let handler = move |payload: PayloadBytes| {
        let now = times.time.now();
        std::future::ready(due_of(&payload.0).map(|due| {
            let told = sender.send(now.0 - due.0).is_ok();
            debug_assert!(told, "the bench waits for every start");
        }))
    };
    let worker = rig.worker(args.workers).on(KIND, handler).start().await?;
    let ahead_ms = (1000.0 * (1.0 + count as f64 / SUBMIT_PER_S_MIN)) as i64;
    let first = env.time.now().0 + ahead_ms;
    let client = rig.node.client();
    let due = |index: usize| TimestampMs(first + (index as f64 * 1000.0 / rate) as i64);
    let indexes: Vec<_> = (0..count).collect();
    for call in indexes.chunks(BULK) {
        let submissions = call.iter().map(|&index| {
            let due = due(index);
            client.submit(KIND, due.0.to_be_bytes().to_vec()).delay_until(due)
        });
        submit_all(&client, submissions.collect()).await?;
    }
    if env.time.now().0 > first {
        return Err("the delays fell due while they were still being submitted".into());
    }
    let all_by = Duration::from_millis(due(count).since(env.time.now())) + MOST;
    let gather = async {
        let mut values = Vec::with_capacity(count);
        while values.len() < count {
            values.push(lateness.recv().await.ok_or("the handler has gone")? as f64);
        }
        Ok::<_, &str>(values)
    };
    let values = tokio::select! {
        values = gather => values?,
        // tidy: sleep because it bounds the wait
        () = rig.clock.sleep(all_by) => return Err("a delay did not end".into()),
    };
    worker.drain(MOST).await;
    rig.remove().await?;
    commits.extend(raw.times(RAW_SINGLES).await?);
    raw.close().await?;
    let commit = median(&commits);
    let early = values.iter().filter(|late| **late < 0.0).count();
    let parameters =
        [("workers", json!(args.workers)), ("executions", json!(count)), ("rate_per_s", json!(rate.round()))];
    report.add("lateness_p50_ms", median(&values), "ms", &parameters);
    report.add("lateness_p99_ms", percentile(&values, 0.99), "ms", &parameters);
    report.add("early", early as f64, "executions", &parameters);
    report.add("raw_commit_p50_ms", commit, "ms", &parameters);
    report.add("lateness_p99_by_commit", percentile(&values, 0.99) / commit, "ratio", &parameters);
    report.print();
    Ok(())
}
