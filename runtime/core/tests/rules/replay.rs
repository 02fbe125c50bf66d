//! Replaying ended executions.

use crate::fixture::{START, World, refused};
use crate::situation::{DEADLINE, Situation as S, Staged, complete_args, fail_args};
use bytes::Bytes;
use leasehold_core::command::{FailOutcome, KIND_BYTES_MAX, REASON_BYTES_MAX, ReplayExecution};
use leasehold_core::ids::{AttemptIndex, ExecutionId};
use leasehold_core::index::Queue;
use leasehold_core::record::{BlobKey, BlobKind, Lineage};
use leasehold_core::state::{AttemptLifecycle, AttemptState, AttemptType, PublicState};

fn replay(id: ExecutionId) -> ReplayExecution {
    ReplayExecution { execution_id: id, requested_by: Some("ops".into()), reason: Some("again".into()) }
}

#[test]
fn a_replay_starts_clean_whatever_the_outcome() {
    for situation in [S::Completed, S::Failed, S::Cancelled, S::CancelledUnstarted, S::TimedOut] {
        let Staged { mut world, id, .. } = situation.stage();
        let ran = world.execution(id).attempt.is_some();
        world.pass(1);
        let replayed = world.run(replay(id)).unwrap();
        assert_eq!(replayed.public_state, PublicState::Waiting);
        assert_eq!(world.told(), ["replay_initiated: 1 normal"]);
        let execution = world.execution(id);
        assert_eq!(execution.vector().attempt_state(), AttemptState::PendingReplayAttempt);
        assert_eq!((execution.replay_count, execution.retry_count), (1, 0));
        assert_eq!((&execution.result, &execution.result_encoding), (&None, &None));
        assert_eq!((&execution.failure_reason, &execution.cancellation_reason), (&None, &None));
        assert_eq!((&execution.cancelled_by, execution.completed_at), (&None, None));
        assert_eq!(world.queue(id), Queue::Ready { rank: execution.rank() });
        refused(world.run(replay(id)), "execution_not_terminal");

        let claimed = world.claim(id);
        assert_eq!((claimed.attempt_type, claimed.attempt_index.0), (AttemptType::Replay, u32::from(ran)));
        let lineage = &world.execution(id).attempt.as_ref().unwrap().lineage.clone();
        let expected = Lineage::Replay {
            replay_reason: "again".into(),
            replay_requested_by: "ops".into(),
            replayed_from_attempt_index: ran.then_some(AttemptIndex(0)),
        };
        assert_eq!(*lineage, expected);
        if ran {
            assert!(world.attempt(id, 0).lifecycle.is_terminal());
        }
    }
}

#[test]
fn the_start_stays_that_of_the_first_attempt() {
    let Staged { mut world, id, .. } = S::Completed.stage();
    world.pass(100);
    world.run(replay(id)).unwrap();
    world.claim(id);
    assert_eq!(world.execution(id).started_at, Some(START));
}

#[test]
fn a_large_result_is_deleted() {
    let Staged { mut world, id, fence } = S::Leased.stage();
    let mut args = complete_args(id, fence);
    args.result_payload = Some(Bytes::from(vec![1; 1000]));
    world.run(args).unwrap();
    let key = BlobKey { execution: id.uuid(), kind: BlobKind::Result };
    assert!(world.blobs.contains_key(&key));
    world.run(replay(id)).unwrap();
    assert!(!world.blobs.contains_key(&key));
}

#[test]
fn retries_start_over_and_reclaims_do_not() {
    let Staged { mut world, id, .. } = S::Expired.stage();
    let fence = world.reclaim(id).fence().into();
    world.run(fail_args(id, fence)).unwrap();
    world.now = world.execution(id).delay_until.unwrap();
    world.run(leasehold_core::command::PromoteDelayed { execution_id: id }).unwrap();
    let fence = world.claim(id).fence().into();
    assert_eq!(world.run(fail_args(id, fence)).unwrap(), FailOutcome::TerminalFailed);
    world.run(replay(id)).unwrap();
    assert_eq!(world.execution(id).lease_reclaim_count, 1);
    let fence = world.claim(id).fence().into();
    assert!(matches!(world.run(fail_args(id, fence)).unwrap(), FailOutcome::RetryScheduled { .. }));
}

#[test]
fn only_a_future_deadline_is_armed_again() {
    let Staged { mut world, id, .. } = S::Completed.stage();
    world.run(replay(id)).unwrap();
    assert_eq!(world.execution(id).deadline_at, Some(DEADLINE));
    let Staged { mut world, id, .. } = S::TimedOut.stage();
    world.run(replay(id)).unwrap();
    assert_eq!(world.execution(id).deadline_at, None);
}

#[test]
fn replays_are_limited_by_the_policy_else_to_ten() {
    for (policy, limit) in [(r#"{"max_replay_count":2}"#, 2), ("{}", 10), (r#"{"max_replay_count":0}"#, 0)] {
        let mut world = World::new();
        let id = world.create_with_policy(policy);
        for _ in 0..limit {
            let fence = world.claim(id).fence().into();
            world.run(complete_args(id, fence)).unwrap();
            world.run(replay(id)).unwrap();
        }
        let fence = world.claim(id).fence().into();
        world.run(complete_args(id, fence)).unwrap();
        refused(world.run(replay(id)), "max_replays_exhausted");
        assert_eq!(world.execution(id).total_attempt_count, limit + 1);
        assert_eq!(world.execution(id).attempt.as_ref().unwrap().lifecycle, AttemptLifecycle::EndedSuccess);
    }
}

#[test]
fn texts_are_bounded() {
    let Staged { mut world, id, .. } = S::Completed.stage();
    let mut args = replay(id);
    args.reason = Some("r".repeat(REASON_BYTES_MAX + 1));
    refused(world.run(args), "invalid_input");
    let mut args = replay(id);
    args.requested_by = Some("b".repeat(KIND_BYTES_MAX + 1));
    refused(world.run(args), "invalid_input");
    world.run(ReplayExecution { execution_id: id, requested_by: None, reason: None }).unwrap();
}
