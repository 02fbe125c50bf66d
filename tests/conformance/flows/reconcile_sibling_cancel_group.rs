//! `reconcile_sibling_cancel_group`: the list of upstreams that a fired join
//! cancels is dropped once nobody on it is left, and cancels nothing.

use super::cascade_completion::{go_on, smallest_step};
use super::graph::{any_of, cancel, contents, flow, flow_id, join, outcome, succeed, unheard};
use super::shapes::{fan_in, submit};
use crate::case::Case;
use leasehold_contract::ReconcileOutcome;
use leasehold_core::state::TerminalOutcome;

pub async fn the_engine_has_left_nothing(case: &mut Case) {
    let join = join(case, any_of("cancel_remaining"), 3).await;
    succeed(case, join.upstreams[0]).await;
    let call = case.engine.reconcile_sibling_cancel_group(join.flow, join.child);
    assert_eq!(unheard(case, join.flow, call).await, Ok(ReconcileOutcome::NoOp));
}

pub async fn while_somebody_has_not_ended_it_stays(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_in(case, 20, any_of("cancel_remaining"))).await;
    smallest_step(case).await;
    succeed(case, nodes[0]).await;
    let left = contents(case, flow).await.siblings[0].members.clone();
    for _ in 0..2 {
        let call = case.engine.reconcile_sibling_cancel_group(flow, nodes[20]);
        assert_eq!(unheard(case, flow, call).await, Ok(ReconcileOutcome::NoOp));
    }
    for id in &left {
        // Each cancel takes a step of what is left along, from the other end.
        if outcome(case, *id).await == TerminalOutcome::None {
            cancel(case, *id).await;
        }
    }
    let call = case.engine.reconcile_sibling_cancel_group(flow, nodes[20]).await;
    assert_eq!(call, Ok(ReconcileOutcome::CompletedDrain));
    assert!(contents(case, flow).await.siblings.is_empty());
    let again = case.engine.reconcile_sibling_cancel_group(flow, nodes[20]);
    assert_eq!(unheard(case, flow, again).await, Ok(ReconcileOutcome::NoOp));
    go_on(case).await;
}

pub async fn what_is_not_there_needs_nothing(case: &mut Case) {
    let (known, unknown) = (flow(case).await, flow_id(case));
    for flow in [known, unknown] {
        let call = case.engine.reconcile_sibling_cancel_group(flow, case.id());
        assert_eq!(unheard(case, known, call).await, Ok(ReconcileOutcome::NoOp));
    }
}
