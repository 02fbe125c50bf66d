//! `bench idle`: a node with all its partitions, a worker that waits for work,
//! and nothing to do. Statements are those of all connections, as a server
//! counts them; of Valkey the commands that functions call are among them.

use super::options::Idle;
use super::report::Report;
use super::rig::{self, KIND, Rig};
use super::{BenchResult, machine, stores};
use leasehold::PayloadBytes;
use serde_json::json;
use std::time::Duration;

/// What the start leaves to do has ended by then, and a server has been told
/// of it.
const SETTLE: Duration = Duration::from_secs(12);

/// Runs the bench.
///
/// # Errors
///
/// What the store refuses.
pub(super) async fn run(args: &Idle) -> BenchResult<()> {
    let place = stores::open(&args.common)?;
    let mut report = Report::new("idle", &args.common);
    report.note(&place.settings().await?);
    report.note(&format!("load {}", machine::load()));
    let rig = Rig::fresh(&*place).await?;
    let handler = |payload: PayloadBytes| std::future::ready(rig::check(&payload.0));
    let worker = rig.worker(256).on(KIND, handler).start().await?;
    // tidy: sleep because the start's work ends without a signal
    rig.clock.sleep(SETTLE).await;
    let (cpu, server, began) = (machine::cpu_seconds()?, rig.store.server_cpu_us()?, rig.elapsed());
    let before = rig.store.asked().await?;
    // tidy: sleep because the time is what is measured over
    rig.clock.sleep(Duration::from_secs(args.seconds)).await;
    let asked = rig.store.asked().await? - before;
    let seconds = rig.elapsed().saturating_sub(began).as_secs_f64();
    let cpu = machine::cpu_seconds()? - cpu;
    let server = rig.store.server_cpu_us()?.zip(server).map(|(after, before)| after - before);
    worker.drain(Duration::from_secs(1)).await;
    let partitions = rig.partitions();
    rig.remove().await?;
    let parameters = [("seconds", json!(args.seconds)), ("partitions", json!(partitions)), ("workers", json!(256))];
    report.add("statements_per_s", asked / seconds, "1/s", &parameters);
    report.add("cpu_s", cpu, "s", &parameters);
    if let Some(microseconds) = server {
        report.add("server_cpu_s", microseconds / 1e6, "s", &parameters);
    }
    report.print();
    Ok(())
}
