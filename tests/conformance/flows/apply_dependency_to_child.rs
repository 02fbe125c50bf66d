//! `apply_dependency_to_child`: a member waits for a staged dependency.

use super::graph::{
    any_of, application, apply, cancelling, counts, fail, flow, flow_id, home, join, lease, link, member,
    member_record, member_with, members, neighbour, outcome, public, refused, refused_as, setting, stage, stage_with,
    staging, succeed, unheard,
};
use crate::case::Case;
use crate::states::{LEASED, WAITING, awaiting, delayed, eligible, ended_without, runnable};
use leasehold_contract::{
    AdmissionBlock, ApplyDependencyToChild, ApplyOutcome, BlockExecution, CancelWait, ReplayExecution,
};
use leasehold_core::flow::{GroupState, SlotState};
use leasehold_core::ids::EdgeId;
use leasehold_core::record::flow::CancellationPolicy;
use leasehold_core::state::{PublicState, TerminalOutcome};
use leasehold_tests::harness::act;
use uuid::Uuid;

pub async fn the_child_waits_for_it(case: &mut Case) {
    let flow = flow(case).await;
    let [one, two, down] = members(case, flow).await;
    let (first, second) = (stage(case, flow, one, down).await, stage(case, flow, two, down).await);
    case.advance(5);
    assert_eq!(apply(case, &first).await, ApplyOutcome::Applied { unsatisfied_count: 1 });
    assert_eq!(case.vector(down).await, awaiting("pending_first_attempt"));
    assert_eq!(public(case, down).await, PublicState::WaitingChildren);
    let detail = |number: u32, edge: EdgeId| format!("{number} dep(s) unresolved incl {edge}");
    assert_eq!(case.record(down).await.blocking_detail, Some(detail(1, first.edge_id)));
    let entry = case.entry(down).await;
    assert_eq!((entry.queue.as_str(), entry.due_at), ("blocked", None));
    assert_eq!(counts(case, flow).await, [(PublicState::Waiting, 2), (PublicState::WaitingChildren, 1)]);
    let member = member_record(case, flow, down).await;
    assert_eq!((member.inbound.applied, member.inbound.slot(0)), (1, Some(SlotState::Unsatisfied)));
    assert_eq!((member.last_flow_graph_revision, member.last_dependency_update_at), (4, case.now()));

    assert_eq!(apply(case, &second).await, ApplyOutcome::Applied { unsatisfied_count: 2 });
    assert_eq!(case.record(down).await.blocking_detail, Some(detail(2, second.edge_id)));
    assert_eq!(case.story(down).await, [""; 0]);
    let grant = case.engine.issue_claim_grant(case.grant(down)).await;
    crate::case::meets(grant, "execution_not_eligible");
    assert_eq!(case.engine.poll_tasks(case.poll()).await.unwrap().len(), 1);
}

pub async fn a_repeat_finds_it_applied(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    let staged = stage(case, flow, up, down).await;
    apply(case, &staged).await;
    case.advance(5);
    let again = application(&staged);
    let other_kind = ApplyDependencyToChild { dependency_kind: "else".to_owned(), ..again.clone() };
    for args in [again, other_kind] {
        let call = case.engine.apply_dependency_to_child(args.clone());
        assert_eq!(unheard(case, flow, call).await, Ok(ApplyOutcome::AlreadyApplied));
    }
    succeed(case, up).await;
    let call = case.engine.apply_dependency_to_child(application(&staged));
    assert_eq!(unheard(case, flow, call).await, Ok(ApplyOutcome::AlreadyApplied));
}

pub async fn checks_come_in_their_order(case: &mut Case) {
    let unknown = flow_id(case);
    let stranger = neighbour(case, unknown).await;
    let args = application(&staging(case, unknown, case.id(), case.id()).await);
    refused(case, unknown, case.engine.apply_dependency_to_child(args), "execution_not_found").await;
    let args = application(&staging(case, unknown, case.id(), stranger).await);
    refused_as(case, unknown, case.engine.apply_dependency_to_child(args), "invalid_dependency", "not staged").await;

    let mut theirs = flow(case).await;
    while home(case, theirs) != home(case, unknown) {
        theirs = flow(case).await;
    }
    let [up, down] = members(case, theirs).await;
    let foreign = application(&staging(case, unknown, up, down).await);
    refused(case, theirs, case.engine.apply_dependency_to_child(foreign), "execution_already_in_flow").await;
}

