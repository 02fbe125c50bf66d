//! `bench idle`: a node with all its partitions, a worker that waits for work,
//! and nothing to do.

use super::options::Idle;
use super::report::Report;
use super::rig::{self, KIND, Rig};
use super::{BenchResult, disk};
use leasehold::PayloadBytes;
use serde_json::json;
use std::time::Duration;

/// What the start leaves to do has ended by then.
const SETTLE: Duration = Duration::from_secs(3);

/// Runs the bench.
///
/// # Errors
///
/// What the store refuses.
pub(super) async fn run(args: &Idle) -> BenchResult<()> {
    let dir = disk::durable_folder(&args.common)?;
    let folder = tempfile::tempdir_in(&dir)?;
    let mut report = Report::new("idle", &args.common);
    report.note(&format!("in {}, load {}", dir.display(), disk::load()));
    let rig = Rig::open(&folder.path().join("node.db")).await?;
    let handler = |payload: PayloadBytes| std::future::ready(rig::check(&payload.0));
    let worker = rig.worker(256).on(KIND, handler).start().await?;
    // tidy: sleep because the start's work ends without a signal
    rig.clock.sleep(SETTLE).await;
    let (before, cpu, began) = (rig.backend.stats(), disk::cpu_seconds()?, rig.elapsed());
    // tidy: sleep because the time is what is measured over
    rig.clock.sleep(Duration::from_secs(args.seconds)).await;
    let (after, cpu) = (rig.backend.stats(), disk::cpu_seconds()? - cpu);
    let seconds = rig.elapsed().saturating_sub(began).as_secs_f64();
    worker.drain(Duration::from_secs(1)).await;
    let partitions = rig.node.engine().env().options.partitions.num_flow_partitions;
    rig.node.shutdown().await;
    let statements = (after.statements - before.statements) + (after.reads - before.reads);
    let parameters = [("seconds", json!(args.seconds)), ("partitions", json!(partitions)), ("workers", json!(256))];
    report.add("statements_per_s", statements as f64 / seconds, "1/s", &parameters);
    report.add("cpu_s", cpu, "s", &parameters);
    report.print();
    Ok(())
}
