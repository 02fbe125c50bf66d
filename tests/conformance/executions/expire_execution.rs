//! `expire_execution`: an execution whose time is out ends, and no retry
//! follows. Nothing is an error here; what does not apply is an answer.

use crate::case::Case;
use crate::states::{ended, ended_without};
use leasehold_contract::{AdmissionBlock, BlockExecution, ExpireExecution, ExpireOutcome, ExpirePhase};
use leasehold_core::ids::{AttemptIndex, ExecutionId};
use leasehold_core::state::{AttemptLifecycle, TerminalOutcome};
use leasehold_tests::harness::act::{failure, revocation};
use leasehold_tests::harness::{Harness, TTL_MS};

const DEADLINE: &str = r#"{"timeout_policy":{"execution_deadline_ms":60000},"retry_policy":{"max_retries":9}}"#;
const TIMEOUT: &str = r#"{"timeout_policy":{"attempt_timeout_ms":10000},"retry_policy":{"max_retries":9}}"#;

fn expiring(execution_id: ExecutionId, phase: ExpirePhase) -> ExpireExecution {
    ExpireExecution { execution_id, phase, attempt_index: None }
}

async fn expire(case: &Harness, id: ExecutionId, phase: ExpirePhase) -> ExpireOutcome {
    case.engine.expire_execution(expiring(id, phase)).await.expect("never refused")
}

async fn left_alone(case: &Case, args: ExpireExecution) -> ExpireOutcome {
    case.changes_nothing(args.execution_id, case.engine.expire_execution(args.clone())).await
}

pub async fn past_its_deadline_a_waiting_execution_ends(case: &mut Case) {
    let id = case.created_under(DEADLINE).await;
    case.advance(60_000);
    assert_eq!(expire(case, id, ExpirePhase::ExecutionDeadline).await, ExpireOutcome::Expired);
    assert_eq!(case.vector(id).await, ended_without("expired", "pending_first_attempt"));
    assert_eq!(case.story(id).await, ["completed expired"]);
    let record = case.record(id).await;
    assert_eq!((record.failure_reason.as_deref(), record.completed_at), (Some("execution_deadline"), Some(case.now())));
    let entry = case.entry(id).await;
    assert_eq!((entry.queue.as_str(), entry.score, entry.due_at), ("terminal", case.now().0, None));
}

pub async fn past_its_deadline_it_ends_wherever_it_waits(case: &mut Case) {
    let until = case.now().plus(1_000_000);
    let delayed = case.created(|args| {
        args.delay_until = Some(until);
        args.policy_json = leasehold_tests::harness::act::policy(DEADLINE);
    });
    let delayed = delayed.await;
    let blocked = case.created_under(DEADLINE).await;
    let block = BlockExecution { execution_id: blocked, reason: AdmissionBlock::WaitingForQuota, detail: None };
    case.engine.block_execution_for_admission(block).await.unwrap();
    let granted = case.created_under(DEADLINE).await;
    let args = leasehold_contract::IssueClaimGrant { grant_ttl_ms: 1_000_000, ..case.grant(granted) };
    case.engine.issue_claim_grant(args).await.unwrap();
    case.advance(60_000);
    for id in [delayed, blocked, granted] {
        assert_eq!(expire(case, id, ExpirePhase::ExecutionDeadline).await, ExpireOutcome::Expired);
        assert_eq!(case.vector(id).await, ended_without("expired", "pending_first_attempt"));
        assert_eq!(case.record(id).await.grant, None);
    }
}

pub async fn past_its_deadline_a_running_execution_ends_and_is_not_retried(case: &mut Case) {
    let id = case.created_under(DEADLINE).await;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    let claim = leasehold_contract::ClaimExecution { lease_ttl_ms: 90_000, ..case.claim(id) };
    let held = case.engine.claim_execution(claim).await.unwrap().execution;
    case.advance(60_000);
    assert_eq!(expire(case, id, ExpirePhase::ExecutionDeadline).await, ExpireOutcome::Expired);
    assert_eq!(case.vector(id).await, ended("expired"));
    let story = ["acquired 1", "released 1 expired:execution_deadline", "completed expired"];
    assert_eq!(case.story(id).await, story);
    let record = case.record(id).await;
    let attempt = record.attempt.as_ref().unwrap();
    assert_eq!((attempt.lifecycle, attempt.ended_at), (AttemptLifecycle::EndedFailure, Some(case.now())));
    assert_eq!((record.lease.as_ref(), record.retry_count), (None, 0));
    case.other_refused(id, case.engine.fail_execution(failure(&held)), "execution_not_active").await;
}

