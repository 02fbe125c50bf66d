//! `get_execution_result`: what the last completion left.

use crate::case::Case;
use bytes::Bytes;
use leasehold_core::state::TerminalOutcome;

pub async fn a_result_is_read_as_it_was_given(case: &mut Case) {
    for size in [0, 1, 256, 257, 1 << 20] {
        let held = case.leased().await;
        let id = held.execution.execution_id;
        let result = Bytes::from(vec![7; size]);
        case.engine.complete(&held.handle, Some(result.clone())).await.unwrap();
        assert_eq!(case.engine.get_execution_result(id).await, Ok(Some(result)), "{size} bytes");
    }
}

pub async fn a_result_outlives_the_engine(case: &mut Case) {
    let small = case.leased().await;
    let large = case.leased().await;
    case.engine.complete(&small.handle, Some(Bytes::from_static(b"small"))).await.unwrap();
    case.engine.complete(&large.handle, Some(Bytes::from(vec![1; 5000]))).await.unwrap();
    case.kill().await;
    let read = async |held: &leasehold_contract::Claimed| {
        case.engine.get_execution_result(held.execution.execution_id).await.unwrap()
    };
    assert_eq!(read(&small).await, Some(Bytes::from_static(b"small")));
    assert_eq!(read(&large).await, Some(Bytes::from(vec![1; 5000])));
}

pub async fn without_one_there_is_none(case: &mut Case) {
    let waiting = case.waiting().await;
    let running = case.leased().await.execution.execution_id;
    let failed = case.ended(TerminalOutcome::Failed).await.execution.execution_id;
    let completed = case.completed().await.execution.execution_id;
    for id in [waiting, running, failed, completed, case.id(), case.id_in(u16::MAX)] {
        assert_eq!(case.engine.get_execution_result(id).await, Ok(None));
    }
}
