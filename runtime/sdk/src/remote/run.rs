//! One task of a remote worker: its handler, and what follows from how it
//! ends.

use super::door::{Remote, is_satisfied, suspend_body};
use super::http::RemoteError;
use super::lease::{RemoteLease, base64};
use crate::worker::{Call, Origin, category};
use crate::worker::{DataMap, KindHandler};
use futures::FutureExt;
use leasehold_actors::fleet::{HandlerOutcome, Pause};
use leasehold_contract::Task;
use leasehold_core::backoff::FailureClass;
use leasehold_core::command::{KIND_BYTES_MAX, REASON_BYTES_MAX};
use leasehold_core::handle::HandleKind;
use serde_json::{Value, json};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How a handler's future ended.
enum Ended {
    Outcome(HandlerOutcome),
    Panicked,
    /// Where it stood, by its own wish.
    Left,
    Abandoned,
}

/// Runs a handler to its end; again on the same lease, when what it wanted to
/// wait for is there already.
pub(super) async fn run(
    lease: Arc<RemoteLease>,
    handler: Option<Arc<dyn KindHandler>>,
    data: Arc<DataMap>,
    abandon: CancellationToken,
) {
    lease.pausing.enter();
    let renewals = {
        let lease = lease.clone();
        tokio::spawn(async move { lease.keep().await })
    };
    let mut task = lease.task.clone();
    loop {
        let ended = once(&lease, handler.as_ref(), &data, task.clone(), &abandon).await;
        let outcome = match (lease.pausing.take(), ended) {
            (Pause::Done, _) => break,
            (Pause::Asked(args), _) => Some(HandlerOutcome::Suspend(args)),
            (Pause::None, Ended::Outcome(outcome)) => Some(outcome),
            (Pause::None, Ended::Panicked) => Some(HandlerOutcome::Fail {
                reason: "the handler panicked".to_owned(),
                category: category::HANDLER_PANIC.to_owned(),
                class: FailureClass::Transient,
            }),
            (Pause::None, Ended::Left | Ended::Abandoned) => None,
        };
        if !settle(&lease, outcome).await || abandon.is_cancelled() {
            break;
        }
        task.claimed.kind = HandleKind::Resumed;
    }
    renewals.abort();
}

async fn once(
    lease: &Arc<RemoteLease>,
    handler: Option<&Arc<dyn KindHandler>>,
    data: &Arc<DataMap>,
    task: Task,
    abandon: &CancellationToken,
) -> Ended {
    let Some(handler) = handler else {
        return Ended::Outcome(HandlerOutcome::Fail {
            reason: format!("no handler for {:?}", task.execution_kind),
            category: category::RUNTIME_NO_HANDLER.to_owned(),
            class: FailureClass::Transient,
        });
    };
    let origin = Origin::Remote { token: lease.token.clone(), door: Arc::new(Remote(lease.clone())) };
    let run = AssertUnwindSafe(async { handler.call(Call::new(task, origin, data.clone())).await }).catch_unwind();
    tokio::select! {
        biased;
        ended = run => ended.map_or(Ended::Panicked, Ended::Outcome),
        () = lease.pausing.left() => Ended::Left,
        () = abandon.cancelled() => Ended::Abandoned,
    }
}

/// The route and the body of a handler's word; none gives the lease back.
fn word(lease: &RemoteLease, outcome: Option<&HandlerOutcome>) -> (&'static str, Value) {
    match outcome {
        Some(HandlerOutcome::Complete(result)) => {
            ("/complete", json!({"result_payload": result.as_deref().map(base64)}))
        }
        Some(HandlerOutcome::Fail { reason, category, class }) => {
            let reason = &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)];
            let category = &category[..category.floor_char_boundary(KIND_BYTES_MAX)];
            let class = class.as_str();
            ("/fail", json!({"failure_reason": reason, "failure_category": category, "failure_class": class}))
        }
        Some(HandlerOutcome::Delay(until)) => ("/delay", json!({"delay_until": until})),
        Some(HandlerOutcome::Suspend(args)) => ("/suspend", suspend_body(args)),
        Some(HandlerOutcome::Cancel(reason)) => {
            ("/cancel", json!({"reason": &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)]}))
        }
        None => ("/delay", json!({"delay_until": lease.clock.now()})),
    }
}

/// Tells the server how a run ended. True when the lease is kept: what was to
/// be waited for is there.
async fn settle(lease: &RemoteLease, outcome: Option<HandlerOutcome>) -> bool {
    let mut outcome = outcome;
    loop {
        let (rest, body) = word(lease, outcome.as_ref());
        let error = match lease.say(rest, body).await {
            Ok(answer) => return rest == "/suspend" && is_satisfied(&answer),
            Err(error) => error,
        };
        let id = lease.task.claimed.execution_id;
        if error.means_lost() {
            tracing::debug!(execution = %id, %error, "a handler ended after its lease had");
            return false;
        }
        let refused = matches!(error, RemoteError::Refused { .. }) && !error.is_retryable();
        let category = match outcome {
            Some(HandlerOutcome::Suspend(_)) => category::HANDLER_SUSPEND,
            _ => category::HANDLER_RESULT,
        };
        if !refused || matches!(outcome, None | Some(HandlerOutcome::Fail { .. })) {
            tracing::warn!(execution = %id, %error, "how an attempt ended could not be told; its lease lapses");
            return false;
        }
        // The handler said what the engine never takes.
        let (reason, category, class) = (error.to_string(), category.to_owned(), FailureClass::Permanent);
        outcome = Some(HandlerOutcome::Fail { reason, category, class });
    }
}
