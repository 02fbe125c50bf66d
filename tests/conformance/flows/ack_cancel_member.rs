//! `ack_cancel_member`: a member of a cancelled flow needs no ending any
//! more.

use super::graph::{contents, flow, flow_id, heading, home, kept, member, members, outcome, unheard};
use crate::case::Case;
use leasehold_core::record::flow::CancellationPolicy::CancelAll;
use leasehold_core::record::flow::FlowKey;
use leasehold_core::state::TerminalOutcome;
use leasehold_tests::harness::act;

pub async fn it_is_taken_off_the_list(case: &mut Case) {
    let flow = flow(case).await;
    let [one, two, three] = members(case, flow).await;
    case.engine.cancel_flow_header(heading(flow, CancelAll)).await.unwrap();
    let listed = async |case: &Case| -> Option<Vec<u32>> {
        contents(case, flow).await.pending.map(|pending| pending.members.iter().collect())
    };
    for (id, left) in [(two, Some(vec![0, 2])), (one, Some(vec![2]))] {
        case.engine.cancel_execution(act::cancellation(id)).await.unwrap();
        case.engine.ack_cancel_member(flow, id).await.unwrap();
        assert_eq!(listed(case).await, left);
        assert_eq!(unheard(case, flow, case.engine.ack_cancel_member(flow, id)).await, Ok(()));
        case.kill().await;
    }
    case.engine.cancel_execution(act::cancellation(three)).await.unwrap();
    case.engine.ack_cancel_member(flow, three).await.unwrap();
    assert_eq!(listed(case).await, None);
    assert!(kept(case, FlowKey::PendingCancels(flow)).await.is_none());
    assert!(!contents(case, flow).await.summary.unwrap().cancels_pending);
}

pub async fn who_has_not_ended_stays_on_the_list(case: &mut Case) {
    let flow = flow(case).await;
    let [one, two] = members(case, flow).await;
    case.engine.cancel_flow_header(heading(flow, CancelAll)).await.unwrap();
    assert_eq!(unheard(case, flow, case.engine.ack_cancel_member(flow, one)).await, Ok(()));
    case.settle().await;
    for id in [one, two] {
        assert_eq!(outcome(case, id).await, TerminalOutcome::None);
        case.engine.cancel_execution(act::cancellation(id)).await.unwrap();
    }
    assert!(contents(case, flow).await.pending.is_none());
}

pub async fn what_is_not_on_the_list_is_fine(case: &mut Case) {
    let (unknown, healthy) = (flow_id(case), flow(case).await);
    let id = member(case, healthy).await;
    let stranger = case.id_in(home(case, healthy));
    for (flow, id) in [(unknown, id), (unknown, stranger), (healthy, id), (healthy, stranger)] {
        assert_eq!(unheard(case, healthy, case.engine.ack_cancel_member(flow, id)).await, Ok(()));
    }
}
