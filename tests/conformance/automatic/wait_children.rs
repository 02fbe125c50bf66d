//! Attempts that wait for nobody.

use crate::case::Case;
use leasehold_core::handle::HandleKind;

pub async fn without_children_it_is_handed_out_again(case: &mut Case) {
    let held = case.leased().await;
    case.engine.wait_children(&held.handle).await.unwrap();
    let again = case.engine.poll_tasks(case.poll()).await.unwrap().remove(0).claimed;
    assert_eq!((again.execution_id, again.kind), (held.execution.execution_id, HandleKind::Resumed));
    assert_eq!(again.attempt_id, held.execution.attempt_id);
}
