//! `project_flow_summary`: whether there is anything to sum up. The sums are
//! kept by the commits that move members.

use super::graph::{
    cancel, expire, fail, flow, flow_id, lease, link, member, members, mortal, shown, succeed, unheard,
};
use super::shapes::{fan_out, submit};
use crate::case::Case;
use leasehold_core::flow::PublicFlowState::{self, Blocked, Completed, Failed, Open, Running};
use leasehold_core::ids::FlowId;
use leasehold_core::state::PublicState;
use leasehold_tests::harness::act;

async fn state(case: &Case, flow: FlowId) -> PublicFlowState {
    let projected = unheard(case, flow, case.engine.project_flow_summary(flow)).await;
    assert_eq!(projected, Ok(true));
    case.engine.describe_flow(flow).await.unwrap().unwrap().public_flow_state
}

pub async fn there_is_nothing_without_members(case: &mut Case) {
    let (empty, unknown) = (flow(case).await, flow_id(case));
    for flow in [empty, unknown] {
        assert_eq!(unheard(case, empty, case.engine.project_flow_summary(flow)).await, Ok(false));
    }
    member(case, empty).await;
    assert_eq!(case.engine.project_flow_summary(empty).await, Ok(true));
}

pub async fn the_state_follows_the_members(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down, later] = members(case, flow).await;
    assert_eq!(state(case, flow).await, Open);
    link(case, flow, up, down).await;
    assert_eq!(state(case, flow).await, Blocked);
    let held = lease(case, up).await;
    assert_eq!(state(case, flow).await, Running);
    case.engine.delay(&held.handle, case.now().plus(10)).await.unwrap();
    assert_eq!(state(case, flow).await, Blocked);
    case.advance(10);
    case.promote(up).await;
    let again = case.engine.poll_tasks(case.poll()).await.unwrap().remove(0).claimed;
    assert_eq!(state(case, flow).await, Running);
    case.engine.complete_execution(act::completion(&again)).await.unwrap();
    assert_eq!(state(case, flow).await, Open);
    for id in [down, later] {
        succeed(case, id).await;
    }
    assert_eq!(state(case, flow).await, Completed);
}

pub async fn a_replay_opens_it_again(case: &mut Case) {
    let flow = flow(case).await;
    let [one, two] = members(case, flow).await;
    succeed(case, one).await;
    assert_eq!(state(case, flow).await, Open);
    succeed(case, two).await;
    assert_eq!(state(case, flow).await, Completed);
    case.engine.replay_execution(act::replay(one)).await.unwrap();
    assert_eq!(state(case, flow).await, Open);
    succeed(case, one).await;
    assert_eq!(state(case, flow).await, Completed);
}

pub async fn one_bad_end_makes_it_failed(case: &mut Case) {
    for way in ["fail", "cancel", "expire"] {
        let flow = flow(case).await;
        let (bad, good) = (mortal(case, flow).await, member(case, flow).await);
        match way {
            "fail" => fail(case, bad).await,
            "cancel" => cancel(case, bad).await,
            _ => expire(case, bad).await,
        }
        assert_eq!(state(case, flow).await, Open, "{way}");
        succeed(case, good).await;
        assert_eq!(state(case, flow).await, Failed, "{way}");
    }
}

pub async fn every_member_is_counted_however_many(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_out(case, 300)).await;
    fail(case, nodes[0]).await;
    case.settle().await;
    let snapshot = case.engine.describe_flow(flow).await.unwrap().unwrap();
    assert_eq!(snapshot.public_flow_state, Failed);
    assert_eq!(shown(&snapshot.counts), [(PublicState::Failed, 1), (PublicState::Skipped, 300)]);
}
