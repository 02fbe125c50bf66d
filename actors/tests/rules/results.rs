//! The result of an execution, told together with its end.

use crate::fixture::{Fixture, settle, spawn};
use bytes::Bytes;
use leasehold_contract::{CommandSource, CompleteExecution, EngineResult, Leases, Task};
use leasehold_core::ids::ExecutionId;
use leasehold_core::state::PublicState;
use leasehold_memory::CommitFault;
use std::time::Duration;
use tokio::task::JoinHandle;

const SMALL: Bytes = Bytes::from_static(b"done");

/// A result that does not fit into the record.
const LARGE: Bytes = Bytes::from_static(&[7; 10_000]);

const WAIT: Duration = Duration::from_mins(1);

type Outcome = EngineResult<Option<(PublicState, Option<Bytes>)>>;

fn waiting(fixture: &Fixture, id: ExecutionId) -> JoinHandle<Outcome> {
    let engine = fixture.engine.clone();
    spawn(async move { engine.wait_outcome(id, WAIT).await })
}

fn completing(fixture: &Fixture, task: &Task, result: Option<Bytes>) -> JoinHandle<EngineResult<()>> {
    let complete = CompleteExecution {
        execution_id: task.claimed.execution_id,
        fence: task.claimed.fence().into(),
        attempt_index: None,
        result_payload: result,
        result_encoding: None,
        source: CommandSource::LeaseHolder,
    };
    let engine = fixture.engine.clone();
    spawn(async move { engine.complete_execution(complete).await.map(drop) })
}

#[tokio::test]
async fn a_small_result_comes_with_the_end_and_without_a_read() {
    for result in [Some(SMALL), None] {
        let fixture = Fixture::new().await;
        let id = fixture.create().await;
        let task = fixture.claim().await;
        let waiting = waiting(&fixture, id);
        settle().await;
        fixture.no_reads();
        completing(&fixture, &task, result.clone()).await.unwrap().unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(Some((PublicState::Completed, result))));
    }
}

#[tokio::test]
async fn a_large_result_is_read_from_the_store() {
    let fixture = Fixture::new().await;
    let id = fixture.create().await;
    let task = fixture.claim().await;
    let waiting = waiting(&fixture, id);
    settle().await;
    completing(&fixture, &task, Some(LARGE)).await.unwrap().unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(Some((PublicState::Completed, Some(LARGE)))));
    fixture.no_reads();
    fixture.engine.wait_outcome(id, WAIT).await.unwrap_err();
}

#[tokio::test]
async fn an_end_is_told_when_it_is_durable() {
    let fixture = Fixture::new().await;
    let id = fixture.create().await;
    let task = fixture.claim().await;
    let waiting = waiting(&fixture, id);
    fixture.plan.next_commit(CommitFault::DelayBefore(100));
    let completing = completing(&fixture, &task, Some(SMALL));
    settle().await;
    assert!(!waiting.is_finished());
    fixture.clock.advance(100);
    completing.await.unwrap().unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(Some((PublicState::Completed, Some(SMALL)))));
}

#[tokio::test]
async fn whoever_asks_after_the_end_is_told_at_once_and_whoever_asks_too_early_after_the_time() {
    let fixture = Fixture::new().await;
    let id = fixture.create().await;
    let task = fixture.claim().await;
    assert_eq!(fixture.engine.wait_outcome(id, Duration::ZERO).await, Ok(None));
    completing(&fixture, &task, Some(SMALL)).await.unwrap().unwrap();
    let told = fixture.engine.wait_outcome(id, Duration::ZERO).await;
    assert_eq!(told, Ok(Some((PublicState::Completed, Some(SMALL)))));
}
