//! The client: submitting, waiting, messages and events.

use crate::rig::{Rig, plain};
use leasehold_contract::{CancelExecution, ChangePriority, CommandSource, FenceTriple};
use leasehold_core::event::Fact;
use leasehold_core::state::PublicState;
use leasehold_sdk::{Received, forward_events};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::mpsc;

#[tokio::test]
async fn many_submissions_are_answered_in_order_with_their_own_refusals() {
    let rig = Rig::start().await;
    let many = (0..1203).map(|n| {
        let submission = rig.client.submit("many", format!("{n}"));
        if n == 601 { submission.lane("") } else { submission }
    });
    let answers = rig.until(rig.client.submit_many(many)).await;
    assert_eq!(answers.len(), 1203);
    let ids: BTreeSet<_> = answers.iter().flatten().map(|submitted| submitted.execution_id).collect();
    assert_eq!(ids.len(), 1202);
    assert_eq!(answers[601].as_ref().unwrap_err().code(), "invalid_input");
    let context = rig.client.inspect(answers[1202].as_ref().unwrap().execution_id).await.unwrap();
    assert_eq!(context.unwrap().public_state, PublicState::Waiting);
}

#[tokio::test]
async fn a_key_stands_for_one_execution_of_its_namespace() {
    let rig = Rig::start().await;
    let send =
        |namespace: &'static str| rig.client.submit("pay", "").idempotency_key("order-7").namespace(namespace).send();
    let first = send("a").await.unwrap();
    let again = send("a").await.unwrap();
    let other = send("b").await.unwrap();
    assert!(!first.duplicate && again.duplicate && !other.duplicate);
    assert_eq!(first.execution_id, again.execution_id);
    assert_ne!(first.execution_id, other.execution_id);
}

#[tokio::test]
async fn a_given_id_makes_a_repeat_safe() {
    let rig = Rig::start().await;
    let id = rig.client.submit("once", "").await.unwrap().execution_id;
    let again = rig.client.submit("once", "").execution_id(id).await.unwrap();
    assert_eq!((again.execution_id, again.duplicate), (id, true));
}

#[tokio::test]
async fn delays_deadlines_and_cancellations_are_seen_by_who_waits() {
    let rig = Rig::start().await;
    rig.worker().on("fine", || async { "fine" }).start().await.unwrap();
    let later = rig.client.submit("fine", "").delay(Duration::from_secs(5)).await.unwrap().execution_id;
    let never = rig.client.submit("fine", "").lane("nobody").deadline(Duration::from_secs(8)).await.unwrap();
    let error = rig.until(rig.client.wait(later, Duration::from_secs(1))).await.unwrap_err();
    assert_eq!(error.code(), "timeout");
    assert_eq!(rig.outcome(later).await.public_state, PublicState::Completed);
    assert!(rig.clock_ms() >= 5000);
    assert_eq!(rig.outcome(never.execution_id).await.public_state, PublicState::Expired);

    let waits = rig.client.submit("fine", "").lane("nobody").await.unwrap().execution_id;
    rig.client.cancel(waits, "not needed").await.unwrap();
    assert_eq!(rig.outcome(waits).await.public_state, PublicState::Cancelled);
    rig.client.replay(waits, "after all").await.unwrap();
    assert_eq!(rig.client.inspect(waits).await.unwrap().unwrap().public_state, PublicState::Waiting);
}

#[tokio::test]
async fn asking_waits_for_the_commit_and_telling_does_not() {
    let rig = Rig::start().await;
    let id = rig.submit("any", &plain()).await;
    let change = ChangePriority { execution_id: id, new_priority: 7 };
    rig.client.ask(change).await.unwrap();
    let cancel = CancelExecution {
        execution_id: id,
        reason: "told".to_owned(),
        source: CommandSource::OperatorOverride,
        fence: FenceTriple::NONE,
    };
    rig.client.tell(cancel).await.unwrap();
    assert_eq!(rig.outcome(id).await.public_state, PublicState::Cancelled);
}

/// An actor that passes on what it hears.
struct Listener;

impl Actor for Listener {
    type Msg = Received;
    type State = mpsc::UnboundedSender<Received>;
    type Arguments = mpsc::UnboundedSender<Received>;

    async fn pre_start(
        &self,
        _: ActorRef<Received>,
        heard: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(heard)
    }

    async fn handle(
        &self,
        _: ActorRef<Received>,
        received: Received,
        heard: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        heard.send(received)?;
        Ok(())
    }
}

#[tokio::test]
async fn an_actor_hears_events_once_they_are_durable() {
    let rig = Rig::start().await;
    let (heard, mut hears) = mpsc::unbounded_channel();
    let (actor, _) = Actor::spawn(None, Listener, heard).await.unwrap();
    forward_events(rig.client.subscribe().unwrap(), actor, |received| received);
    rig.worker().on("fine", || async { "fine" }).start().await.unwrap();
    let id = rig.submit("fine", &plain()).await;
    rig.outcome(id).await;
    let ended = rig.at_once(async {
        loop {
            let Some(Received::Event(event)) = hears.recv().await else { return None };
            if event.facts.iter().any(|fact| matches!(fact, Fact::Completed { .. })) {
                return Some(event.execution_id);
            }
        }
    });
    assert_eq!(ended.await, Some(id));
}

#[tokio::test]
async fn a_subscriber_that_is_too_slow_is_told_how_many_it_lost() {
    let rig = Rig::start().await;
    let mut events = rig.client.subscribe().unwrap();
    rig.worker().on("fine", || async { "fine" }).start().await.unwrap();
    let many = (0..3000).map(|_| rig.client.submit("fine", ""));
    let answers = rig.until(rig.client.submit_many(many)).await;
    for answer in answers {
        rig.outcome(answer.unwrap().execution_id).await;
    }
    let Received::Lagged(lost) = events.next().await else { panic!("nothing was lost") };
    assert!(lost > 0);
    assert!(matches!(events.next().await, Received::Event(_)));
}
