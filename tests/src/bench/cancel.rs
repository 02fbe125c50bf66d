//! `bench cancel`: the cancellation of a flow whose members all run.
//!
//! Every member's handler runs until the bench lets it go. The time is that
//! from the call of cancel until every member is terminal in the store, as the
//! call that waits for it says. Afterwards the store must show one completion
//! event of each member.

use super::options::Cancel;
use super::report::Report;
use super::rig::{KIND, Rig, ms};
use super::shape::Declarer;
use super::summary::{median, percentile};
use super::{BenchResult, machine, stores};
use leasehold::PayloadBytes;
use leasehold_backend::PAGE_MAX;
use leasehold_contract::Flows;
use leasehold_core::command::flow::{CancelFlow, CancelWait};
use leasehold_core::event::Fact;
use leasehold_core::record::flow::CancellationPolicy;
use leasehold_sdk::HandlerError;
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Raw commits for the time of one.
const RAW_SINGLES: usize = 500;

/// Far more than any part takes.
const MOST: Duration = Duration::from_mins(1);

/// Runs the bench.
///
/// # Errors
///
/// What the engine or the store refuses, a member that does not start, and a
/// member without exactly one completion event.
pub(super) async fn run(args: &Cancel) -> BenchResult<()> {
    let place = stores::open(&args.common)?;
    let mut report = Report::new("cancel", &args.common);
    report.note(&place.settings().await?);
    report.note(&format!("load {}", machine::load()));
    let mut raw = place.raw_commits().await?;
    let commits = raw.times(RAW_SINGLES).await?;
    raw.close().await?;
    let (mut took, mut written) = (Vec::new(), Vec::new());
    for number in 1..=args.rounds.max(1) {
        let rig = Rig::fresh(&*place).await?;
        let (elapsed, commits) = round(&rig, args.members).await?;
        rig.remove().await?;
        report.note(&format!("round {number}: {elapsed:.1} ms, load {}", machine::load()));
        took.push(elapsed);
        written.push(commits);
    }
    let parameters = [("members", json!(args.members)), ("rounds", json!(took.len()))];
    report.add("cancel_p50_ms", median(&took), "ms", &parameters);
    report.add("cancel_max_ms", percentile(&took, 1.0), "ms", &parameters);
    report.add("commits_per_cancel", median(&written), "commits", &parameters);
    report.add("raw_commit_p50_ms", median(&commits), "ms", &parameters);
    report.print();
    Ok(())
}

async fn round(rig: &Rig, members: usize) -> BenchResult<(f64, f64)> {
    let engine = rig.node.engine();
    let declarer = Declarer { entropy: &*rig.entropy, config: &engine.env().options.partitions };
    let spec = declarer.nodes(members, |_| KIND);
    let flow_id = spec.flow_id;
    let (sender, mut started) = mpsc::unbounded_channel();
    let (go, gone) = watch::channel(false);
    let handler = move |_: PayloadBytes| {
        let told = sender.send(()).is_ok();
        debug_assert!(told, "the bench waits for every start");
        let mut gone = gone.clone();
        async move {
            let over = gone.wait_for(|over| *over).await;
            over.map(drop).map_err(|_| HandlerError::permanent("the bench has gone"))
        }
    };
    let worker = rig.worker(u32::try_from(members)?).on(KIND, handler).start().await?;
    engine.submit_flow(spec).await?;
    for _ in 0..members {
        tokio::select! {
            start = started.recv() => start.ok_or("the handler has gone")?,
            // tidy: sleep because it bounds the wait
            () = rig.clock.sleep(MOST) => return Err("a member did not start".into()),
        }
    }
    let before = rig.store.counts().await?;
    let cancel =
        CancelFlow { flow_id, reason: "measured".to_owned(), cancellation_policy: CancellationPolicy::CancelAll };
    let began = rig.elapsed();
    engine.cancel_flow(cancel, CancelWait::Timeout(MOST.as_millis() as u64)).await?;
    let elapsed = rig.elapsed().saturating_sub(began);
    let commits = rig.store.counts().await?.since(before).commits;
    go.send(true).map_err(|_| "every handler has gone")?;
    worker.drain(MOST).await;
    completed_once(rig, members).await?;
    Ok((ms(elapsed), commits))
}

/// Checks that the store tells one completion of each member.
async fn completed_once(rig: &Rig, members: usize) -> BenchResult<()> {
    let mut told: HashMap<_, u32> = HashMap::new();
    for partition in 0..rig.partitions() {
        let mut after = None;
        loop {
            let page = rig.backend.read_events(partition, after, PAGE_MAX).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for event in page.iter().map(|logged| &logged.event) {
                let count = event.facts.iter().filter(|fact| matches!(fact, Fact::Completed { .. })).count();
                *told.entry(event.execution_id).or_default() += count as u32;
            }
        }
    }
    let once = told.values().filter(|count| **count == 1).count();
    if once != members || told.len() != members {
        return Err(format!("{once} of {members} members completed exactly once").into());
    }
    Ok(())
}
