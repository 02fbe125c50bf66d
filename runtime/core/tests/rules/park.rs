//! Leaving the queue and coming back: delay, wait for children, promotion,
//! blocks, priority.

use crate::fixture::{START, World, detail, holder, refused};
use crate::situation::{Situation as S, Staged};
use leasehold_core::command::{
    AdmissionBlock, BlockExecution, BlockOutcome, ChangePriority, Delay, PromoteDelayed, REASON_BYTES_MAX,
    UnblockExecution, WaitChildren,
};
use leasehold_core::index::{Queue, index_entries};
use leasehold_core::record::AttemptTimeout;
use leasehold_core::state::{AttemptLifecycle, AttemptState, BlockingReason, EligibilityState, PublicState};

#[test]
fn a_delay_gives_the_lease_back_and_keeps_the_attempt() {
    let Staged { mut world, id, fence } = S::Leased.stage();
    let delay_until = world.now.plus(50);
    let delayed = world.run(Delay { execution_id: id, fence, source: holder(), delay_until }).unwrap();
    assert_eq!(delayed.public_state, PublicState::Delayed);
    assert_eq!(world.told(), ["released: worker_delay"]);
    let execution = world.execution(id);
    assert_eq!(execution.vector().blocking_reason(), BlockingReason::WaitingForDelay);
    assert_eq!(execution.vector().attempt_state(), AttemptState::AttemptInterrupted);
    assert_eq!(execution.current_attempt_id(), fence.attempt_id);
    let attempt = execution.attempt.as_ref().unwrap();
    assert_eq!(attempt.lifecycle, AttemptLifecycle::Suspended);
    assert_eq!((attempt.suspended_at, attempt.suspension_id.as_deref()), (Some(world.now), Some("worker_delay")));
    assert!(matches!(execution.attempt_timeout, Some(AttemptTimeout::Remaining(_))));
    let entries = index_entries(&execution);
    assert_eq!(entries.queue, Queue::Delayed { wake_at: delay_until });
    assert_eq!((entries.due_at, entries.held_by), (Some(delay_until), None));
}

#[test]
fn a_past_delay_is_accepted_and_due_at_once() {
    let Staged { mut world, id, fence } = S::Leased.stage();
    world.run(Delay { execution_id: id, fence, source: holder(), delay_until: START }).unwrap();
    assert_eq!(world.public_state(id), PublicState::Delayed);
    assert_eq!(world.queue(id), Queue::Delayed { wake_at: START });
    assert_eq!(world.run(PromoteDelayed { execution_id: id }).unwrap().as_str(), "promoted");
    assert_eq!(world.public_state(id), PublicState::Resumable);
}

#[test]
fn waiting_for_no_children_is_over_at_once() {
    let Staged { mut world, id, fence } = S::Leased.stage();
    let waiting = world.run(WaitChildren { execution_id: id, fence, source: holder() }).unwrap();
    assert_eq!(waiting.public_state, PublicState::Resumable);
    assert_eq!(world.told(), ["released: waiting_children"]);
    let execution = world.execution(id);
    assert_eq!(execution.attempt.as_ref().unwrap().suspension_id.as_deref(), Some("waiting_children"));
    assert_eq!(world.queue(id), Queue::Ready { rank: execution.rank() });
}

#[test]
fn an_attempt_that_used_its_time_up_is_left_with_a_millisecond() {
    let mut world = World::new();
    let id = world.create();
    let fence = world.claim_with(id, |args| args.attempt_timeout_ms = Some(10)).fence().into();
    world.pass(10);
    world.run(WaitChildren { execution_id: id, fence, source: holder() }).unwrap();
    assert_eq!(world.execution(id).attempt_timeout, Some(AttemptTimeout::Remaining(1)));
}

#[test]
fn promotion_keeps_rank_and_pending_attempt() {
    for (situation, state) in [
        (S::Delayed, AttemptState::PendingFirstAttempt),
        (S::RetryDelayed, AttemptState::PendingRetryAttempt),
        (S::InterruptedDelayed, AttemptState::AttemptInterrupted),
    ] {
        let Staged { mut world, id, .. } = situation.stage();
        let wake_at = world.execution(id).delay_until.unwrap();
        world.now = wake_at.minus(1);
        assert_eq!(world.run(PromoteDelayed { execution_id: id }).unwrap().as_str(), "not_yet_due");
        assert!(world.last.is_empty());
        world.now = wake_at;
        world.run(PromoteDelayed { execution_id: id }).unwrap();
        let execution = world.execution(id);
        assert_eq!(execution.vector().attempt_state(), state);
        assert_eq!(execution.delay_until, None);
        assert_eq!(world.queue(id), Queue::Ready { rank: START.0 - 5_000_000_000_000 });
        assert!(world.told().is_empty());
    }
}

