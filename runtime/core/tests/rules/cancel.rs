//! Cancelling.

use crate::fixture::{holder, operator, refused};
use crate::situation::{self, Situation as S, Staged};
use leasehold_core::command::{CancelExecution, CommandSource, FenceTriple, KIND_BYTES_MAX, REASON_BYTES_MAX};
use leasehold_core::ids::{ExecutionId, LeaseEpoch};
use leasehold_core::index::{Queue, index_entries};
use leasehold_core::state::{AttemptLifecycle, AttemptState, PublicState};

fn cancel(id: ExecutionId, source: CommandSource, fence: FenceTriple) -> CancelExecution {
    CancelExecution { execution_id: id, reason: "not needed".into(), source, fence }
}

fn others() -> [CommandSource; 4] {
    [operator(), CommandSource::FlowCascade, CommandSource::SystemTimeout, CommandSource::Custom("janitor".into())]
}

#[test]
fn everything_that_has_not_ended_can_be_cancelled_without_a_fence() {
    for &situation in situation::ALL {
        for source in others() {
            let Staged { mut world, id, .. } = situation.stage();
            if situation == S::Missing || world.execution(id).vector().is_terminal() {
                continue;
            }
            let ran = world.execution(id).attempt.is_some();
            let ended = world.execution(id).attempt.as_ref().is_some_and(|attempt| attempt.lifecycle.is_terminal());
            let held = world.execution(id).vector().is_active();
            let before = world.execution(id).vector().attempt_state();
            let done = world.run(cancel(id, source.clone(), FenceTriple::NONE)).unwrap();
            assert_eq!(done.public_state, PublicState::Cancelled, "{situation:?}");
            let execution = world.execution(id);
            assert_eq!(execution.cancellation_reason.as_deref(), Some("not needed"));
            assert_eq!(execution.cancelled_by.as_deref(), Some(source.as_str()));
            let told = if source == CommandSource::FlowCascade {
                "completed: cancelled by cascade"
            } else {
                "completed: cancelled"
            };
            let mut expected = vec!["released: cancelled", told];
            if !held {
                expected.remove(0);
            }
            assert_eq!(world.told(), expected, "{situation:?}");
            assert_eq!(execution.vector().attempt_state(), if ran { AttemptState::AttemptTerminal } else { before });
            if let Some(attempt) = execution.attempt.as_ref().filter(|_| !ended) {
                assert_eq!(attempt.lifecycle, AttemptLifecycle::EndedCancelled);
                assert_eq!(attempt.failure_reason.as_deref(), Some("cancelled: not needed"));
            }
            let entries = index_entries(&execution);
            assert_eq!(entries.queue, Queue::Terminal { completed_at: world.now });
            assert_eq!((entries.due_at, entries.held_by), (None, None));
        }
    }
}

#[test]
fn cancelling_twice_is_fine_in_all_forms_and_told_once() {
    for source in others().into_iter().chain([holder()]) {
        let Staged { mut world, id, .. } = S::Cancelled.stage();
        world.run(cancel(id, source, FenceTriple::NONE)).unwrap();
        assert!(world.last.is_empty());
        assert_eq!(world.execution(id).cancelled_by.as_deref(), Some("operator_override"));
    }
}

#[test]
fn a_worker_proves_its_whole_fence() {
    for source in [holder(), CommandSource::Custom("worker".into())] {
        for situation in [S::Leased, S::Lapsed, S::Expired] {
            let Staged { mut world, id, fence } = situation.stage();
            refused(world.run(cancel(id, source.clone(), FenceTriple::NONE)), "fence_required");
            let part = FenceTriple { attempt_id: None, ..fence };
            refused(world.run(cancel(id, source.clone(), part)), "partial_fence_triple");
            for wrong in [
                FenceTriple { lease_id: Some(world.lease_id()), ..fence },
                FenceTriple { lease_epoch: fence.lease_epoch.map(LeaseEpoch::next), ..fence },
                FenceTriple { attempt_id: Some(world.attempt_id()), ..fence },
            ] {
                refused(world.run(cancel(id, source.clone(), wrong)), "stale_lease");
                assert!(world.last.is_empty());
            }
            world.run(cancel(id, source.clone(), fence)).unwrap();
        }
        let Staged { mut world, id, fence } = S::Revoked.stage();
        refused(world.run(cancel(id, source.clone(), fence)), "lease_revoked");
        let Staged { mut world, id, fence } = S::Expired.stage();
        world.reclaim(id);
        refused(world.run(cancel(id, source, fence)), "stale_lease");
    }
}

#[test]
fn a_fence_given_by_others_restricts_the_cancellation_except_an_operators() {
    for source in others() {
        let Staged { mut world, id, fence } = S::Leased.stage();
        let part = FenceTriple { lease_id: None, ..fence };
        refused(world.run(cancel(id, source.clone(), part)), "partial_fence_triple");
        let wrong = FenceTriple { lease_id: Some(world.lease_id()), ..fence };
        let result = world.run(cancel(id, source.clone(), wrong));
        if source == operator() {
            result.unwrap();
        } else {
            refused(result, "stale_lease");
            world.run(cancel(id, source, fence)).unwrap();
        }
    }
}

#[test]
fn an_unnamed_source_is_recorded_as_the_execution_itself() {
    let Staged { mut world, id, .. } = S::Eligible.stage();
    world.run(cancel(id, CommandSource::Custom(String::new()), FenceTriple::NONE)).unwrap();
    assert_eq!(world.execution(id).cancelled_by, Some(id.to_string()));
}

#[test]
fn texts_are_bounded_before_anything_else() {
    let Staged { mut world, id, .. } = S::Missing.stage();
    let mut args = cancel(id, operator(), FenceTriple::NONE);
    args.reason = "r".repeat(REASON_BYTES_MAX + 1);
    refused(world.run(args), "invalid_input");
    let named = CommandSource::Custom("s".repeat(KIND_BYTES_MAX + 1));
    refused(world.run(cancel(id, named, FenceTriple::NONE)), "invalid_input");
    refused(world.run(cancel(id, CommandSource::Custom("\0".into()), FenceTriple::NONE)), "invalid_input");
}
