//! `claim_execution`: a worker uses its grant and starts a new attempt.

use crate::case::Case;
use crate::states::LEASED;
use leasehold_contract::{AdmissionBlock, ClaimExecution};
use leasehold_core::command::ClaimedExecution;
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::{AttemptIndex, LaneId, LeaseEpoch, WorkerId, WorkerInstanceId};
use leasehold_core::record::{AttemptTimeout, Holder, Lineage};
use leasehold_core::state::{AttemptLifecycle, AttemptType, TerminalOutcome};
use leasehold_core::time::TimestampMs;
use leasehold_tests::harness::act::{failure, replay};
use leasehold_tests::harness::{INSTANCE, LANE, TTL_MS, WORKER};

pub async fn a_grant_becomes_a_lease_and_a_running_attempt(case: &mut Case) {
    let id = case.granted().await;
    case.advance(5);
    let args = case.claim(id);
    let claimed = case.engine.claim_execution(args.clone()).await.unwrap();
    let expected = ClaimedExecution {
        execution_id: id,
        lease_id: args.lease_id,
        lease_epoch: LeaseEpoch(1),
        attempt_index: AttemptIndex(0),
        attempt_id: args.attempt_id,
        attempt_type: AttemptType::Initial,
        lease_expires_at: case.now().plus(TTL_MS),
        lease_ttl_ms: TTL_MS,
        lane_id: LaneId::new(LANE),
        worker_instance_id: WorkerInstanceId::new(INSTANCE),
        kind: HandleKind::Fresh,
    };
    assert_eq!(claimed.execution, expected);
    assert_eq!(claimed.handle, expected.handle(case.backend.tag()));
    assert_eq!(claimed.handle.kind, HandleKind::Fresh);
    assert_eq!(case.vector(id).await, LEASED);
    assert_eq!(case.story(id).await, ["acquired 1"]);
    let entry = case.entry(id).await;
    assert_eq!((entry.queue.as_str(), entry.score), ("active", case.now().plus(TTL_MS).0));
}

