//! `bench inbox`: from the commit of a transactional create to the first line
//! of its handler, on an idle node.
//!
//! First one create at a time, announced as soon as it has committed; then
//! creates without a word, evenly over some seconds, which the sweep finds.
//! The clock starts when the application asks for its commit. Time is that of
//! this machine. Beside each announced create one raw row is written durably.

use super::options::Inbox;
use super::report::Report;
use super::rig::{self, KIND, Rig, ms};
use super::stores::{self, Outsider};
use super::summary::{median, percentile};
use super::{BenchResult, machine};
use leasehold::{Client, HandlerError, PayloadBytes};
use serde_json::json;
use std::time::Duration;
use tokio::sync::mpsc;

/// Announced creates before the clock counts.
const WARM_UP: usize = 20;

/// Far longer than a create takes.
const MOST: Duration = Duration::from_secs(30);

/// Slots of the worker.
const WORKERS: u32 = 16;

/// Which create has started, and when.
type Started = mpsc::UnboundedReceiver<(u64, Duration)>;

/// Runs the bench.
///
/// # Errors
///
/// A store without an inbox, and a create that does not start.
pub(super) async fn run(args: &Inbox) -> BenchResult<()> {
    let place = stores::open(&args.common)?;
    let mut report = Report::new("inbox", &args.common);
    report.note(&place.settings().await?);
    report.note(&format!("load {}", machine::load()));
    let mut raw = place.raw_commits().await?;
    let rig = Rig::fresh(&*place).await?;
    let mut application = rig.store.outsider().await?.ok_or("this store has no inbox")?;
    let (sender, mut started) = mpsc::unbounded_channel();
    let clock = rig.clock.clone();
    let handler = move |payload: PayloadBytes| {
        let now = clock.monotonic();
        std::future::ready(number_of(&payload.0).map(|number| {
            let told = sender.send((number, now)).is_ok();
            debug_assert!(told, "the bench waits for every start");
        }))
    };
    let worker = rig.worker(WORKERS).on(KIND, handler).start().await?;
    let client = rig.node.client();
    let (mut announced, mut commits) = (Vec::new(), Vec::new());
    for number in 0..WARM_UP + args.executions {
        let began = create(&rig, &client, &mut *application, number as u64).await?;
        rig.node.announce();
        let (_, at) = next(&rig, &mut started).await?;
        let commit = raw.times(1).await?;
        if number >= WARM_UP {
            announced.push(ms(at.saturating_sub(began)));
            commits.extend(commit);
        }
    }
    let unannounced = swept(args, &rig, &client, &mut *application, &mut started).await?;
    application.close().await?;
    raw.close().await?;
    worker.drain(MOST).await;
    rig.remove().await?;
    let parameters = [("workers", json!(WORKERS)), ("executions", json!(args.executions))];
    report.add("announced_start_p50_ms", median(&announced), "ms", &parameters);
    report.add("announced_start_p99_ms", percentile(&announced, 0.99), "ms", &parameters);
    report.add("raw_commit_p50_ms", median(&commits), "ms", &parameters);
    let parameters = [("workers", json!(WORKERS)), ("executions", json!(args.unannounced))];
    report.add("unannounced_start_p50_ms", median(&unannounced), "ms", &parameters);
    report.add("unannounced_start_p99_ms", percentile(&unannounced, 0.99), "ms", &parameters);
    report.print();
    Ok(())
}

/// Creates without a word; how long each took to start.
async fn swept(
    args: &Inbox,
    rig: &Rig,
    client: &Client,
    application: &mut dyn Outsider,
    started: &mut Started,
) -> BenchResult<Vec<f64>> {
    let first = rig.elapsed();
    let mut begun = Vec::with_capacity(args.unannounced);
    for number in 0..args.unannounced {
        let due = first + Duration::from_secs(args.seconds).mul_f64(number as f64 / args.unannounced as f64);
        // tidy: sleep because the creates come at their own time
        rig.clock.sleep(due.saturating_sub(rig.elapsed())).await;
        begun.push(create(rig, client, application, number as u64).await?);
    }
    let mut took = Vec::with_capacity(args.unannounced);
    while took.len() < args.unannounced {
        let (number, at) = next(rig, started).await?;
        let began = begun.get(usize::try_from(number)?).ok_or("a start of no create")?;
        took.push(ms(at.saturating_sub(*began)));
    }
    Ok(took)
}

/// Leaves a create in the inbox; the moment its commit was asked for.
async fn create(rig: &Rig, client: &Client, application: &mut dyn Outsider, number: u64) -> BenchResult<Duration> {
    let mut payload = number.to_be_bytes().to_vec();
    payload.extend_from_slice(&rig::payload(&*rig.entropy)[payload.len()..]);
    let create = client.submit(KIND, payload).into_create()?;
    application.create(&create, &*rig.clock).await
}

async fn next(rig: &Rig, started: &mut Started) -> BenchResult<(u64, Duration)> {
    tokio::select! {
        start = started.recv() => Ok(start.ok_or("the handler has gone")?),
        // tidy: sleep because it bounds the wait
        () = rig.clock.sleep(MOST) => Err("a create did not start".into()),
    }
}

fn number_of(payload: &[u8]) -> Result<u64, HandlerError> {
    let bytes = payload.first_chunk().ok_or_else(|| HandlerError::permanent("a payload without its number"))?;
    Ok(u64::from_be_bytes(*bytes))
}
