//! `bench history`: do claims slow down with history?
//!
//! One store is filled with executions that have ended and with delayed ones
//! (see [`super::fill`]) and comes to rest. Then rounds alternate between it
//! and a new, empty store: open a node, submit in bulk, drain, close. Every
//! other round begins with the full one. The ratio is the median of the
//! rounds' ratios. In the end the full store must hold exactly what was put
//! there, every ended execution with one completion event.

use super::options::History;
use super::report::Report;
use super::rig::Rig;
use super::stores::{self, Place, Store};
use super::summary::median;
use super::{BenchResult, fill, machine, verify};
use leasehold_backend::{Clock, Entropy, SystemClock, SystemEntropy};
use serde_json::json;
use std::sync::Arc;

/// Runs the bench.
///
/// # Errors
///
/// A store that does not hold what was written.
pub(super) async fn run(args: &History) -> BenchResult<()> {
    let place = stores::open(&args.common)?;
    let mut report = Report::new("history", &args.common);
    report.note(&place.settings().await?);
    report.note(&format!("load {}", machine::load()));
    let mut full = filled(&*place, args, &report).await?;
    let (mut of_empty, mut of_full, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let rounds = args.rounds.max(1);
    for number in 1..=rounds {
        let (empty_rate, full_rate);
        if number % 2 == 0 {
            (full_rate, full) = drained(full, args).await?;
            empty_rate = on_empty(&*place, args).await?;
        } else {
            empty_rate = on_empty(&*place, args).await?;
            (full_rate, full) = drained(full, args).await?;
        }
        report
            .note(&format!("round {number}: empty {empty_rate:.0}/s, full {full_rate:.0}/s, load {}", machine::load()));
        of_empty.push(empty_rate);
        of_full.push(full_rate);
        ratios.push(full_rate / empty_rate);
    }
    let rig = Rig::open(full).await?;
    let ended = args.ended + rounds * args.executions;
    verify::all_ended_once(&*rig.backend, rig.partitions(), ended, args.delayed).await?;
    rig.remove().await?;
    let parameters = [
        ("workers", json!(args.workers)),
        ("executions", json!(args.executions)),
        ("rounds", json!(rounds)),
        ("ended", json!(args.ended)),
        ("delayed", json!(args.delayed)),
    ];
    report.add("empty_drain_per_s", median(&of_empty), "1/s", &parameters);
    report.add("full_drain_per_s", median(&of_full), "1/s", &parameters);
    report.add("full_by_empty", median(&ratios), "ratio", &parameters);
    report.print();
    Ok(())
}

async fn filled(place: &dyn Place, args: &History, report: &Report) -> BenchResult<Box<dyn Store>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::default());
    let mut store = place.fresh().await?;
    let backend = store.open(clock.clone()).await?;
    let began = clock.monotonic();
    fill::fill(backend, clock.clone(), entropy, args.ended, args.delayed).await?;
    store.rest().await?;
    let seconds = clock.monotonic().saturating_sub(began).as_secs_f64();
    report.note(&format!("filled with {} ended and {} delayed in {seconds:.0} s", args.ended, args.delayed));
    Ok(store)
}

async fn on_empty(place: &dyn Place, args: &History) -> BenchResult<f64> {
    let (rate, store) = drained(place.fresh().await?, args).await?;
    store.remove().await?;
    Ok(rate)
}

async fn drained(store: Box<dyn Store>, args: &History) -> BenchResult<(f64, Box<dyn Store>)> {
    let rig = Rig::open(store).await?;
    rig.submit_in_bulk(args.executions).await?;
    let rate = rig.drain(args.executions, args.workers).await?;
    Ok((rate, rig.close().await))
}