pub async fn what_differs_from_the_staged_is_refused(case: &mut Case) {
    let flow = flow(case).await;
    let [up, other, down] = members(case, flow).await;
    let staged = stage_with(case, flow, up, down, Some("all")).await;
    let args = application(&staged);
    let odd = |detail, args| (detail, args);
    for (detail, args) in [
        odd("not staged", ApplyDependencyToChild { edge_id: EdgeId::from_uuid(Uuid::from_u128(7)), ..args.clone() }),
        odd("dependency_kind differs", ApplyDependencyToChild { dependency_kind: "else".to_owned(), ..args.clone() }),
        odd("upstream_execution_id differs", ApplyDependencyToChild { upstream_execution_id: other, ..args.clone() }),
        odd(
            "downstream_execution_id differs",
            ApplyDependencyToChild { downstream_execution_id: other, ..args.clone() },
        ),
        odd("data_passing_ref differs", ApplyDependencyToChild { data_passing_ref: None, ..args.clone() }),
        odd("data_passing_ref differs", ApplyDependencyToChild { data_passing_ref: Some("x".into()), ..args.clone() }),
    ] {
        let call = case.engine.apply_dependency_to_child(args);
        refused_as(case, flow, call, "invalid_dependency", detail).await;
    }
    let overlong = ApplyDependencyToChild { data_passing_ref: Some("r".repeat(257)), ..args.clone() };
    refused(case, flow, case.engine.apply_dependency_to_child(overlong), "invalid_input").await;
    // The revision is noted and not compared.
    let late = ApplyDependencyToChild { graph_revision: 77, ..args };
    case.engine.apply_dependency_to_child(late).await.unwrap();
    assert_eq!(member_record(case, flow, down).await.last_flow_graph_revision, 77);
}

pub async fn a_cancelled_flow_applies_nothing(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    let staged = stage(case, flow, up, down).await;
    let cancel = cancelling(flow, CancellationPolicy::FlowOnly);
    case.engine.cancel_flow(cancel, CancelWait::NoWait).await.unwrap();
    let call = case.engine.apply_dependency_to_child(application(&staged));
    refused(case, flow, call, "flow_already_terminal").await;
}

pub async fn a_group_that_fired_takes_no_more(case: &mut Case) {
    let satisfied = join(case, any_of("let_run"), 1).await;
    let flow = satisfied.flow;
    let late = member(case, flow).await;
    let staged = stage(case, flow, late, satisfied.child).await;
    succeed(case, satisfied.upstreams[0]).await;
    let call = case.engine.apply_dependency_to_child(application(&staged));
    refused(case, flow, call, "edge_group_already_fired").await;
    assert_eq!(case.vector(satisfied.child).await, WAITING);

    let impossible = join(case, super::graph::all_of(), 1).await;
    let flow = impossible.flow;
    let late = member(case, flow).await;
    let staged = stage(case, flow, late, impossible.child).await;
    fail(case, impossible.upstreams[0]).await;
    let call = case.engine.apply_dependency_to_child(application(&staged));
    refused(case, flow, call, "edge_group_already_fired").await;
}

pub async fn an_upstream_that_has_ended_resolves_it_at_once(case: &mut Case) {
    let flow = flow(case).await;
    let [good, bad, happy, sad] = members(case, flow).await;
    succeed(case, good).await;
    fail(case, bad).await;
    let (first, second) = (stage(case, flow, good, happy).await, stage(case, flow, bad, sad).await);
    case.advance(5);
    assert_eq!(apply(case, &first).await, ApplyOutcome::Applied { unsatisfied_count: 0 });
    assert_eq!(case.vector(happy).await, WAITING);
    let group = member_record(case, flow, happy).await.inbound.clone();
    assert_eq!((group.state, group.satisfied_at, group.succeeded), (GroupState::Satisfied, Some(case.now()), 1));
    assert_eq!(apply(case, &second).await, ApplyOutcome::Applied { unsatisfied_count: 0 });
    assert_eq!(case.vector(sad).await, ended_without("skipped", "pending_first_attempt"));
    assert_eq!(case.story(sad).await, ["completed skipped"]);
}

