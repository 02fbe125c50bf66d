//! Members that suspend: their flow counts them, waits for them, and ends
//! them like any other.

use super::fixture::{PARTITION, cancel_flow};
use crate::fixture::{World, holder, refused};
use leasehold_core::command::flow::{AddExecutionToFlow, CancelFlowHeader};
use leasehold_core::command::{ResumeExecution, Settle, WaitChildren};
use leasehold_core::flow::{EdgeGroupPolicy, OnSatisfied};
use leasehold_core::ids::{ExecutionId, FlowId};
use leasehold_core::record::flow::CancellationPolicy as C;
use leasehold_core::record::{CloseReason, IssuedWaitpoint, ResumeTrigger, TimeoutBehavior};
use leasehold_core::state::PublicState as P;

const TIMEOUT_MS: u64 = 50;

/// A suspended member with a pending waitpoint, and one that waits for it.
fn suspended(behavior: TimeoutBehavior) -> (World, FlowId, [ExecutionId; 2], IssuedWaitpoint) {
    let mut world = World::keyed();
    let flow_id = world.create_flow();
    let [a, b] = world.members(flow_id);
    world.edge(flow_id, a, b);
    world.lease(a);
    let mut args = world.create_waitpoint_args(a, "later");
    args.expires_in_ms = u64::MAX;
    world.run(args).unwrap();
    let at = world.now.plus(TIMEOUT_MS);
    let details = world.suspend(a, |args| {
        args.timeout_at = Some(at);
        args.timeout_behavior = behavior;
    });
    assert_eq!(world.states([a, b]), [P::Suspended, P::WaitingChildren]);
    world.check(flow_id);
    (world, flow_id, [a, b], details.primary)
}

#[track_caller]
fn closed(world: &World, id: ExecutionId, bound: CloseReason, pending: CloseReason) {
    assert_eq!(world.suspension(id).closed.unwrap().reason, bound);
    let reasons: Vec<_> = world.waitpoints().iter().map(|waitpoint| waitpoint.close_reason).collect();
    assert_eq!(reasons, [Some(pending), Some(bound)]);
    assert!(world.suspended_list().is_empty());
}

#[test]
fn a_suspended_member_goes_on_and_its_dependents_wait_for_its_end() {
    let (mut world, flow_id, [a, b], to) = suspended(TimeoutBehavior::Fail);
    world.deliver(a, to.waitpoint_id, |_| {});
    assert_eq!(world.states([a, b]), [P::Resumable, P::WaitingChildren]);
    world.check(flow_id);
    world.complete(a);
    assert_eq!(world.states([a, b]), [P::Completed, P::Waiting]);
    world.check(flow_id);
}

#[test]
fn a_member_resumed_by_hand_moves_the_counts() {
    let (mut world, flow_id, [a, _], _) = suspended(TimeoutBehavior::Fail);
    for (delay, state) in [(20, P::Delayed), (0, P::Resumable)] {
        let mut world = world.clone();
        let resume = ResumeExecution { execution_id: a, trigger: ResumeTrigger::Operator, resume_delay_ms: delay };
        world.run(resume).unwrap();
        assert_eq!(world.state(a), state);
        world.check(flow_id);
    }
    world.cancel(a);
    world.check(flow_id);
}

#[test]
fn a_suspended_member_that_is_cancelled_closes_its_waits_and_skips_who_waits() {
    let (mut world, flow_id, [a, b], _) = suspended(TimeoutBehavior::Fail);
    world.cancel(a);
    assert_eq!(world.states([a, b]), [P::Cancelled, P::Skipped]);
    closed(&world, a, CloseReason::Cancelled, CloseReason::Cancelled);
    world.check(flow_id);
}

#[test]
fn a_deadline_of_a_suspended_member_is_followed_in_the_same_change() {
    use TimeoutBehavior as B;
    for (behavior, states) in [
        (B::Fail, [P::Failed, P::Skipped]),
        (B::Cancel, [P::Cancelled, P::Skipped]),
        (B::Expire, [P::Expired, P::Skipped]),
        (B::AutoResumeWithTimeoutSignal, [P::Resumable, P::WaitingChildren]),
        (B::Escalate, [P::Suspended, P::WaitingChildren]),
    ] {
        for by_timer in [false, true] {
            let (mut world, flow_id, ids @ [a, _], _) = suspended(behavior);
            world.pass(TIMEOUT_MS);
            if by_timer {
                let done = world.run(Settle { execution_id: a, holder_gone: None }).unwrap();
                assert_eq!(done.suspension_expired, Some(behavior));
            } else {
                world.expire(a);
            }
            assert_eq!(world.states(ids), states, "{behavior}");
            world.check(flow_id);
        }
    }
}

