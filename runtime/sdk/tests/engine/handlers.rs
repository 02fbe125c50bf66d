//! Handlers: what they extract, what they return, and actors.

use crate::rig::{Rig, plain, retries};
use bytes::Bytes;
use leasehold_contract::Reads;
use leasehold_core::state::PublicState;
use leasehold_sdk::{
    ActorHandler, ActorTask, Cancel, Context, Data, FailureClass, FenceOf, HandlerError, HandlerOutcome, Json, Payload,
    PayloadBytes, TaskInfo,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

#[derive(Debug, Deserialize, Serialize)]
struct Order {
    lines: Vec<u32>,
}

async fn nothing() {}

async fn sum(Payload(order): Payload<Order>) -> Json<u32> {
    Json(order.lines.iter().sum())
}

async fn echo(PayloadBytes(bytes): PayloadBytes, Data(prefix): Data<String>) -> Vec<u8> {
    [prefix.as_bytes(), &bytes].concat()
}

async fn about(info: TaskInfo, FenceOf(fence): FenceOf, Cancel(token): Cancel) -> String {
    assert!(!token.is_cancelled());
    assert_eq!(fence, info.claimed.fence());
    format!("{} {} {:?}", info.execution_kind, info.claimed.lane_id, info.tags.get("test.team"))
}

async fn four(
    Payload(order): Payload<Order>,
    bytes: PayloadBytes,
    data: Data<String>,
    Context(context): Context,
) -> Result<Json<(usize, usize, String)>, HandlerError> {
    context.progress(Some(50), Some("half".to_owned())).await?;
    Ok(Json((order.lines.len(), bytes.0.len(), data.to_string())))
}

#[tokio::test]
async fn handlers_take_none_to_four_arguments() {
    let rig = Rig::start().await;
    let worker = rig.worker().data("hi ".to_owned()).on("nothing", nothing).on("sum", sum).on("echo", echo);
    worker.on("about", about).on("four", four).start().await.unwrap();
    let order = Order { lines: vec![1, 2, 39] };
    for (kind, result) in [
        ("nothing", None),
        ("sum", Some(&b"42"[..])),
        ("echo", Some(&br#"hi {"lines":[1,2,39]}"#[..])),
        ("about", Some(&br#"about default Some("core")"#[..])),
        ("four", Some(&br#"[3,18,"hi "]"#[..])),
    ] {
        let submission = rig.client.submit_json(kind, &order).tag("test.team", "core");
        let outcome = rig.outcome(submission.await.unwrap().execution_id).await;
        assert_eq!((outcome.public_state, outcome.result.as_deref()), (PublicState::Completed, result), "{kind}");
    }
}

#[tokio::test]
async fn a_payload_that_does_not_decode_fails_for_good() {
    let rig = Rig::start().await;
    rig.worker().on("sum", sum).start().await.unwrap();
    let submission = rig.client.submit("sum", "[1,2]").policy(&retries(5));
    let id = submission.await.unwrap().execution_id;
    assert_eq!(rig.outcome(id).await.public_state, PublicState::Failed);
    assert_eq!(rig.failures(id).await, [Some("extractor_payload_decode".to_owned())]);
}

#[tokio::test]
async fn missing_data_and_missing_handlers_fail_under_their_own_categories() {
    let rig = Rig::start().await;
    rig.worker().on("echo", echo).start().await.unwrap();
    for (kind, category) in [("echo", "extractor_missing_state"), ("unknown", "runtime_no_handler")] {
        let id = rig.submit(kind, &retries(1)).await;
        assert_eq!(rig.outcome(id).await.public_state, PublicState::Failed);
        assert_eq!(rig.failures(id).await, [Some(category.to_owned()), Some(category.to_owned())]);
    }
}

#[tokio::test]
async fn errors_fail_under_their_category_and_class() {
    let rig = Rig::start().await;
    let plain_error = || async { "x".parse::<u8>().map(|_| ()) };
    let permanent = || async { Err::<(), _>(HandlerError::permanent("no such account").with_category("no_account")) };
    rig.worker().on("plain", plain_error).on("permanent", permanent).start().await.unwrap();

    let id = rig.submit("plain", &retries(1)).await;
    rig.outcome(id).await;
    assert_eq!(rig.failures(id).await, [Some("handler_error".to_owned()), Some("handler_error".to_owned())]);

    let id = rig.submit("permanent", &retries(1)).await;
    rig.outcome(id).await;
    let attempts = rig.attempts(id).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].failure_category.as_deref(), Some("no_account"));
    assert_eq!(attempts[0].failure_reason.as_deref(), Some("no such account"));
}

#[tokio::test]
async fn words_the_engine_would_refuse_are_cut_or_fail_the_attempt() {
    let rig = Rig::start().await;
    let large = || async { vec![0u8; (1 << 20) + 1] };
    let wordy = || async {
        let category = "c".repeat(1000);
        Err::<(), _>(HandlerError::new("\0".repeat(9000), FailureClass::Permanent).with_category(category))
    };
    rig.worker().on("large", large).on("wordy", wordy).start().await.unwrap();
    let id = rig.submit("large", &retries(3)).await;
    assert_eq!(rig.outcome(id).await.public_state, PublicState::Failed);
    assert_eq!(rig.failures(id).await, [Some("handler_result".to_owned())]);
    let id = rig.submit("wordy", &plain()).await;
    assert_eq!(rig.outcome(id).await.public_state, PublicState::Failed);
    assert_eq!(rig.failures(id).await, [Some("c".repeat(256))]);
}

#[tokio::test]
async fn a_handler_may_put_its_execution_off_or_cancel_it() {
    let rig = Rig::start().await;
    let later = |info: TaskInfo, Context(context): Context| async move {
        if info.claimed.lease_epoch.0 == 1 {
            return HandlerOutcome::Delay(context.now().plus(60_000));
        }
        HandlerOutcome::Cancel("changed its mind".to_owned())
    };
    rig.worker().on("later", later).start().await.unwrap();
    let id = rig.submit("later", &plain()).await;
    rig.settle().await;
    assert_eq!(rig.engine.read_execution_state(id).await.unwrap(), Some(PublicState::Delayed));
    assert_eq!(rig.outcome(id).await.public_state, PublicState::Cancelled);
    assert!(rig.clock_ms() >= 60_000);
}

#[tokio::test]
async fn bad_settings_of_a_worker_are_refused_when_it_starts() {
    let rig = Rig::start().await;
    for builder in [
        rig.worker().slots(0),
        rig.worker().lanes(Vec::<String>::new()),
        rig.worker().lanes(["a lane\u{7f}"]),
        rig.worker().capabilities(["a,b"]),
        rig.worker().worker_id(""),
        rig.worker().lease_ttl(std::time::Duration::from_millis(1)),
    ] {
        let error = builder.start().await.unwrap_err();
        assert!(matches!(error.code(), "invalid_input" | "invalid_capabilities"), "{error}");
    }
}

/// An application's actor that answers "ok", keeps "keep" and dies of "die".
struct Clerk;

enum ClerkMsg {
    Work(ActorTask),
}

impl From<ActorTask> for ClerkMsg {
    fn from(task: ActorTask) -> Self {
        Self::Work(task)
    }
}

impl Actor for Clerk {
    type Msg = ClerkMsg;
    type State = (Vec<ActorTask>, mpsc::UnboundedSender<()>);
    type Arguments = mpsc::UnboundedSender<()>;

    async fn pre_start(&self, _: ActorRef<ClerkMsg>, kept: Self::Arguments) -> Result<Self::State, ActorProcessingErr> {
        Ok((Vec::new(), kept))
    }

    async fn handle(
        &self,
        _: ActorRef<ClerkMsg>,
        ClerkMsg::Work(task): ClerkMsg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match &task.task.payload[..] {
            b"ok" => task.reply.send(HandlerOutcome::Complete(Some(Bytes::from_static(b"done"))))?,
            b"keep" => {
                state.0.push(task);
                state.1.send(())?;
            }
            _ => return Err("asked to".into()),
        }
        Ok(())
    }
}

#[tokio::test]
async fn an_actor_is_a_handler_and_its_death_fails_its_attempts_at_once() {
    let rig = Rig::start().await;
    let (kept, mut keeps) = mpsc::unbounded_channel();
    let (first, _) = Actor::spawn(None, Clerk, kept.clone()).await.unwrap();
    let current = Arc::new(Mutex::new(Some(first)));
    let resolve = {
        let current = current.clone();
        move || current.lock().unwrap().clone()
    };
    rig.worker().on("clerk", ActorHandler::<ClerkMsg>::resolving(resolve)).start().await.unwrap();

    let id = rig.client.submit("clerk", "ok").await.unwrap().execution_id;
    assert_eq!(rig.outcome(id).await.result.as_deref(), Some(&b"done"[..]));

    let keeps_it = rig.client.submit("clerk", "keep").policy(&retries(1)).await.unwrap().execution_id;
    rig.until(keeps.recv()).await;
    let dies = rig.client.submit("clerk", "die").await.unwrap().execution_id;
    let outcome = rig.at_once(rig.client.wait(dies, std::time::Duration::from_secs(9))).await.unwrap();
    assert_eq!(outcome.public_state, PublicState::Failed);
    assert_eq!(rig.failures(dies).await, [Some("actor_died".to_owned())]);

    // The task it had kept fails too, and is retried with its successor.
    let (second, _) = Actor::spawn(None, Clerk, kept).await.unwrap();
    *current.lock().unwrap() = Some(second.clone());
    rig.until(keeps.recv()).await;
    let failures = rig.failures(keeps_it).await;
    assert!(failures.len() >= 2 && failures[0].as_deref() == Some("actor_died"), "{failures:?}");
    second.stop(None);
    assert_eq!(rig.outcome(keeps_it).await.public_state, PublicState::Failed);
}
