//! Members that are skipped because what they need can no longer come.

use super::super::graph::{
    all_of, any_of, chain, counts, fail, flow, join_in, lease, link, member, member_record, members, outcome, setting,
    succeed,
};
use crate::case::Case;
use crate::states::{WAITING, ended, ended_without};
use leasehold_contract::{SuspendArgs, SuspendOutcome};
use leasehold_core::flow::GroupState;
use leasehold_core::ids::{SuspensionId, WaitpointId};
use leasehold_core::record::SuspensionReason;
use leasehold_core::state::{AttemptLifecycle, PublicState, TerminalOutcome};
use leasehold_core::suspension::{ResumeCondition, SignalMatcher, WaitpointBinding};
use leasehold_tests::harness::act;

pub async fn a_skip_goes_all_the_way_down(case: &mut Case) {
    let flow = flow(case).await;
    let chain: [_; 6] = chain(case, flow).await;
    case.advance(5);
    fail(case, chain[0]).await;
    for (number, id) in chain.iter().enumerate().skip(1) {
        assert_eq!(case.vector(*id).await, ended_without("skipped", "pending_first_attempt"));
        assert_eq!(case.story(*id).await, ["completed skipped"]);
        let record = case.record(*id).await;
        assert_eq!((record.completed_at, record.flow_id), (Some(case.now()), Some(flow)));
        assert_eq!((record.blocking_detail.as_ref(), record.cancellation_reason.as_ref()), (None, None));
        let entry = case.entry(*id).await;
        assert_eq!((entry.queue.as_str(), entry.score, entry.due_at), ("terminal", case.now().0, None));
        let group = member_record(case, flow, *id).await.inbound.clone();
        assert_eq!(group.state, GroupState::Impossible);
        assert_eq!((group.failed, group.skipped), if number == 1 { (1, 0) } else { (0, 1) });
    }
    assert_eq!(counts(case, flow).await.len(), 2);
}

pub async fn a_skip_goes_as_deep_as_there_are_members(case: &mut Case) {
    let (_, nodes) = super::super::shapes::submit(case, super::super::shapes::line(case, 120)).await;
    fail(case, nodes[0]).await;
    case.settle().await;
    for id in &nodes[1..] {
        assert_eq!(outcome(case, *id).await, TerminalOutcome::Skipped);
    }
}

pub async fn a_diamond_is_skipped_once(case: &mut Case) {
    let flow = flow(case).await;
    let [top, left, right, bottom] = members(case, flow).await;
    for (up, down) in [(top, left), (top, right), (left, bottom), (right, bottom)] {
        link(case, flow, up, down).await;
    }
    fail(case, top).await;
    assert_eq!(case.story(bottom).await, ["completed skipped"]);
    let group = member_record(case, flow, bottom).await.inbound.clone();
    assert_eq!((group.skipped, group.state), (2, GroupState::Impossible));
    assert_eq!(counts(case, flow).await, [(PublicState::Failed, 1), (PublicState::Skipped, 3)]);
}

pub async fn a_skip_stops_where_another_way_is_open(case: &mut Case) {
    let flow = flow(case).await;
    let [bad, lost, good, down, after] = members(case, flow).await;
    case.engine.set_edge_group_policy(setting(flow, down, any_of("let_run"))).await.unwrap();
    link(case, flow, bad, lost).await;
    link(case, flow, lost, down).await;
    link(case, flow, good, down).await;
    link(case, flow, down, after).await;
    fail(case, bad).await;
    assert_eq!(outcome(case, lost).await, TerminalOutcome::Skipped);
    assert_eq!(outcome(case, down).await, TerminalOutcome::None);
    succeed(case, good).await;
    succeed(case, down).await;
    assert_eq!(case.vector(after).await, WAITING);
}

pub async fn a_running_child_is_stopped(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    let held = lease(case, down).await;
    link(case, flow, up, down).await;
    case.advance(5);
    fail(case, up).await;
    assert_eq!(case.vector(down).await, ended("skipped"));
    assert_eq!(case.story(down).await, ["acquired 1", "released 1 skipped", "completed skipped"]);
    let record = case.record(down).await;
    let attempt = record.attempt.as_ref().unwrap();
    assert_eq!((attempt.lifecycle, attempt.ended_at), (AttemptLifecycle::EndedCancelled, Some(case.now())));
    assert_eq!(attempt.failure_reason.as_deref(), Some("dependency_impossible"));
    let end = case.engine.complete_execution(act::completion(&held.execution));
    case.other_refused(down, end, "execution_not_active").await;
}

pub async fn a_suspended_child_is_skipped_and_nothing_of_it_stays_open(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    let held = lease(case, down).await;
    link(case, flow, up, down).await;
    let waitpoint_id = WaitpointId::from_uuid(case.request_id().as_uuid());
    let waitpoint = WaitpointBinding::Fresh { waitpoint_id, waitpoint_key: "wpk:go".to_owned() };
    let condition = ResumeCondition::Single { waitpoint_key: "wpk:go".to_owned(), matcher: SignalMatcher::Wildcard };
    let suspension = SuspensionId::from_uuid(case.request_id().as_uuid());
    let args = SuspendArgs::new(suspension, waitpoint, condition, SuspensionReason::WaitingForSignal, case.now());
    let suspended = case.engine.suspend(&held.handle, args).await.unwrap();
    assert!(matches!(suspended, SuspendOutcome::Suspended { .. }));
    assert_eq!(
        counts(case, flow).await.iter().map(|(state, _)| *state).collect::<Vec<_>>(),
        [PublicState::Waiting, PublicState::Suspended]
    );
    fail(case, up).await;
    assert_eq!(case.vector(down).await, ended("skipped"));
    assert_eq!(case.story(down).await, ["acquired 1", "released 1 suspend", "completed skipped"]);
    let pending = leasehold_contract::ListPendingWaitpoints { execution_id: down, after: None, limit: None };
    assert_eq!(case.engine.list_pending_waitpoints(pending).await.unwrap().entries.len(), 0);
}

pub async fn a_child_that_has_ended_is_left_alone(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down, after] = members(case, flow).await;
    let held = lease(case, down).await;
    link(case, flow, up, down).await;
    link(case, flow, down, after).await;
    case.engine.complete_execution(act::completion(&held.execution)).await.unwrap();
    fail(case, up).await;
    assert_eq!(outcome(case, down).await, TerminalOutcome::Success);
    assert_eq!(case.vector(after).await, WAITING);
}

pub async fn a_skip_cancels_the_siblings_its_join_would_have_cancelled(case: &mut Case) {
    let flow = flow(case).await;
    let race = join_in(case, flow, any_of("cancel_remaining"), 1).await;
    let gate = join_in(case, flow, all_of(), 1).await;
    let other = member(case, flow).await;
    let quorum = join_in(case, flow, super::super::graph::quorum(2, "cancel_remaining"), 0).await;
    for up in [race.child, gate.child, other] {
        link(case, flow, up, quorum.child).await;
    }
    fail(case, race.upstreams[0]).await;
    assert_eq!(outcome(case, quorum.child).await, TerminalOutcome::None);
    fail(case, gate.upstreams[0]).await;
    assert_eq!(outcome(case, quorum.child).await, TerminalOutcome::Skipped);
    let record = case.record(other).await;
    assert_eq!(record.cancellation_reason.as_deref(), Some("sibling_quorum_impossible"));
}
