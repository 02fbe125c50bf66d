//! Staged state, held answers, and what a failed commit takes with it.

use crate::fixture::{Fixture, settle, spawn};
use leasehold_backend::Backend;
use leasehold_contract::{CommandSource, CompleteExecution, Executions, FenceTriple, Leases, Reads};
use leasehold_core::error::{EngineError, StateKind};
use leasehold_core::state::PublicState;
use leasehold_memory::{CallFault, CommitFault, LateAfter};

fn complete(task: &leasehold_contract::Task, fence: FenceTriple) -> CompleteExecution {
    CompleteExecution {
        execution_id: task.claimed.execution_id,
        fence,
        attempt_index: None,
        result_payload: None,
        result_encoding: None,
        source: CommandSource::LeaseHolder,
    }
}

#[tokio::test]
async fn an_answer_waits_until_its_commit_is_durable() {
    let fixture = Fixture::new().await;
    fixture.plan.next_commit(CommitFault::DelayBefore(100));
    let (engine, args) = (fixture.engine.clone(), fixture.create_args(fixture.id()));
    let creating = spawn(async move { engine.create_execution(args).await });
    settle().await;
    assert!(!creating.is_finished());
    fixture.clock.advance(100);
    assert!(creating.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_refusal_waits_for_the_change_it_rests_on() {
    let fixture = Fixture::new().await;
    fixture.create().await;
    let task = fixture.claim().await;
    fixture.plan.next_commit(CommitFault::DelayBefore(100));
    let (engine, first) = (fixture.engine.clone(), complete(&task, task.claimed.fence().into()));
    let completing = spawn(async move { engine.complete_execution(first).await });
    settle().await;
    // The execution has ended in memory only; a stranger must not learn that.
    let mut stranger = task.claimed.fence();
    stranger.attempt_id = leasehold_core::ids::AttemptId::from_uuid(fixture.entropy.uuid());
    let (engine, second) = (fixture.engine.clone(), complete(&task, stranger.into()));
    let refused = spawn(async move { engine.complete_execution(second).await });
    settle().await;
    assert!(!refused.is_finished());
    fixture.clock.advance(100);
    assert!(completing.await.unwrap().is_ok());
    assert_eq!(refused.await.unwrap().unwrap_err().code(), "execution_not_active");
}

#[tokio::test]
async fn a_refusal_that_rests_on_a_failed_commit_fails_with_it() {
    let fixture = Fixture::new().await;
    fixture.create().await;
    let task = fixture.claim().await;
    fixture.plan.next_commit(CommitFault::Late(LateAfter::Ms(60_000)));
    let (engine, first) = (fixture.engine.clone(), complete(&task, task.claimed.fence().into()));
    let completing = spawn(async move { engine.complete_execution(first).await });
    let mut stranger = task.claimed.fence();
    stranger.attempt_id = leasehold_core::ids::AttemptId::from_uuid(fixture.entropy.uuid());
    let (engine, second) = (fixture.engine.clone(), complete(&task, stranger.into()));
    let refused = spawn(async move { engine.complete_execution(second).await });
    settle().await;
    assert_eq!(completing.await.unwrap().unwrap_err(), EngineError::OutcomeUnknown { op: "commit" });
    assert_eq!(refused.await.unwrap().unwrap_err(), EngineError::OutcomeUnknown { op: "commit" });
    // The late commit meets a new epoch; the worker's repeat is what counts.
    fixture.clock.advance(5000);
    settle().await;
    fixture.engine.complete_execution(complete(&task, task.claimed.fence().into())).await.unwrap();
}

#[tokio::test]
async fn a_commit_that_landed_unheard_is_acknowledged() {
    let fixture = Fixture::new().await;
    fixture.plan.next_commit(CommitFault::Lost);
    let id = fixture.create().await;
    assert_eq!(fixture.engine.read_execution_state(id).await.unwrap(), Some(PublicState::Waiting));
    // The partition goes on under its new epoch.
    fixture.create().await;
}

#[tokio::test]
async fn a_busy_store_is_tried_again_unchanged() {
    let fixture = Fixture::new().await;
    fixture.plan.next_commit(CommitFault::Busy);
    fixture.plan.next_commit(CommitFault::Busy);
    let (engine, args) = (fixture.engine.clone(), fixture.create_args(fixture.id()));
    let creating = spawn(async move { engine.create_execution(args).await });
    for _ in 0..3 {
        settle().await;
        fixture.clock.advance(20);
    }
    assert!(creating.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_store_that_stays_busy_is_reported_and_loses_nothing() {
    let fixture = Fixture::new().await;
    for _ in 0..8 {
        fixture.plan.next_commit(CommitFault::Busy);
    }
    let id = fixture.id();
    let (engine, args) = (fixture.engine.clone(), fixture.create_args(id));
    let creating = spawn(async move { engine.create_execution(args).await });
    while !creating.is_finished() {
        settle().await;
        fixture.clock.advance(1000);
    }
    assert_eq!(creating.await.unwrap().unwrap_err().code(), "retry_exhausted");
    assert_eq!(fixture.engine.read_execution_state(id).await.unwrap(), None);
    fixture.engine.create_execution(fixture.create_args(id)).await.unwrap();
}

#[tokio::test]
async fn one_command_the_store_chokes_on_fails_alone() {
    let fixture = Fixture::new().await;
    let bad = fixture.id();
    fixture.plan.poison(bad);
    // A commit in flight gathers the others into one batch behind it.
    fixture.plan.next_commit(CommitFault::DelayBefore(50));
    let (engine, args) = (fixture.engine.clone(), fixture.create_args(fixture.id()));
    let first = spawn(async move { engine.create_execution(args).await });
    settle().await;
    let ids: Vec<_> = (0..5).map(|index| if index == 2 { bad } else { fixture.id() }).collect();
    let creating: Vec<_> = ids
        .iter()
        .map(|id| {
            let (engine, args) = (fixture.engine.clone(), fixture.create_args(*id));
            spawn(async move { engine.create_execution(args).await })
        })
        .collect();
    settle().await;
    fixture.clock.advance(50);
    first.await.unwrap().unwrap();
    for (id, creating) in ids.iter().zip(creating) {
        assert_eq!(creating.await.unwrap().is_ok(), *id != bad, "{id}");
    }
    fixture.create().await;
}

#[tokio::test]
async fn a_command_that_goes_alone_and_cannot_be_loaded_keeps_nobody_waiting() {
    let fixture = Fixture::new().await;
    let bad = fixture.id();
    fixture.plan.poison(bad);
    fixture.plan.next_commit(CommitFault::DelayBefore(50));
    let ids = [fixture.id(), bad, fixture.id(), fixture.id()];
    let creating: Vec<_> = ids
        .iter()
        .map(|id| {
            let (engine, args) = (fixture.engine.clone(), fixture.create_args(*id));
            spawn(async move { engine.create_execution(args).await })
        })
        .collect();
    settle().await;
    // What the new start reads comes through; the load for the first command
    // that goes alone does not.
    for fault in [CallFault::Delay(0); 5].into_iter().chain([CallFault::Busy]) {
        fixture.plan.next_read(fault);
    }
    fixture.clock.advance(50);
    settle().await;
    assert!(creating.iter().all(tokio::task::JoinHandle::is_finished));
    let mut codes = Vec::new();
    for creating in creating {
        codes.push(creating.await.unwrap().map_or_else(|error| error.code(), |_| "created"));
    }
    codes.sort_unstable();
    // The first of them is the one the store chokes on; it did not come to that.
    assert_eq!(codes, ["created", "created", "created", "retry_exhausted"]);
    fixture.create().await;
}

#[tokio::test]
async fn an_owner_that_was_shut_out_stops_and_says_so() {
    let fixture = Fixture::new().await;
    let id = fixture.create().await;
    // Somebody else takes the partition behind the owner's back.
    let thief = leasehold_core::ids::NodeId::from_uuid(fixture.entropy.uuid());
    let backend = leasehold_memory::MemoryBackend::new(fixture.store.clone(), fixture.clock.clone());
    backend.register_node(thief, 60_000).await.unwrap();
    let owner = fixture.engine.identity().unwrap();
    backend.bury_node(owner, true).await.unwrap();
    assert_eq!(backend.take_partitions(thief, 7, &[0], 0).await.unwrap().len(), 1);
    let error = fixture.engine.create_execution(fixture.create_args(fixture.id())).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let epoch_of_the_thief_holds = fixture.engine.create_execution(fixture.create_args(id)).await;
    assert!(matches!(epoch_of_the_thief_holds, Err(EngineError::PartitionUnavailable { partition: 0, .. })));
}

#[tokio::test]
async fn a_stale_fence_is_refused_whatever_part_of_it_is_wrong() {
    let fixture = Fixture::new().await;
    fixture.create().await;
    let task = fixture.claim().await;
    let mut wrong = task.claimed.fence();
    wrong.lease_id = leasehold_core::ids::LeaseId::from_uuid(fixture.entropy.uuid());
    let error = fixture.engine.complete_execution(complete(&task, wrong.into())).await.unwrap_err();
    assert_eq!(error, EngineError::from(StateKind::StaleLease));
}
