//! `prepare`: the store is brought up to date.

use crate::case::Case;
use leasehold_contract::Prepared;

pub async fn on_a_running_engine_there_is_nothing_left_to_do(case: &mut Case) {
    let id = case.waiting().await;
    for _ in 0..2 {
        let prepared = case.changes_nothing(id, case.engine.prepare()).await;
        assert_eq!(prepared, Prepared::NoOp);
    }
}

pub async fn a_store_stays_prepared(case: &mut Case) {
    let id = case.waiting().await;
    case.restart().await;
    assert_eq!(case.engine.prepare().await, Ok(Prepared::NoOp));
    assert!(case.find_record(id).await.is_some());
}
