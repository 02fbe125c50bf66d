//! Expiry: attempt timeouts and deadlines.

use crate::fixture::{START, World, holder};
use crate::situation::{self, Situation as S, Staged, fail_args};
use leasehold_core::command::{ExpireExecution, ExpireOutcome, ExpirePhase, MarkLeaseExpired, WaitChildren};
use leasehold_core::ids::{AttemptIndex, ExecutionId};
use leasehold_core::index::{Queue, index_entries};
use leasehold_core::state::{AttemptLifecycle, AttemptState, PublicState};

fn deadline(id: ExecutionId) -> ExpireExecution {
    ExpireExecution { execution_id: id, phase: ExpirePhase::ExecutionDeadline, attempt_index: None }
}

fn timeout(id: ExecutionId, attempt_index: Option<u32>) -> ExpireExecution {
    let attempt_index = attempt_index.map(AttemptIndex);
    ExpireExecution { execution_id: id, phase: ExpirePhase::AttemptTimeout, attempt_index }
}

#[test]
fn the_deadline_ends_an_execution_wherever_it_stands() {
    for &situation in situation::ALL {
        let Staged { mut world, id, .. } = situation.stage();
        if situation == S::Missing || world.execution(id).vector().is_terminal() {
            continue;
        }
        let before = world.execution(id);
        world.now = situation::DEADLINE;
        assert_eq!(world.run(deadline(id)).unwrap(), ExpireOutcome::Expired);
        let execution = world.execution(id);
        assert_eq!(execution.vector().public_state(), PublicState::Expired, "{situation:?}");
        assert_eq!(execution.failure_reason.as_deref(), Some("execution_deadline"));
        let mut told = vec!["released: expired:execution_deadline", "completed: expired"];
        if !before.vector().is_active() {
            told.remove(0);
        }
        assert_eq!(world.told(), told, "{situation:?}");
        let unstarted = before.attempt.is_none();
        let state = if unstarted { before.vector().attempt_state() } else { AttemptState::AttemptTerminal };
        assert_eq!(execution.vector().attempt_state(), state);
        assert_eq!(index_entries(&execution).queue, Queue::Terminal { completed_at: world.now });
        assert_eq!(index_entries(&execution).due_at, None);
        assert_eq!(world.run(deadline(id)).unwrap(), ExpireOutcome::AlreadyTerminal);
        assert!(world.last.is_empty());
    }
}

#[test]
fn an_attempt_timeout_ends_the_execution_without_a_retry() {
    let mut world = World::new();
    let id = world.create_with_policy(r#"{"retry_policy":{"max_retries":9}}"#);
    world.claim_with(id, |args| args.attempt_timeout_ms = Some(100));
    world.pass(99);
    assert_eq!(world.run(timeout(id, Some(0))).unwrap(), ExpireOutcome::NotYetDue);
    assert!(world.last.is_empty());
    world.pass(1);
    assert_eq!(world.run(timeout(id, Some(0))).unwrap(), ExpireOutcome::Expired);
    assert_eq!(world.told(), ["released: expired:attempt_timeout", "completed: expired"]);
    let execution = world.execution(id);
    assert_eq!(execution.failure_reason.as_deref(), Some("attempt_timeout"));
    assert_eq!(execution.attempt.as_ref().unwrap().lifecycle, AttemptLifecycle::EndedFailure);
    assert_eq!(execution.retry_count, 0);
}

#[test]
fn a_timeout_armed_for_another_attempt_does_nothing() {
    let mut world = World::new();
    let id = world.create_with_policy(r#"{"retry_policy":{"backoff":{"type":"fixed","delay_ms":0}}}"#);
    let fence = world.claim_with(id, |args| args.attempt_timeout_ms = Some(100)).fence().into();
    world.run(fail_args(id, fence)).unwrap();
    world.pass(200);
    assert_eq!(world.run(timeout(id, Some(0))).unwrap(), ExpireOutcome::NotArmed, "the attempt ended");
    world.run(leasehold_core::command::PromoteDelayed { execution_id: id }).unwrap();
    world.claim_with(id, |args| args.attempt_timeout_ms = Some(100));
    world.pass(100);
    assert_eq!(world.run(timeout(id, Some(0))).unwrap(), ExpireOutcome::NotArmed);
    assert!(world.last.is_empty());
    assert_eq!(world.run(timeout(id, None)).unwrap(), ExpireOutcome::Expired);
}

#[test]
fn an_interrupted_attempt_does_not_time_out_until_it_goes_on() {
    let mut world = World::new();
    let id = world.create();
    let fence = world.claim_with(id, |args| args.attempt_timeout_ms = Some(100)).fence().into();
    world.run(WaitChildren { execution_id: id, fence, source: holder() }).unwrap();
    world.pass(1000);
    assert_eq!(world.run(timeout(id, Some(0))).unwrap(), ExpireOutcome::NotArmed);
    world.grant(id);
    let args = world.resume_args(id);
    world.run(args).unwrap();
    world.pass(100);
    assert_eq!(world.run(timeout(id, Some(0))).unwrap(), ExpireOutcome::Expired);
}

#[test]
fn a_lapsed_lease_does_not_stop_the_attempt_timeout() {
    let mut world = World::new();
    let id = world.create();
    world.claim_with(id, |args| {
        args.lease_ttl_ms = 10;
        args.attempt_timeout_ms = Some(100);
    });
    world.pass(10);
    world.run(MarkLeaseExpired { execution_id: id }).unwrap();
    world.pass(90);
    assert_eq!(world.run(timeout(id, Some(0))).unwrap(), ExpireOutcome::Expired);
}

#[test]
fn without_a_deadline_none_is_due() {
    let mut world = World::new();
    let id = world.create();
    world.now = START.plus(u64::MAX);
    assert_eq!(world.run(deadline(id)).unwrap(), ExpireOutcome::NotArmed);
}

#[test]
fn phases_read_back() {
    for phase in [ExpirePhase::AttemptTimeout, ExpirePhase::ExecutionDeadline] {
        assert_eq!(ExpirePhase::parse(phase.as_str()), Some(phase));
    }
    assert_eq!(ExpirePhase::parse("soon"), None);
}
