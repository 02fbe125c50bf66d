//! `bench suspend`: an execution that waits for a signal.
//!
//! A handler waits at one waitpoint whose token it hands to the bench, which
//! sends the signal as soon as the suspension is durable; the handler runs
//! anew and completes. Two times end when the caller is told of the end:
//! `suspend` begins where the token is in the handler's hand and it is about to
//! suspend; three commits at least, of the suspension, of the signal with the
//! claim it leads to, and of the completion. `wait` begins with the handler's
//! call, which makes the waitpoint first, a commit more. First one at a time on
//! an idle node, then with so many slots at once.

use super::options::Suspend;
use super::report::Report;
use super::rig::{KIND, Rig, ms, rate};
use super::summary::{median, percentile};
use super::{BenchResult, machine, stores};
use leasehold::{Client, HandlerError, Issued, Wait, Waits};
use leasehold_actors::events::{Received, Subscription};
use leasehold_contract::Work;
use leasehold_core::event::{Fact, LeaseFact};
use leasehold_core::ids::ExecutionId;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::sync::mpsc;

/// Executions before the clock counts.
const WARM_UP: usize = 20;

/// Raw commits for the time of one.
const RAW_SINGLES: usize = 500;

/// Far more than any part takes.
const MOST: Duration = Duration::from_mins(1);

/// When a handler called `wait`, and when it had the token.
#[derive(Clone, Copy)]
struct Begun {
    wait: Duration,
    suspend: Duration,
}

/// When a handler began, with what its sender needs.
type Told = (Begun, Issued);

/// Runs the bench.
///
/// # Errors
///
/// What the engine or the store refuses, and an execution that does not end.
pub(super) async fn run(args: &Suspend) -> BenchResult<()> {
    let place = stores::open(&args.common)?;
    let mut report = Report::new("suspend", &args.common);
    report.note(&place.settings().await?);
    report.note(&format!("load {}", machine::load()));
    let mut raw = place.raw_commits().await?;
    let mut commits = raw.times(RAW_SINGLES).await?;

    let rig = Rig::fresh(&*place).await?;
    let client = rig.node.client();
    let (told, heard) = mpsc::unbounded_channel();
    let (signalled, mut begun) = mpsc::unbounded_channel();
    let signals = tokio::spawn(signal_all(client.clone(), client.subscribe()?, heard, signalled));
    let clock = rig.clock.clone();
    let handler = move |mut waits: Waits| {
        let (wait, clock, told) = (clock.monotonic(), clock.clone(), told.clone());
        async move {
            let tell = move |issued: Vec<Issued>| async move {
                let gone = |_| HandlerError::permanent("the bench has gone");
                let begun = Begun { wait, suspend: clock.monotonic() };
                issued.into_iter().try_for_each(|issued| told.send((begun, issued)).map_err(gone))
            };
            waits.wait("go", Wait::signal().telling(tell)).await?;
            Ok::<_, HandlerError>(())
        }
    };
    let worker = rig.worker(args.at_once).on(KIND, handler).start().await?;

    let (mut suspends, mut waits) = (Vec::new(), Vec::new());
    let mut before = rig.store.counts().await?;
    for number in 0..WARM_UP + args.executions {
        if number == WARM_UP {
            before = rig.store.counts().await?;
        }
        let id = client.submit(KIND, Vec::new()).await?.execution_id;
        rig.node.engine().wait_terminal(id, MOST).await?.ok_or("an execution does not end")?;
        let ended = rig.elapsed();
        let began = begun.recv().await.ok_or("the signals have ended")?;
        if number >= WARM_UP {
            suspends.push(ms(ended.saturating_sub(began.suspend)));
            waits.push(ms(ended.saturating_sub(began.wait)));
        }
    }
    let written = rig.store.counts().await?.since(before).commits / args.executions.max(1) as f64;

    let many = args.executions.max(args.at_once as usize * 4);
    let began = rig.elapsed();
    let submissions: Vec<_> = (0..many).map(|_| client.submit(KIND, Vec::new())).collect();
    let mut ids = Vec::with_capacity(many);
    for submitted in client.submit_many(submissions).await {
        ids.push(submitted?.execution_id);
    }
    for id in ids {
        client.wait(id, MOST).await?;
    }
    let per_second = rate(many, rig.elapsed().saturating_sub(began));

    worker.drain(MOST).await;
    rig.remove().await?;
    signals.abort();
    commits.extend(raw.times(RAW_SINGLES).await?);
    raw.close().await?;
    let commit = median(&commits);
    let parameters = [("executions", json!(args.executions)), ("workers", json!(args.at_once))];
    report.add("suspend_p50_ms", median(&suspends), "ms", &parameters);
    report.add("suspend_p99_ms", percentile(&suspends, 0.99), "ms", &parameters);
    report.add("suspend_p50_by_commit", median(&suspends) / commit, "ratio", &parameters);
    report.add("wait_p50_ms", median(&waits), "ms", &parameters);
    report.add("wait_p50_by_commit", median(&waits) / commit, "ratio", &parameters);
    report.add("raw_commit_p50_ms", commit, "ms", &parameters);
    report.add("commits_per_execution", written, "commits", &parameters);
    report.add("suspends_per_s", per_second, "1/s", &parameters);
    report.print();
    Ok(())
}

/// Signals every execution once its suspension is durable, and says when its
/// handler had begun to wait.
async fn signal_all(
    client: Client,
    mut events: Subscription,
    mut told: mpsc::UnboundedReceiver<Told>,
    signalled: mpsc::UnboundedSender<Begun>,
) -> BenchResult<()> {
    let mut known: HashMap<ExecutionId, Told> = HashMap::new();
    let mut suspended: HashSet<ExecutionId> = HashSet::new();
    loop {
        tokio::select! {
            next = told.recv() => {
                let Some(next) = next else { return Ok(()) };
                known.insert(next.1.execution_id, next);
            }
            event = events.next() => match event {
                Received::Event(event) => {
                    let released = |fact: &Fact| {
                        matches!(fact, Fact::Lease { what: LeaseFact::Released { reason }, .. } if reason == "suspend")
                    };
                    if event.facts.iter().any(released) {
                        suspended.insert(event.execution_id);
                    }
                }
                Received::Lagged(lost) => return Err(format!("{lost} events were lost").into()),
                Received::Closed => return Ok(()),
            },
        }
        let ready: Vec<_> = suspended.iter().copied().filter(|id| known.contains_key(id)).collect();
        for id in ready {
            suspended.remove(&id);
            let Some((began, issued)) = known.remove(&id) else { continue };
            let (client, signalled) = (client.clone(), signalled.clone());
            tokio::spawn(async move {
                let sent = client.signal(&issued, "go").await.is_ok() && signalled.send(began).is_ok();
                debug_assert!(sent, "the bench waits for every signal");
            });
        }
    }
}