#[test]
fn a_cancelled_flow_ends_its_suspended_members_where_its_policy_says_so() {
    for (policy, states) in [
        (C::CancelAll, [P::Cancelled, P::Cancelled]),
        (C::CancelPending, [P::Suspended, P::Cancelled]),
        (C::FlowOnly, [P::Suspended, P::WaitingChildren]),
    ] {
        let (mut world, flow_id, ids @ [a, _], _) = suspended(TimeoutBehavior::Fail);
        world.run(cancel_flow(flow_id, policy)).unwrap();
        world.advance_all(flow_id);
        assert_eq!(world.states(ids), states, "{policy:?}");
        world.check(flow_id);
        if policy == C::CancelAll {
            closed(&world, a, CloseReason::Cancelled, CloseReason::Cancelled);
        }
    }
}

/// Nothing goes on inside a cancelled flow, so a signal comes too late also
/// where the cancellation has not reached the member yet.
#[test]
fn a_signal_does_not_resume_a_member_that_is_selected() {
    let (mut world, flow_id, [a, _], to) = suspended(TimeoutBehavior::Fail);
    let (reason, cancellation_policy) = ("stop".to_owned(), C::CancelAll);
    world.run(CancelFlowHeader { flow_id, reason, cancellation_policy, grace_ms: 1_000 }).unwrap();
    assert_eq!(world.state(a), P::Suspended);
    let args = world.signal_args(a, to.waitpoint_id, &to.waitpoint_token);
    refused(world.run(args), "target_not_signalable");
    world.pass(1_000);
    world.advance_all(flow_id);
    assert_eq!(world.state(a), P::Cancelled);
    closed(&world, a, CloseReason::Cancelled, CloseReason::Cancelled);
    world.check(flow_id);
}

#[test]
fn a_race_cancels_a_suspended_loser() {
    let mut world = World::keyed();
    let flow_id = world.create_flow();
    let [winner, loser, child] = world.members(flow_id);
    world.policy(flow_id, child, EdgeGroupPolicy::AnyOf { on_satisfied: OnSatisfied::CancelRemaining });
    for upstream in [winner, loser] {
        world.edge(flow_id, upstream, child);
    }
    world.lease(loser);
    let bound = world.suspend(loser, |_| {}).primary.waitpoint_id;
    world.complete(winner);
    world.advance_all(flow_id);
    assert_eq!(world.states([winner, loser, child]), [P::Completed, P::Cancelled, P::Waiting]);
    assert_eq!(world.waitpoint(bound).close_reason, Some(CloseReason::Cancelled));
    assert!(world.suspended_list().is_empty());
    world.check(flow_id);
}

#[test]
fn a_skipped_member_closes_the_waitpoints_it_had_made() {
    let mut world = World::keyed();
    let flow_id = world.create_flow();
    let [upstream, member] = world.members(flow_id);
    let fence = world.lease(member);
    world.edge(flow_id, upstream, member);
    let pending = world.create_waitpoint(member, "later").waitpoint_id;
    world.run(WaitChildren { execution_id: member, fence, source: holder() }).unwrap();
    world.fail(upstream);
    assert_eq!(world.states([upstream, member]), [P::Failed, P::Skipped]);
    assert_eq!(world.waitpoint(pending).close_reason, Some(CloseReason::Cancelled));
    world.check(flow_id);
}

#[test]
fn a_suspended_execution_may_join_a_flow() {
    let (mut world, id, to) = World::suspended();
    let flow_id = world.create_flow();
    world.run(AddExecutionToFlow { flow_id, partition: PARTITION, execution_id: id }).unwrap();
    world.check(flow_id);
    world.deliver(id, to.waitpoint_id, |_| {});
    world.check(flow_id);
    world.complete(id);
    world.check(flow_id);
}
