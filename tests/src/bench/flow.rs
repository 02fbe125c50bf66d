//! `bench flow`: whole flows of one shape.
//!
//! A round submits flows of as many members as the drain beside it has single
//! executions, then runs them with W slots; the rate counts from the start of
//! the worker until the last flow has ended. Then flows run alone, one after
//! the other, under minted ids as a client submits them: their time from the
//! call of submit until the last node has ended, the commits each took, and how
//! long after the last upstream's handler the handler of a join began, which is
//! the time of one commit at least.

use super::options::{Flow, Shape};
use super::report::Report;
use super::rig::{KIND, Rig, check, ms, rate};
use super::shape::{Declarer, SINK};
use super::stores::{self, Place};
use super::summary::{median, percentile};
use super::{BenchResult, machine, throughput};
use leasehold::PayloadBytes;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// Raw commits for the time of one.
const RAW_SINGLES: usize = 500;

/// Far more than any part takes.
const MOST: Duration = Duration::from_mins(2);

/// Flows before the clock counts.
const WARM_UP: usize = 5;

/// What flows that ran alone gave.
struct Alone {
    took: Vec<f64>,
    join_starts: Vec<f64>,
    commits: f64,
}

/// Runs the bench.
///
/// # Errors
///
/// What the engine or the store refuses, and a flow that does not end.
pub(super) async fn run(args: &Flow) -> BenchResult<()> {
    let place = stores::open(&args.common)?;
    let mut report = Report::new("flow", &args.common);
    report.note(&place.settings().await?);
    report.note(&format!("load {}", machine::load()));
    let shapes = args.shape.map_or_else(|| Shape::ALL.to_vec(), |shape| vec![shape]);
    for shape in shapes {
        for &workers in &args.workers {
            measure(&*place, args, shape, workers, &mut report).await?;
        }
    }
    report.print();
    Ok(())
}

async fn measure(place: &dyn Place, args: &Flow, shape: Shape, workers: u32, report: &mut Report) -> BenchResult<()> {
    let flows = (args.members / shape.nodes()).max(1);
    let (mut rates, mut drains) = (Vec::new(), Vec::new());
    for number in 1..=args.rounds.max(1) {
        let drain = throughput::drain_rate(place, args.members, workers).await?;
        let flow = many(place, shape, workers, flows).await?;
        report.note(&format!(
            "{}, workers {workers}, round {number}: {flow:.1} flows/s beside a drain of {drain:.0}/s, load {}",
            shape.as_str(),
            machine::load()
        ));
        rates.push(flow);
        drains.push(drain);
    }
    let mut raw = place.raw_commits().await?;
    let mut commits = raw.times(RAW_SINGLES).await?;
    let alone = one_by_one(place, shape, workers, args.alone).await?;
    commits.extend(raw.times(RAW_SINGLES).await?);
    raw.close().await?;
    let commit = median(&commits);
    let parameters = [("shape", json!(shape.as_str())), ("workers", json!(workers)), ("flows", json!(flows))];
    let members = shape.nodes() as f64;
    let shares: Vec<f64> = rates.iter().zip(&drains).map(|(flows, drain)| flows * members / drain).collect();
    report.add("flows_per_s", median(&rates), "1/s", &parameters);
    report.add("drain_per_s", median(&drains), "1/s", &parameters);
    report.add("members_by_drain", median(&shares), "ratio", &parameters);
    report.add("flow_p50_ms", median(&alone.took), "ms", &parameters);
    report.add("flow_p99_ms", percentile(&alone.took, 0.99), "ms", &parameters);
    report.add("commits_per_flow", alone.commits, "commits", &parameters);
    report.add("flow_p50_by_commit", median(&alone.took) / commit, "ratio", &parameters);
    report.add("join_start_p50_ms", median(&alone.join_starts), "ms", &parameters);
    report.add("join_start_p99_ms", percentile(&alone.join_starts, 0.99), "ms", &parameters);
    report.add("raw_commit_p50_ms", commit, "ms", &parameters);
    report.add("join_start_p99_by_commit", percentile(&alone.join_starts, 0.99) / commit, "ratio", &parameters);
    Ok(())
}

