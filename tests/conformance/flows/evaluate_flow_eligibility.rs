//! `evaluate_flow_eligibility`: whether an execution's dependencies let it
//! run.

use super::graph::{
    all_of, any_of, fail, flow, home, join, lease, link, member, members, neighbour, stage, succeed, unheard,
};
use crate::case::Case;
use leasehold_contract::FlowEligibility;
use leasehold_core::ids::{ExecutionId, FlowId};
use leasehold_tests::harness::act;

async fn judged(case: &Case, flow: FlowId, id: ExecutionId) -> FlowEligibility {
    unheard(case, flow, case.engine.evaluate_flow_eligibility(id)).await.expect("it is answered")
}

pub async fn what_is_not_there_is_not_found(case: &mut Case) {
    let flow = flow(case).await;
    assert_eq!(judged(case, flow, case.id_in(home(case, flow))).await, FlowEligibility::NotFound);
    let nowhere = case.engine.evaluate_flow_eligibility(case.id_in(case.partitions())).await;
    assert_eq!(nowhere, Ok(FlowEligibility::NotFound));
}

pub async fn what_depends_on_nothing_is_eligible(case: &mut Case) {
    let flow = flow(case).await;
    let [alone, up, down] = members(case, flow).await;
    let stranger = neighbour(case, flow).await;
    stage(case, flow, up, down).await;
    for id in [stranger, alone, up, down] {
        assert_eq!(judged(case, flow, id).await, FlowEligibility::Eligible);
    }
}

pub async fn open_dependencies_block(case: &mut Case) {
    let join = join(case, all_of(), 2).await;
    assert_eq!(judged(case, join.flow, join.child).await, FlowEligibility::BlockedByDependencies);
    succeed(case, join.upstreams[0]).await;
    case.kill().await;
    assert_eq!(judged(case, join.flow, join.child).await, FlowEligibility::BlockedByDependencies);
    succeed(case, join.upstreams[1]).await;
    assert_eq!(judged(case, join.flow, join.child).await, FlowEligibility::Eligible);
}

pub async fn one_of_any_is_enough(case: &mut Case) {
    let join = join(case, any_of("let_run"), 2).await;
    fail(case, join.upstreams[0]).await;
    assert_eq!(judged(case, join.flow, join.child).await, FlowEligibility::BlockedByDependencies);
    succeed(case, join.upstreams[1]).await;
    assert_eq!(judged(case, join.flow, join.child).await, FlowEligibility::Eligible);
}

pub async fn what_runs_or_has_ended_is_not_runnable(case: &mut Case) {
    let flow = flow(case).await;
    let [running, done, up, skipped] = members(case, flow).await;
    link(case, flow, up, skipped).await;
    let other = member(case, flow).await;
    lease(case, running).await;
    succeed(case, done).await;
    fail(case, up).await;
    for id in [running, done, up, skipped] {
        assert_eq!(judged(case, flow, id).await, FlowEligibility::NotRunnable);
    }
    assert_eq!(judged(case, flow, other).await, FlowEligibility::Eligible);
}

pub async fn a_replayed_member_is_judged_anew(case: &mut Case) {
    let join = join(case, all_of(), 1).await;
    fail(case, join.upstreams[0]).await;
    case.engine.replay_execution(act::replay(join.upstreams[0])).await.unwrap();
    case.engine.replay_execution(act::replay(join.child)).await.unwrap();
    assert_eq!(judged(case, join.flow, join.child).await, FlowEligibility::BlockedByDependencies);
}
