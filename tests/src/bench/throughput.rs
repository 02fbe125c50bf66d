//! `bench throughput`: submit, then drain, beside raw writes.
//!
//! A round is: the raw limits of the disk or server, then on a new store
//! submit half of the executions singly (256 callers) and half in bulk (4
//! callers, 500 per call), drain them with W slots, check the store, and
//! replay the drain without the engine. Rounds alternate so that a disk that
//! changes its mind does so for both sides; every figure is the median of the
//! rounds, a ratio the median of the rounds' ratios.
//!
//! The drain runs from the start of the worker until the last completion is
//! durable, while its statements are recorded. A task's time runs from the
//! decision to claim it to the decision to complete it, as the events of the
//! store tell it, in whole milliseconds of partition time.

use super::options::Throughput;
use super::report::Report;
use super::rig::Rig;
use super::stores::{self, Counts, Place, RawRates};
use super::summary::{median, percentile};
use super::{BenchResult, machine, verify};
use serde_json::json;

/// What one round gave.
#[derive(Debug)]
struct Round {
    raw: RawRates,
    replay: Option<f64>,
    submit: f64,
    bulk: f64,
    drain: f64,
    task_p50: f64,
    task_p99: f64,
    counts: Counts,
}

impl Round {
    fn told(&self) -> String {
        let of = |name, value: Option<f64>| value.map(|value| format!(", {name} {value:.0}/s")).unwrap_or_default();
        format!(
            "drain {:.0}/s{}, single {:.0}/s{}, submit {:.0}/s, bulk {:.0}/s, load {}",
            self.drain,
            of("replay", self.replay),
            self.raw.single,
            of("batch rows", self.raw.batch_rows),
            self.submit,
            self.bulk,
            machine::load()
        )
    }
}

/// Runs the bench.
///
/// # Errors
///
/// A store that does not show every execution ended exactly once.
pub(super) async fn run(args: &Throughput) -> BenchResult<()> {
    let place = stores::open(&args.common)?;
    let executions = args.executions.next_multiple_of(2).max(2);
    let mut report = Report::new("throughput", &args.common);
    report.note(&place.settings().await?);
    report.note(&format!("load {}", machine::load()));
    for &workers in &args.workers {
        if args.drain_only {
            for _ in 0..args.rounds {
                let (submit, drain) = drain_only(&*place, executions, workers).await?;
                report.note(&format!("workers {workers}: submit {submit:.0}/s, drain {drain:.0}/s"));
            }
            continue;
        }
        let mut rounds = Vec::with_capacity(args.rounds);
        for number in 1..=args.rounds.max(1) {
            let round = round(&*place, executions, workers).await?;
            report.note(&format!("workers {workers}, round {number}: {}", round.told()));
            rounds.push(round);
        }
        let rows = count_rows(&*place, executions, workers).await?;
        add(&mut report, &rounds, rows, executions, workers);
    }
    report.print();
    Ok(())
}

async fn round(place: &dyn Place, executions: usize, workers: u32) -> BenchResult<Round> {
    let raw = place.raw_rates().await?;
    let mut rig = Rig::fresh(place).await?;
    let submit = rig.submit_singly(executions / 2).await?;
    let bulk = rig.submit_in_bulk(executions / 2).await?;
    rig.store.record().await?;
    let before = rig.store.counts().await?;
    let drain = rig.drain(executions, workers).await?;
    rig.store.stop_recording();
    let counts = rig.store.counts().await?.since(before);
    let took = verify::all_ended_once(&*rig.backend, rig.partitions(), executions, 0).await?;
    let mut store = rig.close().await;
    let replay = store.replay(executions).await?;
    store.remove().await?;
    let (task_p50, task_p99) = (median(&took), percentile(&took, 0.99));
    Ok(Round { raw, replay, submit, bulk, drain, task_p50, task_p99, counts })
}

/// Rows, and members of sorted sets, of a drain that is not timed.
async fn count_rows(place: &dyn Place, executions: usize, workers: u32) -> BenchResult<(f64, Option<f64>)> {
    let mut rig = Rig::fresh(place).await?;
    rig.submit_in_bulk(executions).await?;
    rig.store.count_rows().await?;
    let before = rig.store.tally().await?;
    rig.drain(executions, workers).await?;
    let after = rig.store.tally().await?;
    rig.remove().await?;
    stores::checked_rows(&before, &after)
}

async fn drain_only(place: &dyn Place, executions: usize, workers: u32) -> BenchResult<(f64, f64)> {
    let rig = Rig::fresh(place).await?;
    let submit = rig.submit_singly(executions).await?;
    let drain = rig.drain(executions, workers).await?;
    rig.remove().await?;
    Ok((submit, drain))
}

/// A single drain, for a bench that needs a rate; executions per second.
///
/// # Errors
///
/// What the store refuses.
pub(super) async fn drain_rate(place: &dyn Place, executions: usize, workers: u32) -> BenchResult<f64> {
    Ok(drain_only(place, executions, workers).await?.1)
}

fn add(report: &mut Report, rounds: &[Round], rows: (f64, Option<f64>), executions: usize, workers: u32) {
    // None where a store has no such figure in any round.
    let maybe = |value: &dyn Fn(&Round) -> Option<f64>| {
        let values: Vec<_> = rounds.iter().filter_map(value).collect();
        (!values.is_empty()).then(|| median(&values))
    };
    let of = |value: fn(&Round) -> f64| maybe(&|round| Some(value(round)));
    let each = executions as f64;
    let parameters = [("workers", json!(workers)), ("executions", json!(executions)), ("rounds", json!(rounds.len()))];
    let figures = [
        ("submit_per_s", of(|round| round.submit), "1/s"),
        ("bulk_submit_per_s", of(|round| round.bulk), "1/s"),
        ("drain_per_s", of(|round| round.drain), "1/s"),
        ("task_p50_ms", of(|round| round.task_p50), "ms"),
        ("task_p99_ms", of(|round| round.task_p99), "ms"),
        ("rows_per_execution", Some(rows.0 / each), "rows"),
        ("index_entries_per_execution", rows.1.map(|members| members / each), "members"),
        ("commits_per_execution", maybe(&|round| Some(round.counts.commits / each)), "commits"),
        ("statements_per_execution", maybe(&|round| Some(round.counts.statements / each)), "statements"),
        ("round_trips_per_execution", maybe(&|round| Some(round.counts.round_trips / each)), "trips"),
        ("bytes_per_execution", maybe(&|round| Some(round.counts.bytes? / each)), "bytes"),
        ("server_cpu_us_per_execution", maybe(&|round| Some(round.counts.server_cpu_us? / each)), "us"),
        ("raw_single_per_s", of(|round| round.raw.single), "1/s"),
        ("raw_batch_rows_per_s", maybe(&|round| round.raw.batch_rows), "1/s"),
        ("raw_replay_per_s", maybe(&|round| round.replay), "1/s"),
        ("drain_by_replay", maybe(&|round| Some(round.drain / round.replay?)), "ratio"),
        ("drain_by_single", of(|round| round.drain / round.raw.single), "ratio"),
        ("bulk_by_single", of(|round| round.bulk / round.raw.single), "ratio"),
        ("bulk_by_batch", maybe(&|round| Some(round.bulk / round.raw.batch_rows?)), "ratio"),
    ];
    for (metric, value, unit) in figures {
        if let Some(value) = value {
            report.add(metric, value, unit, &parameters);
        }
    }
}
