//! `drain_sibling_cancel_group`: the list of upstreams that a fired join
//! cancels is dropped.

use super::cascade_completion::{go_on, one_step};
use super::graph::{any_of, contents, flow, flow_id, join, outcome, succeed, unheard};
use super::shapes::{fan_in, submit};
use crate::case::Case;
use leasehold_contract::DrainOutcome;
use leasehold_core::state::TerminalOutcome;

pub async fn the_engine_has_drained_it_already(case: &mut Case) {
    let join = join(case, any_of("cancel_remaining"), 3).await;
    let before = case.engine.drain_sibling_cancel_group(join.flow, join.child);
    assert_eq!(unheard(case, join.flow, before).await, Ok(DrainOutcome::AlreadyDrained));
    succeed(case, join.upstreams[0]).await;
    let after = case.engine.drain_sibling_cancel_group(join.flow, join.child);
    assert_eq!(unheard(case, join.flow, after).await, Ok(DrainOutcome::AlreadyDrained));
}

pub async fn who_is_still_on_the_list_is_not_cancelled(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_in(case, 20, any_of("cancel_remaining"))).await;
    one_step(case).await;
    succeed(case, nodes[0]).await;
    let left = contents(case, flow).await.siblings[0].members.clone();
    assert!(!left.is_empty());
    let child = nodes[20];
    assert_eq!(case.engine.drain_sibling_cancel_group(flow, child).await, Ok(DrainOutcome::Drained));
    assert!(contents(case, flow).await.siblings.is_empty());
    let again = case.engine.drain_sibling_cancel_group(flow, child);
    assert_eq!(unheard(case, flow, again).await, Ok(DrainOutcome::AlreadyDrained));
    go_on(case).await;
    for id in &nodes[1..20] {
        let expected = if left.contains(id) { TerminalOutcome::None } else { TerminalOutcome::Cancelled };
        assert_eq!(outcome(case, *id).await, expected);
    }
}

pub async fn what_is_not_there_is_drained(case: &mut Case) {
    let (known, unknown) = (flow(case).await, flow_id(case));
    for flow in [known, unknown] {
        let drain = case.engine.drain_sibling_cancel_group(flow, case.id());
        assert_eq!(unheard(case, known, drain).await, Ok(DrainOutcome::AlreadyDrained));
    }
}