/// Many flows at once; flows per second.
async fn many(place: &dyn Place, shape: Shape, workers: u32, flows: usize) -> BenchResult<f64> {
    let rig = Rig::fresh(place).await?;
    let engine = rig.node.engine();
    let declarer = Declarer { entropy: &*rig.entropy, config: &engine.env().options.partitions };
    for _ in 0..flows {
        engine.submit_new_flow(declarer.flow(shape)).await?;
    }
    let (sender, mut ended) = mpsc::unbounded_channel();
    let sink = move |payload: PayloadBytes| {
        let told = sender.send(()).is_ok();
        debug_assert!(told, "the bench waits for every sink");
        std::future::ready(check(&payload.0))
    };
    let step = |payload: PayloadBytes| std::future::ready(check(&payload.0));
    let began = rig.elapsed();
    let worker = rig.worker(workers).on(KIND, step).on(SINK, sink).start().await?;
    for _ in 0..flows * shape.sinks() {
        bounded(&rig, ended.recv()).await?.ok_or("the handler has gone")?;
    }
    // Ends when the last completion is durable.
    worker.drain(MOST).await;
    let elapsed = rig.elapsed().saturating_sub(began);
    rig.remove().await?;
    Ok(rate(flows, elapsed))
}

/// Flows one after the other on an idle node.
async fn one_by_one(place: &dyn Place, shape: Shape, workers: u32, flows: usize) -> BenchResult<Alone> {
    let rig = Rig::fresh(place).await?;
    let engine = rig.node.engine();
    let declarer = Declarer { entropy: &*rig.entropy, config: &engine.env().options.partitions };
    let last_step = Arc::new(AtomicU64::new(0));
    let (sender, mut sinks) = mpsc::unbounded_channel();
    let (clock, noted) = (rig.clock.clone(), last_step.clone());
    let step = move |payload: PayloadBytes| {
        let checked = check(&payload.0);
        noted.fetch_max(clock.monotonic().as_nanos() as u64, Ordering::AcqRel);
        std::future::ready(checked)
    };
    let (clock, noted) = (rig.clock.clone(), last_step);
    let sink = move |payload: PayloadBytes| {
        let now = clock.monotonic();
        let before = Duration::from_nanos(noted.load(Ordering::Acquire));
        let told = sender.send(now.saturating_sub(before)).is_ok();
        debug_assert!(told, "the bench waits for every sink");
        std::future::ready(check(&payload.0))
    };
    let worker = rig.worker(workers).on(KIND, step).on(SINK, sink).start().await?;
    let (mut took, mut join_starts, mut counted) = (Vec::new(), Vec::new(), None);
    for number in 0..WARM_UP + flows.max(1) {
        if number == WARM_UP {
            counted = Some(rig.store.counts().await?);
        }
        let spec = declarer.flow(shape);
        let last: Vec<_> =
            spec.nodes[shape.nodes() - shape.sinks()..].iter().map(|node| node.execution.execution_id).collect();
        let began = rig.elapsed();
        engine.submit_new_flow(spec).await?;
        for id in last {
            rig.node.client().wait(id, MOST).await?;
        }
        let ended = rig.elapsed();
        for _ in 0..shape.sinks() {
            let start = bounded(&rig, sinks.recv()).await?.ok_or("the handler has gone")?;
            if number >= WARM_UP {
                join_starts.push(ms(start));
            }
        }
        if number >= WARM_UP {
            took.push(ms(ended.saturating_sub(began)));
        }
    }
    worker.drain(MOST).await;
    let before = counted.ok_or("no flow was measured")?;
    let commits = rig.store.counts().await?.since(before).commits / flows.max(1) as f64;
    rig.remove().await?;
    Ok(Alone { took, join_starts, commits })
}

async fn bounded<T>(rig: &Rig, wait: impl Future<Output = T>) -> BenchResult<T> {
    tokio::select! {
        answer = wait => Ok(answer),
        // tidy: sleep because it bounds the wait
        () = rig.clock.sleep(MOST) => Err("a flow did not end".into()),
    }
}
