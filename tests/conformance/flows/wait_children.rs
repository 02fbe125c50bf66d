//! `wait_children` of a member: its attempt goes on when its join lets it.

use super::graph::{
    all_of, any_of, application, counts, fail, flow, join, lease, link, member, member_record, members, outcome,
    setting, stage, succeed,
};
use crate::case::Case;
use crate::states::{WAITING, awaiting, eligible, ended};
use leasehold_contract::Delayed;
use leasehold_core::flow::GroupState;
use leasehold_core::handle::HandleKind;
use leasehold_core::state::{AttemptLifecycle, PublicState, TerminalOutcome};

pub async fn the_attempt_goes_on_when_the_join_fires(case: &mut Case) {
    let flow = flow(case).await;
    let [parent, one, two] = members(case, flow).await;
    let held = lease(case, parent).await;
    for child in [one, two] {
        link(case, flow, child, parent).await;
    }
    case.advance(5);
    let outcome = case.engine.wait_children(&held.handle).await;
    assert_eq!(outcome, Ok(Delayed { execution_id: parent, public_state: PublicState::WaitingChildren }));
    assert_eq!(case.vector(parent).await, awaiting("attempt_interrupted"));
    let record = case.record(parent).await;
    assert_eq!(record.blocking_detail.as_deref(), Some("waiting for child executions to complete"));
    let attempt = record.attempt.as_ref().unwrap();
    assert_eq!(
        (attempt.lifecycle, attempt.suspension_id.as_deref()),
        (AttemptLifecycle::Suspended, Some("waiting_children"))
    );
    assert_eq!((record.lease.as_ref(), record.lease_epoch), (None, held.execution.lease_epoch));
    assert_eq!(case.entry(parent).await.queue, "blocked");
    assert_eq!(case.story(parent).await, ["acquired 1", "released 1 waiting_children"]);
    assert_eq!(counts(case, flow).await, [(PublicState::Waiting, 2), (PublicState::WaitingChildren, 1)]);
    case.kill().await;
    succeed(case, one).await;
    assert_eq!(case.vector(parent).await, awaiting("attempt_interrupted"));
    succeed(case, two).await;
    assert_eq!(case.vector(parent).await, eligible("attempt_interrupted"));
    let again = case.engine.poll_tasks(case.poll()).await.unwrap().remove(0).claimed;
    assert_eq!((again.execution_id, again.kind), (parent, HandleKind::Resumed));
    assert_eq!((again.attempt_id, again.attempt_index), (held.execution.attempt_id, held.execution.attempt_index));
    assert_eq!(again.lease_epoch.0, held.execution.lease_epoch.0 + 1);
}

pub async fn a_join_that_fired_keeps_nobody(case: &mut Case) {
    let flow = flow(case).await;
    let [parent, child] = members(case, flow).await;
    let held = lease(case, parent).await;
    link(case, flow, child, parent).await;
    succeed(case, child).await;
    assert_eq!(member_record(case, flow, parent).await.inbound.state, GroupState::Satisfied);
    let outcome = case.engine.wait_children(&held.handle).await;
    assert_eq!(outcome, Ok(Delayed { execution_id: parent, public_state: PublicState::Resumable }));
    assert_eq!(case.vector(parent).await, eligible("attempt_interrupted"));
}

pub async fn without_a_dependency_nobody_waits(case: &mut Case) {
    let flow = flow(case).await;
    let [parent, other] = members(case, flow).await;
    let held = lease(case, parent).await;
    stage(case, flow, other, parent).await;
    let outcome = case.engine.wait_children(&held.handle).await;
    assert_eq!(outcome, Ok(Delayed { execution_id: parent, public_state: PublicState::Resumable }));
}

pub async fn a_lost_join_skips_the_one_that_waits(case: &mut Case) {
    let flow = flow(case).await;
    let [parent, child] = members(case, flow).await;
    let held = lease(case, parent).await;
    link(case, flow, child, parent).await;
    case.engine.wait_children(&held.handle).await.unwrap();
    fail(case, child).await;
    assert_eq!(case.vector(parent).await, ended("skipped"));
    assert_eq!(case.story(parent).await, ["acquired 1", "released 1 waiting_children", "completed skipped"]);
    let attempt = case.record(parent).await.attempt.clone().unwrap();
    assert_eq!(attempt.lifecycle, AttemptLifecycle::EndedCancelled);
}

pub async fn one_that_waits_may_come_to_wait_for_more(case: &mut Case) {
    let flow = flow(case).await;
    let [parent, one, two] = members(case, flow).await;
    let held = lease(case, parent).await;
    link(case, flow, one, parent).await;
    case.engine.wait_children(&held.handle).await.unwrap();
    let late = stage(case, flow, two, parent).await;
    case.engine.apply_dependency_to_child(application(&late)).await.unwrap();
    succeed(case, one).await;
    assert_eq!(case.vector(parent).await, awaiting("attempt_interrupted"));
    succeed(case, two).await;
    assert_eq!(case.vector(parent).await, eligible("attempt_interrupted"));
}

pub async fn the_others_of_a_race_are_cancelled_under_it(case: &mut Case) {
    let flow = flow(case).await;
    let [parent, fast, slow] = members(case, flow).await;
    case.engine.set_edge_group_policy(setting(flow, parent, any_of("cancel_remaining"))).await.unwrap();
    let held = lease(case, parent).await;
    for child in [fast, slow] {
        link(case, flow, child, parent).await;
    }
    case.engine.wait_children(&held.handle).await.unwrap();
    succeed(case, fast).await;
    assert_eq!(outcome(case, slow).await, TerminalOutcome::Cancelled);
    assert_eq!(case.vector(parent).await, eligible("attempt_interrupted"));
}

pub async fn a_second_wait_waits_for_nothing_new(case: &mut Case) {
    let join = join(case, all_of(), 1).await;
    succeed(case, join.upstreams[0]).await;
    assert_eq!(case.vector(join.child).await, WAITING);
    let held = lease(case, join.child).await;
    let late = member(case, join.flow).await;
    stage(case, join.flow, late, join.child).await;
    case.engine.wait_children(&held.handle).await.unwrap();
    assert_eq!(case.vector(join.child).await, eligible("attempt_interrupted"));
}
