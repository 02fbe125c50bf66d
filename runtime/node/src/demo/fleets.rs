//! The fleets in the demo's own process, and their handlers.

use super::workload::{Job, LEASE_TTL};
use leasehold::{Cancel, Context, FailureClass, HandlerError, Json, Node, Payload, TaskInfo};
use leasehold_contract::EngineResult;
use leasehold_core::state::AttemptType;
use serde::Serialize;
use std::time::Duration;

/// What the panics of the demo's handlers begin with.
pub(super) const PANIC: &str = "demo: ";

/// What a handler returns.
#[derive(Debug, Serialize)]
struct Done {
    number: u32,
    attempt: u32,
}

/// Starts three fleets; they claim at once.
pub(super) async fn start(node: &Node) -> EngineResult<()> {
    let worker = |name: &str| node.worker(name).lease_ttl(LEASE_TTL).cancel_grace(Duration::from_millis(200));
    worker("studio")
        .lanes(["media"])
        .slots(24)
        .on("resize", work)
        .on("crash", crash)
        .on("parse", parse)
        .on("repair", repair)
        .start()
        .await?;
    worker("office")
        .lanes(["mail", "billing"])
        .capabilities(["ledger"])
        .slots(24)
        .on("email", work)
        .on("invoice", work)
        .on("sync", sync)
        .on("webhook", webhook)
        .start()
        .await?;
    worker("night-shift").lanes(["batch"]).slots(32).on("hang", hang).start().await?;
    Ok(())
}

async fn work(Payload(job): Payload<Job>, info: TaskInfo, Context(context): Context) -> Json<Done> {
    pause(&context, job.pause_ms).await;
    done(job, &info)
}

/// Fails as often as its job says.
async fn sync(
    Payload(job): Payload<Job>,
    info: TaskInfo,
    Context(context): Context,
) -> Result<Json<Done>, HandlerError> {
    pause(&context, job.pause_ms).await;
    if info.retry_count < job.fails {
        return Err(HandlerError::transient("the other side is busy").with_category("busy"));
    }
    Ok(done(job, &info))
}

async fn webhook(Payload(job): Payload<Job>, Context(context): Context) -> Result<(), HandlerError> {
    pause(&context, job.pause_ms).await;
    Err(HandlerError::new("no answer", FailureClass::Timeout).with_category("no_answer"))
}

async fn parse(Payload(job): Payload<Job>) -> Result<(), HandlerError> {
    Err(HandlerError::permanent(format!("document {} is not readable", job.number)))
}

async fn repair(Payload(job): Payload<Job>, info: TaskInfo) -> Result<Json<Done>, HandlerError> {
    if info.claimed.attempt_type == AttemptType::Initial {
        return Err(HandlerError::permanent("the account does not exist yet"));
    }
    Ok(done(job, &info))
}

async fn crash(Payload(job): Payload<Job>, info: TaskInfo, Context(context): Context) -> Json<Done> {
    pause(&context, job.pause_ms).await;
    assert!(info.retry_count > 0, "{PANIC}number {} crashes on its first attempt", job.number);
    done(job, &info)
}

/// Does nothing until its lease is gone.
async fn hang(Cancel(token): Cancel) -> Result<(), HandlerError> {
    token.cancelled().await;
    Err(HandlerError::transient("interrupted"))
}

async fn pause(context: &leasehold::HandlerContext, ms: u64) {
    context.engine().env().clock.sleep(Duration::from_millis(ms)).await;
}

fn done(job: Job, info: &TaskInfo) -> Json<Done> {
    Json(Done { number: job.number, attempt: info.claimed.attempt_index.0 })
}

/// Keeps the panics that the demo's handlers are meant to have off the
/// terminal. All others are shown as ever.
pub(super) fn hush_expected_panics() {
    let show = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
        if !text.is_some_and(|text| text.starts_with(PANIC)) {
            show(panic);
        }
    }));
}