pub async fn an_attempt_over_its_time_ends_the_execution(case: &mut Case) {
    let held = case.leased_under(TIMEOUT).await.execution;
    let id = held.execution_id;
    case.advance(10_000);
    assert_eq!(expire(case, id, ExpirePhase::AttemptTimeout).await, ExpireOutcome::Expired);
    assert_eq!(case.vector(id).await, ended("expired"));
    assert_eq!(case.story(id).await, ["acquired 1", "released 1 expired:attempt_timeout", "completed expired"]);
    let record = case.record(id).await;
    assert_eq!(record.failure_reason.as_deref(), Some("attempt_timeout"));
    assert_eq!(record.attempt.as_ref().unwrap().failure_reason.as_deref(), Some("attempt_timeout"));
}

pub async fn a_lapsed_lease_does_not_stop_the_clocks(case: &mut Case) {
    let held = case.leased_under(r#"{"timeout_policy":{"attempt_timeout_ms":40000}}"#).await;
    let id = held.execution.execution_id;
    case.lapse(held).await;
    case.advance(40_000 - TTL_MS);
    assert_eq!(expire(case, id, ExpirePhase::AttemptTimeout).await, ExpireOutcome::Expired);
    let story = ["acquired 1", "expired 1", "released 1 expired:attempt_timeout", "completed expired"];
    assert_eq!(case.story(id).await, story);
}

pub async fn a_revocation_stops_the_attempts_clock_and_not_the_deadline(case: &mut Case) {
    const BOTH: &str = r#"{"timeout_policy":{"attempt_timeout_ms":100,"execution_deadline_ms":1000}}"#;
    let id = case.leased_under(BOTH).await.execution.execution_id;
    case.engine.revoke_lease(revocation(id)).await.unwrap();
    case.advance(1000);
    let args = expiring(id, ExpirePhase::AttemptTimeout);
    assert_eq!(left_alone(case, args).await, ExpireOutcome::NotArmed);
    assert_eq!(expire(case, id, ExpirePhase::ExecutionDeadline).await, ExpireOutcome::Expired);
}

pub async fn a_clock_is_due_when_its_time_is_reached_and_not_before(case: &mut Case) {
    for (policy, phase, ms) in
        [(DEADLINE, ExpirePhase::ExecutionDeadline, 60_000), (TIMEOUT, ExpirePhase::AttemptTimeout, 10_000)]
    {
        let id = case.leased_under(policy).await.execution.execution_id;
        assert_eq!(left_alone(case, expiring(id, phase)).await, ExpireOutcome::NotYetDue);
        case.advance(ms - 1);
        assert_eq!(left_alone(case, expiring(id, phase)).await, ExpireOutcome::NotYetDue);
        case.advance(1);
        assert_eq!(expire(case, id, phase).await, ExpireOutcome::Expired);
    }
}

pub async fn a_clock_that_does_not_run_ends_nothing(case: &mut Case) {
    let waiting = case.created_under(TIMEOUT).await;
    let parked = case.leased_under(TIMEOUT).await;
    case.engine.delay(&parked.handle, case.now().plus(90_000)).await.unwrap();
    let leased = case.leased().await.execution.execution_id;
    case.advance(20_000);
    for args in [
        expiring(waiting, ExpirePhase::AttemptTimeout),
        expiring(waiting, ExpirePhase::ExecutionDeadline),
        expiring(parked.execution.execution_id, ExpirePhase::AttemptTimeout),
        expiring(leased, ExpirePhase::ExecutionDeadline),
    ] {
        assert_eq!(left_alone(case, args).await, ExpireOutcome::NotArmed);
    }
}

pub async fn a_timeout_ends_only_the_attempt_it_was_armed_for(case: &mut Case) {
    let held = case.leased_under(r#"{"timeout_policy":{"attempt_timeout_ms":20000}}"#).await;
    let id = held.execution.execution_id;
    case.engine.revoke_lease(revocation(id)).await.unwrap();
    case.reclaim_lost(id).await;
    case.advance(20_000);
    let of = |index| ExpireExecution {
        attempt_index: Some(AttemptIndex(index)),
        ..expiring(id, ExpirePhase::AttemptTimeout)
    };
    assert_eq!(left_alone(case, of(0)).await, ExpireOutcome::NotArmed);
    assert_eq!(case.engine.expire_execution(of(1)).await, Ok(ExpireOutcome::Expired));
}

pub async fn what_has_ended_stays_as_it_ended(case: &mut Case) {
    for outcome in [TerminalOutcome::Success, TerminalOutcome::Cancelled, TerminalOutcome::Expired] {
        let id = case.ended(outcome).await.execution.execution_id;
        for phase in [ExpirePhase::AttemptTimeout, ExpirePhase::ExecutionDeadline] {
            assert_eq!(left_alone(case, expiring(id, phase)).await, ExpireOutcome::AlreadyTerminal);
        }
    }
}

pub async fn an_unknown_execution_is_an_answer(case: &mut Case) {
    for id in [case.id(), case.id_in(case.partitions())] {
        let args = expiring(id, ExpirePhase::ExecutionDeadline);
        assert_eq!(left_alone(case, args).await, ExpireOutcome::NotFoundCleaned);
    }
}
