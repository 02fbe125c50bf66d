//! The lease table: renewals from memory, promises, inheritance.

use crate::fixture::{Fixture, START, settle};
use leasehold_backend::Backend;
use leasehold_contract::{Executions, Leases, Reads, RenewLease, Task, Work};
use leasehold_core::record::RecordKey;
use leasehold_core::state::PublicState;

fn renew(task: &Task, lease_ttl_ms: u64) -> RenewLease {
    RenewLease {
        execution_id: task.claimed.execution_id,
        attempt_index: task.claimed.attempt_index,
        fence: task.claimed.fence().into(),
        lease_ttl_ms,
    }
}

async fn stored_expiry(fixture: &Fixture, task: &Task) -> i64 {
    let key = RecordKey::Execution(task.claimed.execution_id.uuid());
    let loaded = fixture.backend.load(0, &[key], &[]).await.unwrap();
    let execution = loaded.records[0].as_ref().unwrap().as_execution().unwrap().clone();
    execution.lease.as_ref().unwrap().expires_at.0 - START.0
}

#[tokio::test]
async fn an_early_renewal_is_answered_from_memory_and_stored_within_half_a_ttl() {
    let fixture = Fixture::new().await;
    fixture.create().await;
    let task = fixture.claim().await;
    fixture.clock.advance(3000);
    let renewed = fixture.engine.renew_lease(renew(&task, 9000)).await.unwrap();
    assert_eq!(renewed.expires_at.0 - START.0, 12_000);
    assert_eq!(stored_expiry(&fixture, &task).await, 9000);
    let snapshot = fixture.engine.describe_execution(task.claimed.execution_id).await.unwrap().unwrap();
    assert_eq!(snapshot.current_lease.unwrap().expires_at, renewed.expires_at);
    settle().await;
    fixture.clock.advance(1500);
    settle().await;
    assert_eq!(stored_expiry(&fixture, &task).await, 12_000, "stored as promised, no later");
}

#[tokio::test]
async fn a_changed_ttl_is_stored_before_it_is_promised() {
    let fixture = Fixture::new().await;
    fixture.create().await;
    let task = fixture.claim().await;
    fixture.clock.advance(10);
    let renewed = fixture.engine.renew_lease(renew(&task, 600_000)).await.unwrap();
    assert_eq!(renewed.expires_at.0 - START.0, 600_010);
    assert_eq!(stored_expiry(&fixture, &task).await, 600_010);
}

#[tokio::test]
async fn a_renewed_lease_outlives_its_first_ttl_and_lapses_after_the_last_promise() {
    let fixture = Fixture::new().await;
    let id = fixture.create().await;
    let task = fixture.claim().await;
    fixture.clock.advance(4000);
    fixture.engine.renew_lease(renew(&task, 9000)).await.unwrap();
    settle().await;
    fixture.clock.advance(6000);
    settle().await;
    assert_eq!(fixture.engine.claim_nothing(&fixture).await, 0);
    fixture.clock.advance(8000);
    settle().await;
    assert_eq!(fixture.engine.claim_nothing(&fixture).await, 1);
    assert_eq!(fixture.engine.read_execution_state(id).await.unwrap(), Some(PublicState::Active));
}

trait Nothing {
    async fn claim_nothing(&self, fixture: &Fixture) -> usize;
}

impl Nothing for leasehold_actors::EngineHandle {
    async fn claim_nothing(&self, fixture: &Fixture) -> usize {
        let polling = tokio::spawn({
            let (engine, poll) = (self.clone(), fixture.poll(4, 1));
            async move { engine.poll_tasks(poll).await.unwrap().len() }
        });
        settle().await;
        fixture.clock.advance(1);
        polling.await.unwrap()
    }
}

#[tokio::test]
async fn a_takeover_keeps_a_promise_it_does_not_know_and_no_longer() {
    let mut fixture = Fixture::new().await;
    fixture.create().await;
    let mut poll = fixture.poll(1, 1000);
    poll.lease_ttl_ms = 60_000;
    let task = fixture.engine.poll_tasks(poll).await.unwrap().pop().unwrap();
    fixture.pass(29).await;
    // Answered from memory: durable expiry stays at 60 s.
    let renewed = fixture.engine.renew_lease(renew(&task, 60_000)).await.unwrap();
    assert_eq!(renewed.expires_at.0 - START.0, 89_000);
    fixture.crash().await;
    fixture.crash().await;
    // 79 s: past the durable expiry, within the promise, and all that lapsed has been offered.
    fixture.pass(10).await;
    assert_eq!(fixture.engine.claim_nothing(&fixture).await, 0);
    fixture.pass(42).await;
    assert_eq!(
        fixture.engine.claim_nothing(&fixture).await,
        1,
        "due at durable expiry plus ttl, whatever the takeovers"
    );
}

#[tokio::test]
async fn a_node_without_its_own_lease_answers_no_renewal_from_memory() {
    let fixture = Fixture::with(|options| options.heartbeat_every = std::time::Duration::from_secs(3600)).await;
    fixture.create().await;
    let mut poll = fixture.poll(1, 1000);
    poll.lease_ttl_ms = 600_000;
    let task = fixture.engine.poll_tasks(poll).await.unwrap().pop().unwrap();
    fixture.clock.advance(20_000);
    let renewed = fixture.engine.renew_lease(renew(&task, 600_000)).await.unwrap();
    assert_eq!(stored_expiry(&fixture, &task).await, renewed.expires_at.0 - START.0);
}

#[tokio::test]
async fn an_undelivered_task_is_given_back_without_counting_as_a_reclaim() {
    let fixture = Fixture::new().await;
    let polling = tokio::spawn({
        let (engine, poll) = (fixture.engine.clone(), fixture.poll(1, 60_000));
        async move { engine.poll_tasks(poll).await }
    });
    settle().await;
    fixture.plan.next_commit(leasehold_memory::CommitFault::DelayBefore(50));
    let create = tokio::spawn({
        let (engine, args) = (fixture.engine.clone(), fixture.create_args(fixture.id()));
        async move { engine.create_execution(args).await }
    });
    settle().await;
    // The creation and the claim are on their way to the store when the poll
    // hangs up.
    polling.abort();
    settle().await;
    fixture.clock.advance(50);
    create.await.unwrap().unwrap();
    settle().await;
    // Given back with a delay until now, which its timer ends.
    fixture.clock.advance(1);
    settle().await;
    let task = fixture.claim().await;
    assert_eq!(task.lease_reclaim_count, 0);
    assert_eq!(task.claimed.attempt_index.0, 0);
}
