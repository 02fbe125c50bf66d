//! `read_current_attempt_index`: which attempt runs or ran last.

use crate::case::Case;
use leasehold_core::ids::AttemptIndex;

pub async fn it_points_to_the_live_or_last_attempt(case: &mut Case) {
    for (id, index) in [
        (case.waiting().await, 0),
        (case.leased().await.execution.execution_id, 0),
        (case.resumable().await.execution.execution_id, 0),
        (case.retrying().await.execution.execution_id, 0),
        (case.completed().await.execution.execution_id, 0),
        (case.reclaimed().await.execution.execution_id, 1),
    ] {
        assert_eq!(case.engine.read_current_attempt_index(id).await, Ok(AttemptIndex(index)));
    }
}

pub async fn it_follows_each_new_attempt(case: &mut Case) {
    let id = case.retrying().await.execution.execution_id;
    case.advance(500);
    case.promote(id).await;
    assert_eq!(case.engine.read_current_attempt_index(id).await, Ok(AttemptIndex(0)));
    case.lease(id).await;
    assert_eq!(case.engine.read_current_attempt_index(id).await, Ok(AttemptIndex(1)));
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    case.code(case.engine.read_current_attempt_index(case.id()).await, "execution_not_found");
    case.code(case.engine.read_current_attempt_index(case.id_in(u16::MAX)).await, "execution_not_found");
}
