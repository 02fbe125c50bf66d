//! `ping`: one round trip to the store.

use crate::case::Case;

pub async fn a_running_engine_answers(case: &mut Case) {
    assert_eq!(case.engine.ping().await, Ok(()));
    case.restart().await;
    assert_eq!(case.engine.ping().await, Ok(()));
}