pub async fn a_group_is_not_judged_before_it_is_whole(case: &mut Case) {
    let flow = flow(case).await;
    let [one, two, down] = members(case, flow).await;
    let (first, second) = (stage(case, flow, one, down).await, stage(case, flow, two, down).await);
    succeed(case, one).await;
    assert_eq!(apply(case, &first).await, ApplyOutcome::Applied { unsatisfied_count: 0 });
    assert_eq!(case.vector(down).await, awaiting("pending_first_attempt"));
    assert_eq!(member_record(case, flow, down).await.inbound.state, GroupState::Pending);
    succeed(case, two).await;
    assert_eq!(case.vector(down).await, awaiting("pending_first_attempt"));
    apply(case, &second).await;
    assert_eq!(case.vector(down).await, WAITING);
}

pub async fn the_last_apply_lets_a_lost_group_be_judged(case: &mut Case) {
    let flow = flow(case).await;
    let [one, two, down] = members(case, flow).await;
    case.engine.set_edge_group_policy(setting(flow, down, any_of("let_run"))).await.unwrap();
    let (first, second) = (stage(case, flow, one, down).await, stage(case, flow, two, down).await);
    fail(case, one).await;
    apply(case, &first).await;
    assert_eq!(case.vector(down).await, awaiting("pending_first_attempt"));
    fail(case, two).await;
    apply(case, &second).await;
    assert_eq!(outcome(case, down).await, TerminalOutcome::Skipped);
}

pub async fn a_running_child_is_not_stopped(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    let held = lease(case, down).await;
    link(case, flow, up, down).await;
    assert_eq!(case.vector(down).await, LEASED);
    case.engine.complete_execution(act::completion(&held.execution)).await.unwrap();
    succeed(case, up).await;
    assert_eq!(outcome(case, down).await, TerminalOutcome::Success);
}

pub async fn a_promise_is_taken_back(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    case.engine.issue_claim_grant(case.grant(down)).await.unwrap();
    link(case, flow, up, down).await;
    assert!(case.record(down).await.grant.is_none());
    crate::case::meets(case.engine.claim_execution(case.claim(down)).await, "execution_not_leaseable");
}

pub async fn what_held_the_child_before_holds_it_again(case: &mut Case) {
    let flow = flow(case).await;
    let until = case.now().plus(1000);
    let up = member(case, flow).await;
    let later = member_with(case, flow, |args| args.delay_until = Some(until)).await;
    let soon = member_with(case, flow, |args| args.delay_until = Some(until)).await;
    let held = member(case, flow).await;
    let block = BlockExecution {
        execution_id: held,
        reason: AdmissionBlock::PausedByOperator,
        detail: Some("audit".to_owned()),
    };
    case.engine.block_execution_for_admission(block).await.unwrap();
    for down in [later, soon, held] {
        link(case, flow, up, down).await;
        assert_eq!(case.vector(down).await, awaiting("pending_first_attempt"));
        assert_eq!(case.entry(down).await.due_at, None);
    }
    let other = member(case, flow).await;
    link(case, flow, other, soon).await;
    succeed(case, up).await;
    assert_eq!(case.vector(later).await, delayed("waiting_for_delay", "pending_first_attempt"));
    assert_eq!(case.record(later).await.delay_until, Some(until));
    assert_eq!(case.vector(held).await, runnable("blocked_by_operator", "paused_by_operator", "pending_first_attempt"));
    assert_eq!(case.record(held).await.blocking_detail.as_deref(), Some("audit"));
    case.advance(1000);
    succeed(case, other).await;
    assert_eq!(case.vector(soon).await, WAITING);
}

pub async fn a_child_that_was_retried_waits_with_its_next_attempt(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    succeed(case, down).await;
    let replay = ReplayExecution { execution_id: down, requested_by: None, reason: None };
    case.engine.replay_execution(replay).await.unwrap();
    link(case, flow, up, down).await;
    assert_eq!(case.vector(down).await, awaiting("pending_replay_attempt"));
    succeed(case, up).await;
    assert_eq!(case.vector(down).await, eligible("pending_replay_attempt"));
}