#[test]
fn every_block_has_its_queue_and_comes_back_to_its_old_rank() {
    let public = [
        ("waiting_for_budget", EligibilityState::BlockedByBudget, PublicState::RateLimited),
        ("waiting_for_quota", EligibilityState::BlockedByQuota, PublicState::RateLimited),
        ("waiting_for_capable_worker", EligibilityState::BlockedByRoute, PublicState::Waiting),
        ("paused_by_operator", EligibilityState::BlockedByOperator, PublicState::Waiting),
        ("paused_by_policy", EligibilityState::BlockedByLaneState, PublicState::Waiting),
    ];
    assert_eq!(public.len(), AdmissionBlock::ALL.len());
    for (name, by, public_state) in public {
        let reason = AdmissionBlock::parse(name).unwrap();
        let Staged { mut world, id, .. } = S::RetryEligible.stage();
        let rank = world.queue(id);
        let args = BlockExecution { execution_id: id, reason, detail: Some("used up".into()) };
        assert_eq!(world.run(args.clone()).unwrap(), BlockOutcome::Blocked { execution_id: id, reason });
        let execution = world.execution(id);
        assert_eq!(execution.vector().public_state(), public_state, "{name}");
        assert_eq!(execution.vector().attempt_state(), AttemptState::PendingRetryAttempt);
        assert_eq!(execution.blocking_detail.as_deref(), Some("used up"));
        assert_eq!(world.queue(id), Queue::Blocked { by, since: world.now });
        refused(world.run(args), "execution_not_eligible");
        let other = UnblockExecution { execution_id: id, expected_reason: Some(BlockingReason::WaitingForChildren) };
        refused(world.run(other), "execution_not_eligible");
        let expected_reason = BlockingReason::parse(name);
        world.run(UnblockExecution { execution_id: id, expected_reason }).unwrap();
        assert_eq!(world.queue(id), rank);
        assert_eq!(world.execution(id).blocking_detail, None);
        refused(world.run(UnblockExecution { execution_id: id, expected_reason }), "execution_not_eligible");
    }
}

#[test]
fn other_reasons_cannot_block() {
    for reason in BlockingReason::ALL {
        let known = AdmissionBlock::ALL.iter().any(|block| block.blocking_reason() == *reason);
        assert_eq!(AdmissionBlock::parse(reason.as_str()).is_ok(), known, "{reason}");
    }
    let error = refused(AdmissionBlock::parse("because"), "invalid_blocking_reason");
    assert_eq!(detail(&error), "because");
    let Staged { mut world, id, .. } = S::Eligible.stage();
    let detail = Some("d".repeat(REASON_BYTES_MAX + 1));
    let args = BlockExecution { execution_id: id, reason: AdmissionBlock::PausedByOperator, detail };
    refused(world.run(args), "invalid_input");
}

#[test]
fn unblocking_an_interrupted_attempt_makes_it_resumable() {
    let Staged { mut world, id, .. } = S::Resumable.stage();
    world.run(BlockExecution { execution_id: id, reason: AdmissionBlock::PausedByPolicy, detail: None }).unwrap();
    let done = world.run(UnblockExecution { execution_id: id, expected_reason: None }).unwrap();
    assert_eq!(done.public_state, PublicState::Resumable);
}

#[test]
fn a_change_of_priority_moves_the_rank_and_is_told() {
    let Staged { mut world, id, .. } = S::Eligible.stage();
    let changed = world.run(ChangePriority { execution_id: id, new_priority: 9999 }).unwrap();
    assert_eq!(changed.priority, 9000);
    assert_eq!(world.told(), ["priority_changed: 5 to 9000"]);
    assert_eq!(world.queue(id), Queue::Ready { rank: START.0 - 9_000_000_000_000_000 });
    assert_eq!(world.execution(id).last_transition_at, START);
    world.run(ChangePriority { execution_id: id, new_priority: 9000 }).unwrap();
    assert!(world.last.is_empty(), "the same priority changes nothing");
    assert_eq!(world.run(ChangePriority { execution_id: id, new_priority: -1 }).unwrap().priority, 0);
}
