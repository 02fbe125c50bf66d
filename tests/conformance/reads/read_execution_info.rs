//! `read_execution_info`: all dimensions of an execution.

use crate::case::Case;
use leasehold_contract::{AdmissionBlock, ExecutionInfo};
use leasehold_core::ids::{AttemptIndex, LaneId, Namespace};
use leasehold_core::state::PublicState;
use leasehold_tests::harness::act::completion;
use leasehold_tests::harness::{LANE, NAMESPACE};

pub async fn a_new_execution_shows_what_it_was_created_with(case: &mut Case) {
    let id = case.created(|args| args.priority = 9001).await;
    let expected = ExecutionInfo {
        execution_id: id,
        namespace: Namespace::new(NAMESPACE),
        lane_id: LaneId::new(LANE),
        priority: 9000,
        execution_kind: "send".to_owned(),
        state_vector: *case.record(id).await.vector(),
        public_state: PublicState::Waiting,
        created_at: case.now().to_string(),
        started_at: None,
        completed_at: None,
        current_attempt_index: AttemptIndex(0),
        flow_id: None,
        blocking_detail: String::new(),
    };
    assert_eq!(case.engine.read_execution_info(id).await, Ok(Some(expected)));
}

pub async fn start_and_end_show_once_they_have_been(case: &mut Case) {
    let id = case.waiting().await;
    case.advance(5);
    let started_at = case.now().to_string();
    let held = case.lease(id).await.execution;
    let info = case.engine.read_execution_info(id).await.unwrap().unwrap();
    assert_eq!(
        (info.public_state, info.started_at.as_ref(), info.completed_at),
        (PublicState::Active, Some(&started_at), None)
    );
    case.advance(5);
    case.engine.complete_execution(completion(&held)).await.unwrap();
    let info = case.engine.read_execution_info(id).await.unwrap().unwrap();
    assert_eq!((info.started_at, info.completed_at), (Some(started_at), Some(case.now().to_string())));
    assert_eq!(info.state_vector, *case.record(id).await.vector());
}

pub async fn the_index_is_that_of_the_last_attempt(case: &mut Case) {
    let id = case.reclaimed().await.execution.execution_id;
    let info = case.engine.read_execution_info(id).await.unwrap().unwrap();
    assert_eq!(info.current_attempt_index, AttemptIndex(1));
}

pub async fn a_block_shows_its_detail(case: &mut Case) {
    let id = case.blocked(AdmissionBlock::PausedByOperator).await;
    let info = case.engine.read_execution_info(id).await.unwrap().unwrap();
    assert_eq!((info.blocking_detail.as_str(), info.public_state), ("held", PublicState::Waiting));
}

pub async fn an_unknown_execution_gives_none(case: &mut Case) {
    assert_eq!(case.engine.read_execution_info(case.id()).await, Ok(None));
}
