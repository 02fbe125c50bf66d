//! Panics, crashes and takeovers: everything comes back through one path.

use crate::fixture::{Fixture, settle};
use leasehold_actors::partition::PartitionMsg;
use leasehold_contract::{Executions, Reads, Work};
use leasehold_core::error::EngineError;
use leasehold_core::state::PublicState;
use leasehold_core::time::TimestampMs;
use leasehold_memory::{CallFault, HeartbeatFault};

#[tokio::test]
async fn a_panicking_partition_is_restarted_with_everything_it_had() {
    let fixture = Fixture::new().await;
    let id = fixture.create().await;
    let mut delayed = fixture.create_args(fixture.id());
    delayed.delay_until = Some(TimestampMs(crate::fixture::START.0 + 1000));
    let delayed_id = delayed.execution_id;
    fixture.engine.create_execution(delayed).await.unwrap();
    fixture.engine.router().routes().get(0).unwrap().send(PartitionMsg::Panic).unwrap();
    settle().await;
    assert_eq!(fixture.claim().await.claimed.execution_id, id);
    fixture.clock.advance(1000);
    settle().await;
    assert_eq!(fixture.claim().await.claimed.execution_id, delayed_id);
}

#[tokio::test]
async fn a_partition_that_keeps_failing_is_released_and_taken_again_later() {
    let fixture = Fixture::new().await;
    for _ in 0..11 {
        settle().await;
        if let Some(handle) = fixture.engine.router().routes().get(0) {
            handle.send(PartitionMsg::Panic).unwrap();
        }
        settle().await;
    }
    let error = fixture.engine.create_execution(fixture.create_args(fixture.id())).await.unwrap_err();
    assert!(matches!(error, EngineError::PartitionUnavailable { partition: 0, .. }));
    fixture.clock.advance(5000);
    settle().await;
    fixture.create().await;
}

#[tokio::test]
async fn a_lost_node_lease_begins_a_new_life_under_a_new_identity() {
    let fixture = Fixture::new().await;
    let id = fixture.create().await;
    let before = fixture.engine.identity();
    fixture.plan.next_heartbeat(HeartbeatFault::Lost);
    fixture.clock.advance(5000);
    settle().await;
    assert_ne!(fixture.engine.identity(), before);
    assert_eq!(fixture.claim().await.claimed.execution_id, id);
}

#[tokio::test]
async fn a_second_node_serves_nothing_while_the_first_lives_and_everything_afterwards() {
    let fixture = Fixture::new().await;
    let id = fixture.create().await;
    let second = fixture.another().await;
    let error = second.create_execution(fixture.create_args(fixture.id())).await.unwrap_err();
    assert!(matches!(error, EngineError::PartitionUnavailable { partition: 0, .. }));
    // Reads need no owner.
    assert_eq!(second.read_execution_state(id).await.unwrap(), Some(PublicState::Waiting));
    fixture.backend.crash();
    fixture.engine.crash().await;
    for _ in 0..5 {
        fixture.clock.advance(5000);
        settle().await;
    }
    second.create_execution(fixture.create_args(fixture.id())).await.unwrap();
    assert_eq!(second.poll_tasks(fixture.poll(8, 1)).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_load_that_fails_is_reported_and_the_next_one_works() {
    let mut fixture = Fixture::new().await;
    let id = fixture.create().await;
    fixture.crash().await;
    fixture.plan.next_read(CallFault::Busy);
    let args = leasehold_contract::CancelExecution {
        execution_id: id,
        reason: "enough".to_owned(),
        source: leasehold_contract::CommandSource::OperatorOverride,
        fence: leasehold_contract::FenceTriple::NONE,
    };
    let error = fixture.engine.cancel_execution(args.clone()).await.unwrap_err();
    assert_eq!(error.code(), "retry_exhausted");
    fixture.engine.cancel_execution(args).await.unwrap();
}

#[tokio::test]
async fn a_wait_for_the_end_survives_the_partitions_panic_as_an_error_not_as_silence() {
    let fixture = Fixture::new().await;
    let id = fixture.create().await;
    let waiting = tokio::spawn({
        let engine = fixture.engine.clone();
        async move { engine.wait_terminal(id, std::time::Duration::from_secs(600)).await }
    });
    settle().await;
    fixture.engine.router().routes().get(0).unwrap().send(PartitionMsg::Panic).unwrap();
    settle().await;
    assert!(waiting.await.unwrap().unwrap_err().is_retryable());
}

#[tokio::test]
async fn a_partition_is_taken_again_by_one_attempt_at_a_time() {
    let fixture = Fixture::new().await;
    fixture.create().await;
    // The first attempt takes longer than until the next heartbeat, which asks for another.
    fixture.plan.next_ownership(CallFault::Delay(6000));
    fixture.engine.router().routes().get(0).unwrap().send(PartitionMsg::Panic).unwrap();
    settle().await;
    fixture.clock.advance(5000);
    settle().await;
    fixture.clock.advance(1000);
    settle().await;
    // Whoever serves it now is not refused by what the other attempt did.
    fixture.create().await;
}

#[tokio::test]
async fn an_attempt_that_fails_while_another_is_asked_for_is_followed_by_it() {
    let fixture = Fixture::new().await;
    fixture.create().await;
    fixture.plan.next_ownership(CallFault::Delay(6000));
    fixture.plan.next_ownership(CallFault::Busy);
    fixture.engine.router().routes().get(0).unwrap().send(PartitionMsg::Panic).unwrap();
    settle().await;
    fixture.clock.advance(5000);
    settle().await;
    fixture.clock.advance(1000);
    settle().await;
    fixture.create().await;
}
