//! Members of cancelled flows that nobody else has ended in time.

use crate::case::Case;
use crate::flows::graph::{contents, flow, heading, lease, link, members, outcome};
use leasehold_contract::CancelFlowHeader;
use leasehold_core::command::flow::CANCEL_GRACE_MS;
use leasehold_core::record::flow::CancellationPolicy::{CancelAll, CancelPending};
use leasehold_core::state::TerminalOutcome;
use leasehold_tests::harness::act;

pub async fn the_engine_ends_them_when_the_grace_is_over(case: &mut Case) {
    let flow = flow(case).await;
    let [one, two, running] = members(case, flow).await;
    lease(case, running).await;
    case.engine.cancel_flow_header(heading(flow, CancelPending)).await.unwrap();
    case.engine.cancel_execution(act::cancellation(one)).await.unwrap();
    case.engine.ack_cancel_member(flow, one).await.unwrap();
    case.pass(CANCEL_GRACE_MS - 1).await;
    assert_eq!(outcome(case, two).await, TerminalOutcome::None);
    case.pass(5).await;
    assert_eq!(outcome(case, two).await, TerminalOutcome::Cancelled);
    assert_eq!(case.story(two).await, ["completed cancelled by cascade"]);
    assert_eq!(case.story(one).await, ["completed cancelled by cascade"]);
    assert_eq!(outcome(case, running).await, TerminalOutcome::None);
    assert!(contents(case, flow).await.pending.is_none());
}

pub async fn who_is_acknowledged_too_early_is_ended_all_the_same(case: &mut Case) {
    let flow = flow(case).await;
    let [upstream, waiting, blocked] = members(case, flow).await;
    link(case, flow, upstream, blocked).await;
    case.engine.cancel_flow_header(heading(flow, CancelAll)).await.unwrap();
    case.engine.cancel_execution(act::cancellation(upstream)).await.unwrap();
    for id in [waiting, blocked] {
        case.engine.ack_cancel_member(flow, id).await.unwrap();
    }
    case.pass(CANCEL_GRACE_MS + 5).await;
    for id in [waiting, blocked] {
        assert_eq!(outcome(case, id).await, TerminalOutcome::Cancelled);
    }
    assert!(contents(case, flow).await.pending.is_none());
}

pub async fn without_grace_it_ends_them_at_once(case: &mut Case) {
    let flow = flow(case).await;
    let [one, two] = members(case, flow).await;
    let args = CancelFlowHeader { grace_ms: 0, ..heading(flow, CancelAll) };
    case.engine.cancel_flow_header(args).await.unwrap();
    case.settle().await;
    for id in [one, two] {
        assert_eq!(outcome(case, id).await, TerminalOutcome::Cancelled);
    }
}

pub async fn the_grace_goes_on_under_the_next_engine(case: &mut Case) {
    let flow = flow(case).await;
    let [one, two] = members(case, flow).await;
    case.engine.cancel_flow_header(heading(flow, CancelAll)).await.unwrap();
    case.pass(10_000).await;
    case.kill().await;
    case.pass(CANCEL_GRACE_MS - 10_001).await;
    assert_eq!(outcome(case, one).await, TerminalOutcome::None);
    case.pass(5).await;
    for id in [one, two] {
        assert_eq!(outcome(case, id).await, TerminalOutcome::Cancelled);
    }
}

pub async fn a_grace_that_ends_while_no_engine_runs_is_made_up_for(case: &mut Case) {
    let flow = flow(case).await;
    let [one] = members(case, flow).await;
    case.engine.cancel_flow_header(heading(flow, CancelAll)).await.unwrap();
    case.kill_for(CANCEL_GRACE_MS + 1).await;
    case.pass(5).await;
    assert_eq!(outcome(case, one).await, TerminalOutcome::Cancelled);
}
