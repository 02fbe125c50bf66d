//! `describe_flow`: the header, the counts and the joins.

use super::graph::{
    all_of, any_of, cancelling, fail, flow, flow_id, join_in, lease, member, quorum, setting, shown, stage, succeed,
    unheard,
};
use super::shapes::{fan_in, submit};
use crate::case::Case;
use leasehold_contract::{CancelWait, EdgeGroupSnapshot, SetFlowTag};
use leasehold_core::flow::{EdgeGroupPolicy, GroupState, OnSatisfied, PublicFlowState};
use leasehold_core::record::flow::CancellationPolicy;
use leasehold_core::state::PublicState;

pub async fn it_shows_everything_there_is(case: &mut Case) {
    let created_at = case.now();
    let flow = flow(case).await;
    case.advance(5);
    let all = join_in(case, flow, all_of(), 2).await;
    let any = join_in(case, flow, any_of("let_run"), 2).await;
    let some = join_in(case, flow, quorum(2, "cancel_remaining"), 3).await;
    let tag = SetFlowTag { flow_id: flow, key: "team.name".to_owned(), value: "core".to_owned() };
    case.engine.set_flow_tag(tag).await.unwrap();
    let changed_at = case.now();
    case.advance(5);
    succeed(case, all.upstreams[0]).await;
    fail(case, any.upstreams[0]).await;
    fail(case, some.upstreams[0]).await;
    fail(case, some.upstreams[2]).await;
    lease(case, any.upstreams[1]).await;
    let snapshot = unheard(case, flow, case.engine.describe_flow(flow)).await.unwrap().unwrap();
    assert_eq!(
        (snapshot.flow_id, snapshot.flow_kind.as_str(), snapshot.namespace.as_str()),
        (flow, "deploy", "tenant")
    );
    assert_eq!((snapshot.graph_revision, snapshot.node_count, snapshot.edge_count), (17, 10, 7));
    assert_eq!((snapshot.created_at, snapshot.last_mutation_at), (created_at, changed_at));
    assert_eq!((snapshot.public_flow_state, snapshot.cancelled), (PublicFlowState::Running, None));
    assert_eq!(snapshot.last_summary_update_at, case.now());
    assert_eq!(snapshot.tags, [("team.name".to_owned(), "core".to_owned())].into());
    let expected = [
        (PublicState::Waiting, 1),
        (PublicState::Active, 1),
        (PublicState::WaitingChildren, 2),
        (PublicState::Completed, 1),
        (PublicState::Failed, 3),
        (PublicState::Cancelled, 1),
        (PublicState::Skipped, 1),
    ];
    let mut counts = shown(&snapshot.counts);
    for expected in expected {
        let place = counts.iter().position(|found| *found == expected);
        counts.remove(place.unwrap_or_else(|| panic!("{expected:?} is not in {counts:?}")));
    }
    assert_eq!(counts, []);
    let group = |child, policy, numbers: [u32; 5], group_state| EdgeGroupSnapshot {
        downstream_execution_id: child,
        policy,
        total_deps: numbers[0],
        satisfied_count: numbers[1],
        failed_count: numbers[2],
        skipped_count: numbers[3],
        running_count: numbers[4],
        group_state,
    };
    let quorum = EdgeGroupPolicy::Quorum { k: 2, on_satisfied: OnSatisfied::CancelRemaining };
    let any_of = EdgeGroupPolicy::AnyOf { on_satisfied: OnSatisfied::LetRun };
    let groups = [
        group(all.child, EdgeGroupPolicy::AllOf, [2, 1, 0, 0, 1], GroupState::Pending),
        group(any.child, any_of, [2, 0, 1, 0, 1], GroupState::Pending),
        group(some.child, quorum, [3, 0, 3, 0, 0], GroupState::Impossible),
    ];
    assert_eq!(snapshot.edge_groups, groups);
    case.kill().await;
    assert_eq!(case.engine.describe_flow(flow).await.unwrap().unwrap().edge_groups, groups);
}

pub async fn a_cancellation_is_shown(case: &mut Case) {
    let flow = flow(case).await;
    member(case, flow).await;
    case.advance(5);
    let cancel = cancelling(flow, CancellationPolicy::CancelPending);
    case.engine.cancel_flow(cancel, CancelWait::Indefinite).await.unwrap();
    let snapshot = case.engine.describe_flow(flow).await.unwrap().unwrap();
    assert_eq!(snapshot.public_flow_state, PublicFlowState::Cancelled);
    let cancelled = snapshot.cancelled.unwrap();
    assert_eq!((cancelled.at, cancelled.reason.as_str()), (case.now(), "not needed"));
    assert_eq!(cancelled.policy, CancellationPolicy::CancelPending);
}

pub async fn only_members_with_dependencies_have_a_join(case: &mut Case) {
    let flow = flow(case).await;
    let (lone, up, down) = (member(case, flow).await, member(case, flow).await, member(case, flow).await);
    case.engine.set_edge_group_policy(setting(flow, lone, all_of())).await.unwrap();
    stage(case, flow, up, down).await;
    let groups = case.engine.describe_flow(flow).await.unwrap().unwrap().edge_groups;
    assert_eq!(
        groups.iter().map(|group| (group.downstream_execution_id, group.total_deps)).collect::<Vec<_>>(),
        [(down, 0)]
    );
}

pub async fn a_large_flow_is_shown_whole(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_in(case, 600, all_of())).await;
    let snapshot = case.engine.describe_flow(flow).await.unwrap().unwrap();
    assert_eq!((snapshot.node_count, snapshot.edge_count), (601, 600));
    assert_eq!(snapshot.edge_groups[0].downstream_execution_id, nodes[600]);
    assert_eq!(snapshot.edge_groups[0].running_count, 600);
}

pub async fn an_unknown_flow_is_none(case: &mut Case) {
    assert_eq!(case.engine.describe_flow(flow_id(case)).await, Ok(None));
}