pub async fn record_lease_and_attempt_agree(case: &mut Case) {
    let id = case.granted().await;
    case.advance(5);
    let args = ClaimExecution { attempt_policy_json: Some(r#"{"a":1}"#.to_owned()), ..case.claim(id) };
    case.engine.claim_execution(args.clone()).await.unwrap();
    let now = case.now();
    let record = case.record(id).await;
    assert_eq!((record.total_attempt_count, record.lease_epoch, record.started_at), (1, LeaseEpoch(1), Some(now)));
    assert_eq!((record.grant.as_ref(), record.pending.as_ref()), (None, None));
    assert_eq!((record.last_transition_at, record.last_mutation_at), (now, now));
    let lease = record.lease.as_ref().unwrap();
    assert_eq!((lease.lease_id, lease.attempt_id, lease.lease_epoch), (args.lease_id, args.attempt_id, LeaseEpoch(1)));
    assert_eq!((lease.worker_id.as_str(), lease.worker_instance_id.as_str()), (WORKER, INSTANCE));
    assert_eq!((lease.acquired_at, lease.last_renewed_at, lease.expires_at), (now, now, now.plus(TTL_MS)));
    assert_eq!((lease.renewal_deadline, lease.holder), (now.plus(20_000), Holder::Remote));
    let attempt = record.attempt.as_ref().unwrap();
    assert_eq!((attempt.attempt_id, attempt.index), (args.attempt_id, AttemptIndex(0)));
    assert_eq!((&attempt.lineage, attempt.lifecycle), (&Lineage::Initial, AttemptLifecycle::Started));
    assert_eq!((attempt.created_at, attempt.started_at, attempt.ended_at), (now, now, None));
    assert_eq!((attempt.lease_id, attempt.lease_epoch), (args.lease_id, LeaseEpoch(1)));
    assert_eq!((attempt.worker_id.as_str(), attempt.worker_instance_id.as_str()), (WORKER, INSTANCE));
    assert_eq!(attempt.policy_json.as_deref(), Some(r#"{"a":1}"#));
}

pub async fn the_renewal_deadline_is_two_thirds_rounded_down(case: &mut Case) {
    for (lease_ttl_ms, advice) in [(1, 0), (2, 1), (100, 66), (1000, 666)] {
        let id = case.granted().await;
        case.engine.claim_execution(ClaimExecution { lease_ttl_ms, ..case.claim(id) }).await.unwrap();
        let lease = case.record(id).await.lease.clone().unwrap();
        assert_eq!(lease.renewal_deadline, case.now().plus(advice), "{lease_ttl_ms}");
    }
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    let id = case.id();
    case.refused(id, case.engine.claim_execution(case.claim(id)), "execution_not_found").await;
}

pub async fn what_is_not_eligible_cannot_be_leased(case: &mut Case) {
    for id in [
        case.delayed(1000).await,
        case.blocked(AdmissionBlock::WaitingForCapableWorker).await,
        case.leased().await.execution.execution_id,
        case.lapsed().await.execution.execution_id,
        case.revoked().await.execution.execution_id,
        case.parked(1000).await.execution.execution_id,
        case.retrying().await.execution.execution_id,
        case.ended(TerminalOutcome::Failed).await.execution.execution_id,
    ] {
        case.refused(id, case.engine.claim_execution(case.claim(id)), "execution_not_leaseable").await;
    }
}

pub async fn an_interrupted_attempt_is_not_started_afresh(case: &mut Case) {
    let id = case.resumable().await.execution.execution_id;
    case.refused(id, case.engine.claim_execution(case.claim(id)), "use_claim_resumed_execution").await;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    case.refused(id, case.engine.claim_execution(case.claim(id)), "use_claim_resumed_execution").await;
    case.engine.claim_resumed_execution(case.resume(id)).await.expect("the grant is still there");
}

pub async fn without_a_grant_of_its_own_nobody_claims(case: &mut Case) {
    let id = case.waiting().await;
    case.refused(id, case.engine.claim_execution(case.claim(id)), "invalid_claim_grant").await;
    case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
    let other_worker = ClaimExecution { worker_id: WorkerId::new("other"), ..case.claim(id) };
    case.refused(id, case.engine.claim_execution(other_worker), "invalid_claim_grant").await;
    let other_process = ClaimExecution { worker_instance_id: WorkerInstanceId::new("worker-2"), ..case.claim(id) };
    case.refused(id, case.engine.claim_execution(other_process), "invalid_claim_grant").await;
    case.engine.claim_execution(case.claim(id)).await.expect("the one it names may");
}

pub async fn a_grant_is_good_to_its_last_millisecond(case: &mut Case) {
    let id = case.granted().await;
    case.advance(TTL_MS);
    case.engine.claim_execution(case.claim(id)).await.unwrap();
}

pub async fn a_grant_that_ran_out_is_reported_and_removed(case: &mut Case) {
    let id = case.granted().await;
    case.advance(TTL_MS + 1);
    case.code(case.engine.claim_execution(case.claim(id)).await, "claim_grant_expired");
    assert_eq!(case.record(id).await.grant, None);
    case.refused(id, case.engine.claim_execution(case.claim(id)), "invalid_claim_grant").await;
}

pub async fn another_next_attempt_than_expected_is_refused(case: &mut Case) {
    let id = case.granted().await;
    let wrong = ClaimExecution { expected_attempt_index: Some(AttemptIndex(1)), ..case.claim(id) };
    case.refused(id, case.engine.claim_execution(wrong), "execution_not_leaseable").await;
    let right = ClaimExecution { expected_attempt_index: Some(AttemptIndex(0)), ..case.claim(id) };
    case.engine.claim_execution(right).await.unwrap();
}

pub async fn a_repeat_finds_it_leased(case: &mut Case) {
    let id = case.granted().await;
    let args = case.claim(id);
    case.engine.claim_execution(args.clone()).await.unwrap();
    case.refused(id, case.engine.claim_execution(args), "execution_not_leaseable").await;
}

pub async fn of_two_at_once_one_gets_it(case: &mut Case) {
    let id = case.granted().await;
    let engine = &case.engine;
    let (first, second) = tokio::join!(engine.claim_execution(case.claim(id)), engine.claim_execution(case.claim(id)));
    first.unwrap();
    case.code(second, "execution_not_leaseable");
    assert_eq!(case.story(id).await, ["acquired 1"]);
}

pub async fn a_retry_is_a_new_attempt_that_knows_the_last(case: &mut Case) {
    let first = case.retrying().await.execution;
    let id = first.execution_id;
    let started_at = case.record(id).await.started_at;
    case.advance(500);
    case.promote(id).await;
    let second = case.lease(id).await.execution;
    assert_eq!((second.attempt_type, second.attempt_index), (AttemptType::Retry, AttemptIndex(1)));
    assert_eq!((second.lease_epoch, second.kind), (LeaseEpoch(2), HandleKind::Fresh));
    assert_ne!(second.attempt_id, first.attempt_id);
    let record = case.record(id).await;
    let lineage = Lineage::Retry { retry_reason: "broken pipe".to_owned(), previous_attempt_index: AttemptIndex(0) };
    assert_eq!(record.attempt.as_ref().unwrap().lineage, lineage);
    assert_eq!((record.pending.as_ref(), record.total_attempt_count, record.started_at), (None, 2, started_at));
    assert_eq!(case.vector(id).await, LEASED);
}

pub async fn a_replay_is_a_new_attempt_that_knows_the_last(case: &mut Case) {
    let id = case.completed().await.execution.execution_id;
    let mut again = replay(id);
    again.reason = Some("wrong rate".to_owned());
    again.requested_by = Some("anna".to_owned());
    case.engine.replay_execution(again).await.unwrap();
    let second = case.lease(id).await.execution;
    assert_eq!((second.attempt_type, second.attempt_index), (AttemptType::Replay, AttemptIndex(1)));
    assert_eq!(second.lease_epoch, LeaseEpoch(2));
    let lineage = Lineage::Replay {
        replay_reason: "wrong rate".to_owned(),
        replay_requested_by: "anna".to_owned(),
        replayed_from_attempt_index: Some(AttemptIndex(0)),
    };
    assert_eq!(case.record(id).await.attempt.as_ref().unwrap().lineage, lineage);
}

pub async fn epochs_and_indexes_go_on_over_retries_and_replays(case: &mut Case) {
    let mut held = case.retrying().await.execution;
    let id = held.execution_id;
    for number in 1..4 {
        let delay = case.record(id).await.delay_until.map_or(0, |until| until.since(case.now()));
        case.advance(delay);
        if case.vector(id).await[2] == "not_eligible_until_time" {
            case.promote(id).await;
        }
        held = case.lease(id).await.execution;
        assert_eq!((held.lease_epoch.0, held.attempt_index.0), (number + 1, number as u32));
        case.engine.fail_execution(failure(&held)).await.unwrap();
        if case.vector(id).await[0] == "terminal" {
            case.engine.replay_execution(replay(id)).await.unwrap();
        }
    }
}

pub async fn the_attempts_limit_is_the_arguments_or_the_policys_or_a_day(case: &mut Case) {
    const POLICY: &str = r#"{"timeout_policy":{"attempt_timeout_ms":5000}}"#;
    for (policy, argument, ms) in [
        ("{}", None, 86_400_000),
        ("{}", Some(0), 86_400_000),
        ("{}", Some(70), 70),
        (POLICY, None, 5000),
        (POLICY, Some(0), 5000),
        (POLICY, Some(70), 70),
    ] {
        let id = case.created_under(policy).await;
        case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
        case.engine.claim_execution(ClaimExecution { attempt_timeout_ms: argument, ..case.claim(id) }).await.unwrap();
        let limit = AttemptTimeout::At(case.now().plus(ms));
        assert_eq!(case.record(id).await.attempt_timeout, Some(limit), "{policy} {argument:?}");
        assert_eq!(case.timer(id).await, Some(case.now().plus(ms)));
        assert_eq!(case.entry(id).await.due_at, None, "the owner keeps the timers of what is claimed");
    }
}

pub async fn a_deadline_of_the_claim_replaces_the_stored_one(case: &mut Case) {
    for (argument, ms) in [(None, 50_000), (Some(TimestampMs(0)), 50_000), (Some(case.now().plus(70)), 70)] {
        let id = case.created_under(r#"{"timeout_policy":{"execution_deadline_ms":50000}}"#).await;
        case.engine.issue_claim_grant(case.grant(id)).await.unwrap();
        let args = ClaimExecution { execution_deadline_at: argument, ..case.claim(id) };
        case.engine.claim_execution(args).await.unwrap();
        assert_eq!(case.record(id).await.deadline_at, Some(case.now().plus(ms)), "{argument:?}");
    }
}

pub async fn a_lease_lasts_from_a_millisecond_to_24_days(case: &mut Case) {
    const MOST: u64 = 24 * 86_400_000;
    let id = case.granted().await;
    for lease_ttl_ms in [0, MOST + 1, u64::MAX] {
        let odd = ClaimExecution { lease_ttl_ms, ..case.claim(id) };
        case.refused(id, case.engine.claim_execution(odd), "invalid_input").await;
    }
    case.engine.claim_execution(ClaimExecution { lease_ttl_ms: MOST, ..case.claim(id) }).await.unwrap();
}

pub async fn an_attempt_policy_no_store_can_keep_is_refused(case: &mut Case) {
    let id = case.granted().await;
    for json in ["x".repeat(16 * 1024 + 1), "a\0b".to_owned()] {
        let odd = ClaimExecution { attempt_policy_json: Some(json), ..case.claim(id) };
        case.refused(id, case.engine.claim_execution(odd), "invalid_input").await;
    }
}
