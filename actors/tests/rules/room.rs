//! A store that runs out of room while new work and the ends of running work
//! travel together.

use crate::fixture::{Fixture, settle, spawn};
use leasehold_actors::EngineHandle;
use leasehold_contract::{CommandSource, CompleteExecution, EngineResult, Executions, Leases, Reads, Task, Work};
use leasehold_core::error::EngineError;
use leasehold_core::ids::ExecutionId;
use leasehold_core::partition::PartitionConfig;
use leasehold_core::state::PublicState;
use leasehold_memory::{CallFault, CommitFault};
use tokio::task::JoinHandle;

/// A node with eight partitions.
async fn fixture() -> Fixture {
    Fixture::with(|options| {
        options.partitions = PartitionConfig { num_flow_partitions: 8, ..PartitionConfig::default() };
    })
    .await
}

fn id(fixture: &Fixture, partition: u16) -> ExecutionId {
    ExecutionId::from_parts(partition, fixture.entropy.uuid())
}

/// Executions under lease, one per partition asked for.
async fn running(fixture: &Fixture, partitions: &[u16]) -> Vec<Task> {
    let mut tasks = Vec::new();
    for &partition in partitions {
        fixture.engine.create_execution(fixture.create_args(id(fixture, partition))).await.unwrap();
        tasks.push(fixture.claim().await);
    }
    tasks
}

fn completing(engine: &EngineHandle, task: &Task) -> JoinHandle<EngineResult<()>> {
    let engine = engine.clone();
    let args = CompleteExecution {
        execution_id: task.claimed.execution_id,
        fence: task.claimed.fence().into(),
        attempt_index: None,
        result_payload: None,
        result_encoding: None,
        source: CommandSource::LeaseHolder,
    };
    spawn(async move { engine.complete_execution(args).await.map(drop) })
}

fn creating(fixture: &Fixture, id: ExecutionId) -> JoinHandle<EngineResult<()>> {
    let (engine, args) = (fixture.engine.clone(), fixture.create_args(id));
    spawn(async move { engine.create_execution(args).await.map(drop) })
}

/// Holds the committer up, so that what comes next goes out together.
async fn hold_up(fixture: &Fixture, partition: u16) -> JoinHandle<EngineResult<()>> {
    fixture.plan.next_commit(CommitFault::DelayBefore(50));
    let first = creating(fixture, id(fixture, partition));
    settle().await;
    first
}

fn refused_for_room(outcome: &EngineResult<()>) -> bool {
    matches!(outcome, Err(EngineError::ResourceExhausted { pool: "store", retry_after_ms: Some(_), .. }))
}

#[tokio::test]
async fn completions_staged_with_creates_go_through_when_the_creates_find_no_room() {
    let fixture = fixture().await;
    let tasks = running(&fixture, &[1, 1, 2]).await;
    let first = hold_up(&fixture, 1).await;
    // In one partition with completions, between two of them, and in one of
    // its own.
    let creates = [1, 1, 3].map(|partition| id(&fixture, partition));
    let completions: Vec<_> = tasks.iter().map(|task| completing(&fixture.engine, task)).collect();
    let creates_under_way: Vec<_> = creates.iter().map(|id| creating(&fixture, *id)).collect();
    settle().await;
    let commits = fixture.plan.injected();
    fixture.plan.no_room(true);
    fixture.clock.advance(50);

    first.await.unwrap().unwrap();
    for completion in completions {
        completion.await.unwrap().unwrap();
    }
    for create in creates_under_way {
        let outcome = create.await.unwrap();
        assert!(refused_for_room(&outcome), "{outcome:?}");
    }
    for task in &tasks {
        let state = fixture.engine.read_execution_state(task.claimed.execution_id).await.unwrap();
        assert_eq!(state, Some(PublicState::Completed));
    }
    for id in creates {
        assert_eq!(fixture.engine.read_execution_state(id).await.unwrap(), None);
    }
    // The store had to refuse once, not once per create.
    let refusals = |counts: &std::collections::BTreeMap<&'static str, u64>| counts.get("commit_full").copied();
    assert_eq!((refusals(&commits), refusals(&fixture.plan.injected())), (None, Some(1)));

    fixture.plan.no_room(false);
    fixture.engine.create_execution(fixture.create_args(creates[0])).await.unwrap();
}

#[tokio::test]
async fn a_claim_staged_with_a_create_is_delivered_when_the_create_finds_no_room() {
    let fixture = fixture().await;
    let waiting = id(&fixture, 1);
    fixture.engine.create_execution(fixture.create_args(waiting)).await.unwrap();
    let first = hold_up(&fixture, 1).await;
    let (engine, poll) = (fixture.engine.clone(), fixture.poll(1, 10_000));
    let claiming = spawn(async move { engine.poll_tasks(poll).await });
    settle().await;
    let create = creating(&fixture, id(&fixture, 1));
    settle().await;
    fixture.plan.no_room(true);
    fixture.clock.advance(50);
    first.await.unwrap().unwrap();
    assert!(refused_for_room(&create.await.unwrap()));
    let tasks = claiming.await.unwrap().unwrap();
    assert_eq!(tasks.len(), 1);
    completing(&fixture.engine, &tasks[0]).await.unwrap().unwrap();
}

#[tokio::test]
async fn without_a_create_a_full_store_fails_the_one_command_it_refuses() {
    let fixture = fixture().await;
    let tasks = running(&fixture, &[1]).await;
    fixture.plan.next_commit(CommitFault::Full);
    let outcome = completing(&fixture.engine, &tasks[0]).await.unwrap();
    assert!(refused_for_room(&outcome), "{outcome:?}");
    // The lease stands, and so does the repeat.
    completing(&fixture.engine, &tasks[0]).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_create_past_the_router_meets_the_word_of_the_store_that_it_is_full() {
    let fixture = fixture().await;
    fixture.plan.next_read(CallFault::Delay(50));
    let create = creating(&fixture, id(&fixture, 1));
    settle().await;
    // The router let it pass; now its records are on their way.
    fixture.plan.no_room(true);
    fixture.plan.full(true);
    fixture.clock.advance(50);
    assert!(refused_for_room(&create.await.unwrap()));
    assert_eq!(fixture.plan.injected().get("read_delay"), Some(&1));
    assert_eq!(fixture.plan.injected().get("commit_full"), None);
}
