//! `bench latency`: one execution at a time on an idle node.
//!
//! From the call of submit to the first line of the handler, and to the
//! result in the caller's hand. Beside each execution one raw row is written
//! durably, to another file of the same disk, or to the same server.

use super::options::Latency;
use super::report::Report;
use super::rig::{self, KIND, Rig, ms};
use super::summary::{median, percentile};
use super::{BenchResult, machine, stores};
use leasehold::PayloadBytes;
use serde_json::json;
use std::time::Duration;
use tokio::sync::mpsc;

/// Executions before the clock counts.
const WARM_UP: usize = 20;

/// Far more than an execution takes.
const MOST: Duration = Duration::from_secs(30);

/// Runs the bench.
///
/// # Errors
///
/// What the store refuses, and an execution that does not end well.
pub(super) async fn run(args: &Latency) -> BenchResult<()> {
    let place = stores::open(&args.common)?;
    let mut report = Report::new("latency", &args.common);
    report.note(&place.settings().await?);
    report.note(&format!("load {}", machine::load()));
    let mut raw = place.raw_commits().await?;
    let rig = Rig::fresh(&*place).await?;
    let (sender, mut started) = mpsc::unbounded_channel();
    let clock = rig.clock.clone();
    let handler = move |payload: PayloadBytes| {
        let told = sender.send(clock.monotonic()).is_ok();
        debug_assert!(told, "the bench waits for every start");
        std::future::ready(rig::check(&payload.0))
    };
    let worker = rig.worker(16).on(KIND, handler).start().await?;
    let client = rig.node.client();
    let (mut starts, mut results, mut commits) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..WARM_UP + args.executions {
        let payload = rig::payload(&*rig.entropy);
        let began = rig.elapsed();
        let id = client.submit(KIND, payload).await?.execution_id;
        let outcome = client.wait(id, MOST).await?;
        let ended = rig.elapsed();
        let start = started.recv().await.ok_or("the handler has gone")?;
        if outcome.result.is_none_or(|result| result.len() != 16) {
            return Err(format!("{id} ended without its result").into());
        }
        let commit = raw.times(1).await?;
        if number >= WARM_UP {
            starts.push(ms(start.saturating_sub(began)));
            results.push(ms(ended.saturating_sub(began)));
            commits.extend(commit);
        }
    }
    worker.drain(MOST).await;
    rig.remove().await?;
    raw.close().await?;
    let parameters = [("executions", json!(args.executions)), ("workers", json!(16))];
    report.add("start_p50_ms", median(&starts), "ms", &parameters);
    report.add("start_p99_ms", percentile(&starts, 0.99), "ms", &parameters);
    report.add("result_p50_ms", median(&results), "ms", &parameters);
    report.add("result_p99_ms", percentile(&results, 0.99), "ms", &parameters);
    report.add("raw_commit_p50_ms", median(&commits), "ms", &parameters);
    report.add("raw_commit_p99_ms", percentile(&commits, 0.99), "ms", &parameters);
    report.add("start_by_commit", median(&starts) / median(&commits), "ratio", &parameters);
    report.print();
    Ok(())
}
