//! Cancelling flows: whom it ends, in how many steps, and what callers are
//! told.

use super::fixture::cancel_flow;
use crate::fixture::{World, detail, refused};
use leasehold_core::command::flow::{
    ALREADY_TERMINAL_MEMBER_CAP, AckCancelMember, CANCEL_GRACE_MS, CANCEL_WAIT_MS_MAX, CancelFlowHeader,
    CancelFlowOutcome, CancelHeaderOutcome, CancelWait, CancelWaited, DrainOutcome, DrainSiblingCancelGroup,
    GRACE_MS_MAX, Limits, ReconcileOutcome, ReconcileSiblingCancelGroup, cancel_flow_outcome,
};
use leasehold_core::command::{CompleteExecution, WaitChildren};
use leasehold_core::error::EngineError;
use leasehold_core::event::Fact;
use leasehold_core::flow::{EdgeGroupPolicy, OnSatisfied};
use leasehold_core::ids::{ExecutionId, FlowId};
use leasehold_core::record::Record;
use leasehold_core::record::flow::{CancellationPolicy as C, FlowKey, FlowRecord};
use leasehold_core::state::PublicState as P;

fn header(flow_id: FlowId, cancellation_policy: C) -> CancelFlowHeader {
    CancelFlowHeader { flow_id, reason: "stop".into(), cancellation_policy, grace_ms: CANCEL_GRACE_MS }
}

/// A flow with one member of each kind: completed, active, waiting, blocked,
/// and waiting for its children.
fn mixed() -> (World, FlowId, [ExecutionId; 5]) {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let ids @ [done, active, waiting, blocked, parent] = world.members(flow_id);
    world.edge(flow_id, active, blocked);
    let fence = world.lease(parent);
    world.edge(flow_id, waiting, parent);
    let source = crate::fixture::holder();
    world.run(WaitChildren { execution_id: parent, fence, source }).unwrap();
    world.complete(done);
    world.lease(active);
    (world, flow_id, ids)
}

#[test]
fn each_policy_ends_those_it_selects() {
    for (policy, expected) in [
        (C::CancelAll, [P::Completed, P::Cancelled, P::Cancelled, P::Cancelled, P::Cancelled]),
        (C::CancelPending, [P::Completed, P::Active, P::Cancelled, P::Cancelled, P::Cancelled]),
        (C::FlowOnly, [P::Completed, P::Active, P::Waiting, P::WaitingChildren, P::WaitingChildren]),
    ] {
        let (mut world, flow_id, ids) = mixed();
        let Ok(CancelHeaderOutcome::Cancelled { members, selected, .. }) = world.run(cancel_flow(flow_id, policy))
        else {
            panic!("not cancelled")
        };
        assert_eq!(members, ids);
        assert_eq!(world.states(ids), expected, "{policy:?}");
        let ended: Vec<_> = ids.into_iter().filter(|id| world.state(*id) == P::Cancelled).collect();
        assert_eq!(selected, ended);
        for id in ended {
            let execution = world.execution(id);
            assert_eq!(execution.cancellation_reason.as_deref(), Some("no longer wanted"));
            assert_eq!(execution.cancelled_by.as_deref(), Some("flow_cascade"));
            let event = world.last.events.iter().find(|event| event.execution_id == id).unwrap();
            assert!(event.facts.iter().any(|fact| matches!(fact, Fact::Completed { cascade: true, .. })));
        }
        let flow = world.flow(flow_id);
        let cancelled = flow.cancelled.as_ref().unwrap();
        assert_eq!((cancelled.policy, cancelled.at), (policy, world.now));
        world.check(flow_id);
        if policy == C::CancelPending {
            let fence = world.fence(ids[1]);
            world.complete_with(ids[1], fence, None);
            assert_eq!(world.state(ids[3]), P::Cancelled);
            world.check(flow_id);
        }
    }
}

#[test]
fn a_repeat_tells_what_was_stored_and_does_nothing() {
    let (mut world, flow_id, ids) = mixed();
    world.run(cancel_flow(flow_id, C::FlowOnly)).unwrap();
    let again = CancelHeaderOutcome::AlreadyTerminal {
        stored_cancellation_policy: Some(C::FlowOnly),
        stored_cancel_reason: Some("no longer wanted".into()),
        members: ids.to_vec(),
    };
    assert_eq!(world.run(cancel_flow(flow_id, C::CancelAll)), Ok(again.clone()));
    assert!(world.last.is_empty());
    assert_eq!(world.run(header(flow_id, C::CancelAll)), Ok(again));
    assert!(world.last.is_empty());
}

