//! `read_total_attempt_count`: attempts ever, which is the index of the next.

use crate::case::Case;

pub async fn it_counts_attempts_and_not_leases(case: &mut Case) {
    for (id, count) in [
        (case.waiting().await, 0),
        (case.granted().await, 0),
        (case.leased().await.execution.execution_id, 1),
        (case.resumable().await.execution.execution_id, 1),
        (case.completed().await.execution.execution_id, 1),
        (case.reclaimed().await.execution.execution_id, 2),
    ] {
        assert_eq!(case.engine.read_total_attempt_count(id).await, Ok(count));
    }
}

pub async fn it_is_the_index_of_the_next_attempt(case: &mut Case) {
    let id = case.retrying().await.execution.execution_id;
    case.advance(500);
    case.promote(id).await;
    let next = case.engine.read_total_attempt_count(id).await.unwrap();
    let held = case.lease(id).await.execution;
    assert_eq!(held.attempt_index.0, next);
    assert_eq!(case.engine.read_total_attempt_count(id).await, Ok(next + 1));
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    case.code(case.engine.read_total_attempt_count(case.id()).await, "execution_not_found");
    case.code(case.engine.read_total_attempt_count(case.id_in(u16::MAX)).await, "execution_not_found");
}
