//! `bench throughput`: submit, then drain, beside raw writes.
//!
//! A round is: raw single rows, raw batches, then on a new database submit
//! half of the executions singly (256 callers) and half in bulk (4 callers,
//! 500 per call), drain them with W slots, check the store, and replay the
//! drain without the engine. Rounds alternate so that a disk that changes its
//! mind does so for both sides; every figure is the median of the rounds, a
//! ratio the median of the rounds' ratios.
//!
//! The drain runs from the start of the worker until the last completion is
//! durable, while its statements are recorded. A task's time runs from the
//! decision to claim it to the decision to complete it, as the events of the
//! store tell it, in whole milliseconds of partition time.

use super::counts::{self, Counts};
use super::options::{Common, Throughput};
use super::raw::{self, Raw};
use super::report::Report;
use super::rig::Rig;
use super::summary::{median, percentile};
use super::{BenchResult, disk, replay, verify};
use serde_json::json;
use std::path::Path;

/// Raw transactions of one row per round.
const RAW_SINGLES: usize = 2000;

/// Raw transactions of a hundred rows per round.
const RAW_BATCHES: usize = 100;

/// What one round gave.
#[derive(Debug)]
struct Round {
    single: f64,
    batch_rows: f64,
    replay: f64,
    submit: f64,
    bulk: f64,
    drain: f64,
    task_p50: f64,
    task_p99: f64,
    counts: Counts,
}

/// Runs the bench.
///
/// # Errors
///
/// A store that does not show every execution ended exactly once.
pub(super) async fn run(args: &Throughput) -> BenchResult<()> {
    let dir = disk::durable_folder(&args.common)?;
    let executions = args.executions.next_multiple_of(2).max(2);
    let mut report = Report::new("throughput", &args.common);
    report.note(&format!("in {}, load {}", dir.display(), disk::load()));
    for &workers in &args.workers {
        if args.drain_only {
            for _ in 0..args.rounds {
                let (submit, drain) = drain_only(&dir, executions, workers).await?;
                report.note(&format!("workers {workers}: submit {submit:.0}/s, drain {drain:.0}/s"));
            }
            continue;
        }
        let mut rounds = Vec::with_capacity(args.rounds);
        for number in 1..=args.rounds.max(1) {
            let round = round(&dir, executions, workers).await?;
            report.note(&format!(
                "workers {workers}, round {number}: drain {:.0}/s, replay {:.0}/s, single {:.0}/s, submit {:.0}/s, \
                 bulk {:.0}/s, batch {:.0} rows/s, load {}",
                round.drain,
                round.replay,
                round.single,
                round.submit,
                round.bulk,
                round.batch_rows,
                disk::load()
            ));
            rounds.push(round);
        }
        let counted = tempfile::tempdir_in(&dir)?;
        let rows = counts::rows_per_execution(&counted.path().join("rows.db"), executions, workers).await?;
        add(&mut report, &rounds, rows, executions, workers);
    }
    report.print();
    Ok(())
}

async fn round(dir: &Path, executions: usize, workers: u32) -> BenchResult<Round> {
    let folder = tempfile::tempdir_in(dir)?;
    let mut raw = Raw::open(&folder.path().join("raw.db")).await?;
    let single = raw::per_second(&raw.singles(RAW_SINGLES).await?);
    let batch_rows = raw.batches(RAW_BATCHES).await?;
    raw.close().await?;

    let (file, copy) = (folder.path().join("node.db"), folder.path().join("copy.db"));
    let rig = Rig::open(&file).await?;
    let submit = rig.submit_singly(executions / 2).await?;
    let bulk = rig.submit_in_bulk(executions / 2).await?;
    replay::copy(&file, &copy).await?;
    let before = Counts::read(&rig, &file).await?;
    rig.backend.record_statements(true);
    let drain = rig.drain(executions, workers).await?;
    rig.backend.record_statements(false);
    let counts = Counts::read(&rig, &file).await?.since(before);
    let recorded = rig.backend.take_recorded();
    let partitions = rig.node.engine().env().options.partitions.num_flow_partitions;
    let took = verify::all_ended_once(&*rig.backend, partitions, executions).await?;
    rig.node.shutdown().await;
    let replay = replay::run(&copy, recorded, executions).await?;
    let (task_p50, task_p99) = (median(&took), percentile(&took, 0.99));
    Ok(Round { single, batch_rows, replay, submit, bulk, drain, task_p50, task_p99, counts })
}

async fn drain_only(dir: &Path, executions: usize, workers: u32) -> BenchResult<(f64, f64)> {
    let folder = tempfile::tempdir_in(dir)?;
    let rig = Rig::open(&folder.path().join("node.db")).await?;
    let submit = rig.submit_singly(executions).await?;
    let drain = rig.drain(executions, workers).await?;
    rig.node.shutdown().await;
    Ok((submit, drain))
}

/// A single drain, for a bench that needs a rate; executions per second.
///
/// # Errors
///
/// What the store refuses.
pub(super) async fn drain_rate(common: &Common, executions: usize, workers: u32) -> BenchResult<f64> {
    let dir = disk::durable_folder(common)?;
    Ok(drain_only(&dir, executions, workers).await?.1)
}

fn add(report: &mut Report, rounds: &[Round], rows: f64, executions: usize, workers: u32) {
    let of = |value: fn(&Round) -> f64| median(&rounds.iter().map(value).collect::<Vec<_>>());
    let each = executions as f64;
    let parameters = [("workers", json!(workers)), ("executions", json!(executions)), ("rounds", json!(rounds.len()))];
    let figures = [
        ("submit_per_s", of(|round| round.submit), "1/s"),
        ("bulk_submit_per_s", of(|round| round.bulk), "1/s"),
        ("drain_per_s", of(|round| round.drain), "1/s"),
        ("task_p50_ms", of(|round| round.task_p50), "ms"),
        ("task_p99_ms", of(|round| round.task_p99), "ms"),
        ("rows_per_execution", rows, "rows"),
        ("commits_per_execution", of(|round| round.counts.commits) / each, "commits"),
        ("statements_per_execution", of(|round| round.counts.statements) / each, "statements"),
        ("bytes_per_execution", of(|round| round.counts.bytes) / each, "bytes"),
        ("raw_single_per_s", of(|round| round.single), "1/s"),
        ("raw_batch_rows_per_s", of(|round| round.batch_rows), "1/s"),
        ("raw_replay_per_s", of(|round| round.replay), "1/s"),
        ("drain_by_replay", of(|round| round.drain / round.replay), "ratio"),
        ("drain_by_single", of(|round| round.drain / round.single), "ratio"),
        ("bulk_by_batch", of(|round| round.bulk / round.batch_rows), "ratio"),
    ];
    for (metric, value, unit) in figures {
        report.add(metric, value, unit, &parameters);
    }
}