#[test]
fn a_repeat_names_a_bounded_number_of_members() {
    let mut world = World::new();
    world.hot = true;
    let flow_id = world.create_flow();
    for _ in 0..=ALREADY_TERMINAL_MEMBER_CAP {
        world.member(flow_id);
    }
    world.run(cancel_flow(flow_id, C::FlowOnly)).unwrap();
    match world.run(cancel_flow(flow_id, C::FlowOnly)) {
        Ok(CancelHeaderOutcome::AlreadyTerminal { members, .. }) => {
            assert_eq!(members.len(), ALREADY_TERMINAL_MEMBER_CAP);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cancellation_is_refused_in_order() {
    let mut world = World::new();
    let flow_id = FlowId::from_uuid(uuid::Uuid::max());
    let mut args = header(flow_id, C::CancelAll);
    (args.grace_ms, args.reason) = (GRACE_MS_MAX + 1, "\0".into());
    refused(world.run(args.clone()), "invalid_input");
    args.reason = String::new();
    refused(world.run(args.clone()), "invalid_grace_ms");
    args.grace_ms = GRACE_MS_MAX;
    refused(world.run(args), "flow_not_found");
    refused(world.run(cancel_flow(flow_id, C::CancelAll)), "flow_not_found");
}

#[test]
fn policies_read_back_and_the_older_name_is_understood() {
    for policy in [C::CancelAll, C::CancelPending, C::FlowOnly] {
        assert_eq!(C::parse(policy.as_str()), Ok(policy));
    }
    assert_eq!(C::parse("cancel_flow_only"), Ok(C::FlowOnly));
    let error = refused(C::parse("let_active_finish"), "invalid_input");
    assert_eq!(detail(&error), "unknown cancellation_policy: let_active_finish");
}

#[test]
fn a_thousand_running_members_end_in_bounded_steps_each_told_once() {
    let mut world = World::new();
    world.hot = true;
    let flow_id = world.create_flow();
    let members: Vec<_> = (0..1000).map(|_| world.member(flow_id)).collect();
    for id in &members {
        world.lease(*id);
    }
    world.run(cancel_flow(flow_id, C::CancelAll)).unwrap();
    let (mut told, mut turns) = (world.last.events.len(), 0);
    while world.summary(flow_id).cancels_pending {
        world.advance(flow_id);
        told += world.last.events.len();
        turns += 1;
    }
    assert_eq!(told, 1000, "one event per member");
    assert!(turns <= 1 + 2000 / Limits::DEFAULT.rows, "{turns} turns");
    assert!(world.largest <= Limits::DEFAULT.rows + 4, "{} rows", world.largest);
    assert!(members.iter().all(|id| world.state(*id) == P::Cancelled));
    world.check(flow_id);
}

#[test]
fn selected_members_are_cancelled_and_never_skipped_instead() {
    let mut world = World::new();
    world.hot = true;
    let flow_id = world.create_flow();
    let members: Vec<_> = (0..60).map(|_| world.member(flow_id)).collect();
    for pair in members.windows(2) {
        world.edge(flow_id, pair[0], pair[1]);
    }
    world.limits = Limits { rows: 12, ..Limits::DEFAULT };
    world.run(cancel_flow(flow_id, C::CancelAll)).unwrap();
    world.check(flow_id);
    assert!(world.advance_all(flow_id) > 3);
    assert!(members.iter().all(|id| world.state(*id) == P::Cancelled));
    world.check(flow_id);
}

#[test]
fn a_selected_member_that_moves_is_cancelled_first() {
    let (mut world, flow_id, [_, active, waiting, ..]) = mixed();
    world.run(header(flow_id, C::CancelAll)).unwrap();
    world.check(flow_id);
    let fence = world.fence(active);
    let complete = CompleteExecution {
        execution_id: active,
        fence,
        attempt_index: None,
        result_payload: None,
        result_encoding: None,
        source: crate::fixture::holder(),
    };
    refused(world.run(complete), "execution_not_active");
    refused(world.run(crate::fixture::grant_args(waiting)), "execution_not_eligible");
    assert_eq!(world.states([active, waiting]), [P::Active, P::Waiting], "a refusal leaves it to the sweep");
    world.cancel(active);
    assert_eq!(world.execution(active).cancelled_by.as_deref(), Some("flow_cascade"));
    world.check(flow_id);
}

/// The ordinals of those that the cancellation still has to end.
fn pending(world: &World, flow_id: FlowId) -> Vec<u32> {
    match world.flow_record(FlowKey::PendingCancels(flow_id)) {
        Some(FlowRecord::PendingCancels(pending)) => pending.members.iter().collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_header_leaves_members_to_others_until_its_grace_is_over() {
    let (mut world, flow_id, [_, active, waiting, blocked, parent]) = mixed();
    world.run(header(flow_id, C::CancelPending)).unwrap();
    assert!(!world.advance(flow_id));
    assert_eq!(world.state(waiting), P::Waiting);
    assert_eq!(pending(&world, flow_id), [2, 3, 4]);
    world.cancel(blocked);
    assert_eq!(pending(&world, flow_id), [2, 4]);
    for execution_id in [blocked, active] {
        world.run(AckCancelMember { flow_id, execution_id }).unwrap();
        assert!(world.last.is_empty());
    }
    world.pass(CANCEL_GRACE_MS);
    assert_eq!(world.advance_all(flow_id), 1);
    assert_eq!(world.states([active, waiting, parent]), [P::Active, P::Cancelled, P::Cancelled]);
    world.check(flow_id);
}

#[test]
fn a_member_acknowledged_before_it_has_ended_is_ended_all_the_same() {
    let (mut world, flow_id, ids @ [_, active, waiting, blocked, _]) = mixed();
    world.run(header(flow_id, C::CancelAll)).unwrap();
    world.cancel(active);
    assert_eq!(world.state(blocked), P::WaitingChildren, "its turn to be cancelled comes");
    for execution_id in [waiting, blocked] {
        world.run(AckCancelMember { flow_id, execution_id }).unwrap();
    }
    world.pass(CANCEL_GRACE_MS);
    world.advance_all(flow_id);
    assert_eq!(world.states(ids), [P::Completed, P::Cancelled, P::Cancelled, P::Cancelled, P::Cancelled]);
    assert!(pending(&world, flow_id).is_empty());
    world.check(flow_id);
}

#[test]
fn an_ended_member_is_taken_off_the_list_when_it_is_acknowledged() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [winner, child] = world.members(flow_id);
    let losers: Vec<_> = (0..30).map(|_| world.member(flow_id)).collect();
    world.policy(flow_id, child, EdgeGroupPolicy::AnyOf { on_satisfied: OnSatisfied::CancelRemaining });
    for upstream in losers.iter().copied().chain([winner]) {
        world.edge(flow_id, upstream, child);
    }
    world.limits = Limits { rows: 20, ..Limits::DEFAULT };
    world.complete(winner);
    world.run(header(flow_id, C::CancelAll)).unwrap();
    let mut listed = pending(&world, flow_id);
    world.advance_all(flow_id);
    assert_eq!(world.states([child, losers[29]]), [P::Waiting, P::Cancelled], "the join has ended its losers");
    assert_eq!(pending(&world, flow_id), listed);
    world.run(AckCancelMember { flow_id, execution_id: losers[29] }).unwrap();
    listed.retain(|ordinal| *ordinal != 31);
    assert_eq!(pending(&world, flow_id), listed);
    world.check(flow_id);
}

#[test]
fn the_last_acknowledgement_ends_the_list() {
    let (mut world, flow_id, [_, _, waiting, blocked, parent]) = mixed();
    world.run(header(flow_id, C::CancelPending)).unwrap();
    for execution_id in [waiting, blocked, parent] {
        world.cancel(execution_id);
        world.run(AckCancelMember { flow_id, execution_id }).unwrap();
    }
    assert!(!world.summary(flow_id).cancels_pending);
    world.check(flow_id);
    let nowhere = AckCancelMember { flow_id: FlowId::from_uuid(uuid::Uuid::max()), execution_id: waiting };
    world.run(nowhere).unwrap();
    assert!(world.last.is_empty());
}

#[test]
fn nothing_is_cancelled_by_a_join_once_the_flow_is_cancelled() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let [a, b, child] = world.members(flow_id);
    world.policy(flow_id, child, EdgeGroupPolicy::AnyOf { on_satisfied: OnSatisfied::CancelRemaining });
    world.edge(flow_id, a, child);
    world.edge(flow_id, b, child);
    world.run(cancel_flow(flow_id, C::FlowOnly)).unwrap();
    world.complete(a);
    assert_eq!(world.states([b, child]), [P::Waiting, P::Waiting]);
}

#[test]
fn a_list_of_losers_is_drained_and_reconciled_by_hand() {
    let mut world = World::new();
    let flow_id = world.create_flow();
    let losers: Vec<_> = (0..30).map(|_| world.member(flow_id)).collect();
    let [winner, child] = world.members(flow_id);
    world.policy(flow_id, child, EdgeGroupPolicy::AnyOf { on_satisfied: OnSatisfied::CancelRemaining });
    for upstream in losers.iter().copied().chain([winner]) {
        world.edge(flow_id, upstream, child);
    }
    world.limits = Limits { rows: 20, ..Limits::DEFAULT };
    let drain = DrainSiblingCancelGroup { flow_id, downstream_execution_id: child };
    let reconcile = ReconcileSiblingCancelGroup { flow_id, downstream_execution_id: child };
    assert_eq!(world.run(drain.clone()), Ok(DrainOutcome::AlreadyDrained));
    assert_eq!(world.run(reconcile.clone()), Ok(ReconcileOutcome::NoOp));
    world.complete(winner);
    assert_eq!(world.run(reconcile.clone()), Ok(ReconcileOutcome::NoOp), "losers are at work");
    let before = world.clone();
    assert_eq!(world.run(drain.clone()), Ok(DrainOutcome::Drained));
    assert_eq!(world.run(drain), Ok(DrainOutcome::AlreadyDrained));
    world.advance_all(flow_id);
    assert!(losers.iter().any(|id| world.state(*id) == P::Waiting), "a drained list cancels nobody");
    world.check(flow_id);

    let mut world = before;
    for id in losers {
        if !world.execution(id).vector().is_terminal() {
            // By hand, and past the engine, which would work the list off.
            let mut only = world.clone();
            only.cancel(id);
            let record = only.execution(id);
            let record = Record::Execution(record);
            world.records.insert(record.key(), record);
        }
    }
    assert_eq!(world.run(reconcile), Ok(ReconcileOutcome::CompletedDrain));
    assert!(world.flow_record(FlowKey::SiblingCancels(flow_id, child.uuid())).is_none());
}

#[test]
fn callers_are_told_what_they_waited_for() {
    use CancelFlowOutcome as O;
    let ids = [1, 2, 3].map(|n| ExecutionId::from_parts(7, uuid::Uuid::from_u128(n)));
    let members = ids.to_vec();
    let cancellation_policy = C::CancelAll;
    let fresh = |selected: &[ExecutionId]| CancelHeaderOutcome::Cancelled {
        cancellation_policy,
        members: ids.to_vec(),
        selected: selected.to_vec(),
    };
    let told = |header, wait, waited| cancel_flow_outcome(C::CancelPending, header, wait, waited);
    let settled = |failed: &[ExecutionId]| CancelWaited::Settled { failed: failed.to_vec() };
    let done = O::Cancelled { cancellation_policy, members: members.clone() };
    assert_eq!(told(fresh(&[]), CancelWait::NoWait, CancelWaited::NotAtAll), Ok(done.clone()));
    assert_eq!(told(fresh(&ids), CancelWait::Indefinite, settled(&[])), Ok(done));
    let scheduled = O::CancellationScheduled { cancellation_policy, member_count: 3, members: members.clone() };
    assert_eq!(told(fresh(&ids[..1]), CancelWait::NoWait, CancelWaited::NotAtAll), Ok(scheduled));
    let failed_members = vec![ids[0], ids[2]];
    let partly = O::PartiallyCancelled { cancellation_policy, members: members.clone(), failed_members };
    assert_eq!(told(fresh(&ids), CancelWait::Timeout(5), settled(&[ids[2], ids[0]])), Ok(partly));
    for (wait, elapsed_ms) in [(CancelWait::Timeout(5), 5), (CancelWait::Indefinite, CANCEL_WAIT_MS_MAX)] {
        let late = EngineError::Timeout { op: "cancel_flow", elapsed_ms };
        assert_eq!(told(fresh(&ids), wait, CancelWaited::Overran), Err(late));
    }
    for (stored_cancellation_policy, cancellation_policy) in
        [(Some(C::FlowOnly), C::FlowOnly), (None, C::CancelPending)]
    {
        let members = members.clone();
        let repeat = CancelHeaderOutcome::AlreadyTerminal {
            stored_cancellation_policy,
            stored_cancel_reason: None,
            members: members.clone(),
        };
        let expected = O::Cancelled { cancellation_policy, members };
        assert_eq!(told(repeat, CancelWait::NoWait, CancelWaited::NotAtAll), Ok(expected));
    }
}
