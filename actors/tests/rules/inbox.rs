//! What outside writers leave in the inbox.

use crate::fixture::{Fixture, settle, spawn};
use leasehold_backend::Backend;
use leasehold_contract::{
    CancelExecution, CommandSource, EngineError, Executions, FenceTriple, Maintenance, Reads, Work,
};
use leasehold_core::event::Fact;
use leasehold_core::ids::ExecutionId;
use leasehold_core::inbox::encode;
use leasehold_core::state::PublicState;
use leasehold_memory::{CallFault, CommitFault, inbox};
use std::time::Duration;

const SWEEP_MS: u64 = 1500;

async fn fixture() -> Fixture {
    let fixture = Fixture::open_to_outside_writers().await;
    settle().await;
    fixture
}

fn leave(fixture: &Fixture) -> ExecutionId {
    inbox::create(&fixture.store, &fixture.create_args(fixture.id())).unwrap()
}

async fn left(fixture: &Fixture) -> usize {
    fixture.backend.inbox(None, 1000).await.unwrap().len()
}

/// Executions in the store, whatever the inbox holds.
async fn stored(fixture: &Fixture) -> usize {
    fixture.backend.list_executions(0, None, 1000).await.unwrap().len()
}

async fn refusals(fixture: &Fixture) -> Vec<String> {
    let events = fixture.backend.read_events(0, None, 1000).await.unwrap();
    let facts = events.into_iter().flat_map(|logged| logged.event.facts);
    facts
        .filter_map(|fact| match fact {
            Fact::CreateRefused { code, .. } => Some(code),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn what_is_announced_is_taken_in_without_time_passing() {
    let fixture = fixture().await;
    leave(&fixture);
    fixture.engine.announce();
    settle().await;
    assert_eq!((left(&fixture).await, stored(&fixture).await), (0, 1));
}

#[tokio::test]
async fn a_hint_of_the_store_is_as_good_as_an_announcement() {
    let fixture = fixture().await;
    leave(&fixture);
    inbox::announce(&fixture.store);
    settle().await;
    assert_eq!((left(&fixture).await, stored(&fixture).await), (0, 1));
}

#[tokio::test]
async fn what_is_not_announced_is_found_by_the_next_sweep() {
    let fixture = fixture().await;
    leave(&fixture);
    fixture.clock.advance(SWEEP_MS - 1);
    settle().await;
    assert_eq!((left(&fixture).await, stored(&fixture).await), (1, 0));
    fixture.clock.advance(1);
    settle().await;
    assert_eq!((left(&fixture).await, stored(&fixture).await), (0, 1));
}

#[tokio::test]
async fn a_worker_gets_what_was_left() {
    let fixture = fixture().await;
    let id = leave(&fixture);
    fixture.engine.announce();
    let task = fixture.claim().await;
    assert_eq!((task.claimed.execution_id, &task.payload[..]), (id, &b"payload"[..]));
}

#[tokio::test]
async fn a_store_without_outside_writers_is_never_looked_through() {
    let fixture = Fixture::new().await;
    settle().await;
    fixture.engine.announce();
    settle().await;
    // A fault that waits for a read finds none.
    fixture.plan.next_read(CallFault::Busy);
    fixture.clock.advance(4 * SWEEP_MS - 2000);
    settle().await;
    assert!(fixture.plan.injected().is_empty(), "{:?}", fixture.plan.injected());
}

#[tokio::test]
async fn what_was_left_while_no_node_lived_is_taken_in_by_the_next() {
    let mut fixture = fixture().await;
    fixture.backend.crash();
    let ids = [leave(&fixture), leave(&fixture)];
    fixture.crash().await;
    settle().await;
    assert_eq!((left(&fixture).await, stored(&fixture).await), (0, 2));
    for id in ids {
        assert_eq!(fixture.engine.read_execution_state(id).await, Ok(Some(PublicState::Waiting)));
    }
}

#[tokio::test]
async fn a_crash_on_either_side_of_the_commit_neither_loses_nor_doubles() {
    for point in [leasehold_memory::CrashPoint::BeforeCommit, leasehold_memory::CrashPoint::AfterCommit] {
        let mut fixture = fixture().await;
        let id = leave(&fixture);
        fixture.plan.next_commit(CommitFault::Crash(point));
        fixture.engine.announce();
        settle().await;
        assert!(fixture.plan.take_crash().is_some());
        fixture.crash().await;
        fixture.pass(2).await;
        assert_eq!((left(&fixture).await, stored(&fixture).await), (0, 1), "{point:?}");
        assert_eq!(fixture.engine.read_execution_state(id).await, Ok(Some(PublicState::Waiting)));
    }
}

#[tokio::test]
async fn an_outcome_nobody_knows_neither_loses_nor_doubles() {
    for fault in [CommitFault::Lost, CommitFault::Busy, CommitFault::Permanent] {
        let fixture = fixture().await;
        leave(&fixture);
        fixture.plan.next_commit(fault);
        fixture.engine.announce();
        fixture.pass(5).await;
        assert_eq!((left(&fixture).await, stored(&fixture).await), (0, 1), "{fault:?}");
        assert_eq!(refusals(&fixture).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_failed_look_is_repeated() {
    let fixture = fixture().await;
    leave(&fixture);
    fixture.plan.next_read(CallFault::Busy);
    fixture.engine.announce();
    settle().await;
    assert_eq!(left(&fixture).await, 1);
    fixture.clock.advance(SWEEP_MS);
    settle().await;
    assert_eq!(left(&fixture).await, 0);
}

#[tokio::test]
async fn many_entries_are_taken_in_at_one_hint() {
    let fixture = fixture().await;
    for _ in 0..900 {
        leave(&fixture);
    }
    fixture.engine.announce();
    for _ in 0..20 {
        settle().await;
    }
    assert_eq!((left(&fixture).await, stored(&fixture).await), (0, 900));
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_leaves_with_an_event_and_holds_nobody_up() {
    let fixture = fixture().await;
    inbox::put(&fixture.store, fixture.id(), b"nonsense".to_vec());
    let good = leave(&fixture);
    fixture.engine.announce();
    settle().await;
    assert_eq!(left(&fixture).await, 0);
    assert_eq!(refusals(&fixture).await, ["corruption"]);
    assert_eq!(fixture.engine.read_execution_state(good).await, Ok(Some(PublicState::Waiting)));
}

#[tokio::test]
async fn an_entry_of_a_partition_that_does_not_exist_holds_nobody_up() {
    let fixture = fixture().await;
    let nowhere = ExecutionId::from_parts(7, fixture.entropy.uuid());
    inbox::put(&fixture.store, nowhere, encode(&fixture.create_args(nowhere)).unwrap());
    leave(&fixture);
    fixture.engine.announce();
    settle().await;
    assert_eq!((left(&fixture).await, stored(&fixture).await), (1, 1));
}

#[tokio::test]
async fn what_the_store_refuses_for_good_stays_and_holds_nobody_up() {
    let fixture = fixture().await;
    let poisoned = leave(&fixture);
    fixture.plan.poison(poisoned);
    leave(&fixture);
    fixture.engine.announce();
    fixture.pass(6).await;
    leave(&fixture);
    fixture.pass(6).await;
    assert_eq!((left(&fixture).await, stored(&fixture).await), (1, 2));
    fixture.plan.cure(poisoned);
    fixture.pass(60).await;
    assert_eq!((left(&fixture).await, stored(&fixture).await), (0, 3));
}

#[tokio::test]
async fn a_key_stands_for_one_execution_whoever_creates_it() {
    let fixture = fixture().await;
    let mut args = fixture.create_args(fixture.id());
    args.idempotency_key = Some("once".into());
    let first = args.execution_id;
    inbox::create(&fixture.store, &args).unwrap();
    args.execution_id = fixture.id();
    inbox::create(&fixture.store, &args).unwrap();
    fixture.engine.announce();
    settle().await;
    args.execution_id = fixture.id();
    assert_eq!(fixture.engine.create_execution(args).await.unwrap().execution_id(), first);
    assert_eq!((left(&fixture).await, stored(&fixture).await), (0, 1));
}

#[tokio::test]
async fn a_read_by_id_sees_what_was_committed_before_any_sweep() {
    let fixture = fixture().await;
    let ids: Vec<_> = (0..4).map(|_| leave(&fixture)).collect();
    assert_eq!(fixture.engine.read_execution_state(ids[0]).await, Ok(Some(PublicState::Waiting)));
    let snapshot = fixture.engine.describe_execution(ids[1]).await.unwrap().expect("it exists");
    assert_eq!(snapshot.public_state, PublicState::Waiting);
    let context = fixture.engine.read_execution_context(ids[2]).await.unwrap();
    assert_eq!(&context.input_payload[..], b"payload");
    assert_eq!((left(&fixture).await, stored(&fixture).await), (1, 3));
    assert_eq!(fixture.engine.read_execution_state(fixture.id()).await, Ok(None));
}

#[tokio::test]
async fn a_command_by_id_finds_what_was_committed_before_any_sweep() {
    let fixture = fixture().await;
    let cancel = |execution_id| CancelExecution {
        execution_id,
        reason: "changed my mind".to_owned(),
        source: CommandSource::OperatorOverride,
        fence: FenceTriple::NONE,
    };
    let id = leave(&fixture);
    fixture.engine.cancel_execution(cancel(id)).await.unwrap();
    assert_eq!(fixture.engine.read_execution_state(id).await, Ok(Some(PublicState::Cancelled)));
    let missing = fixture.engine.cancel_execution(cancel(fixture.id())).await.unwrap_err();
    assert_eq!(missing, EngineError::execution_not_found());
}

#[tokio::test]
async fn a_waiter_finds_what_was_committed_before_any_sweep() {
    let fixture = fixture().await;
    let id = leave(&fixture);
    let engine = fixture.engine.clone();
    let waiting = spawn(async move { engine.wait_terminal(id, Duration::from_secs(60)).await });
    settle().await;
    let task = fixture.claim().await;
    let handle = task.claimed.handle(leasehold_core::handle::BackendTag::Memory);
    leasehold_contract::Leases::complete(&fixture.engine, &handle, None).await.unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(Some(PublicState::Completed)));
}

#[tokio::test]
async fn a_node_that_drains_leaves_the_inbox_alone() {
    let fixture = fixture().await;
    fixture.engine.shutdown_prepare(Duration::from_secs(1)).await.unwrap();
    leave(&fixture);
    fixture.engine.announce();
    settle().await;
    assert_eq!((left(&fixture).await, stored(&fixture).await), (1, 0));
    fixture.engine.router().undrain();
    fixture.clock.advance(SWEEP_MS);
    settle().await;
    assert_eq!(left(&fixture).await, 0);
}

#[tokio::test]
async fn a_full_store_leaves_the_inbox_alone() {
    let fixture = fixture().await;
    fixture.plan.full(true);
    leave(&fixture);
    fixture.engine.announce();
    settle().await;
    assert_eq!(left(&fixture).await, 1);
    fixture.plan.full(false);
    fixture.clock.advance(SWEEP_MS);
    settle().await;
    assert_eq!(left(&fixture).await, 0);
}
