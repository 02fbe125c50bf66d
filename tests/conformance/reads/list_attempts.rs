//! `list_attempts`: the attempts of an execution, by index.

use crate::case::Case;
use leasehold_contract::{AttemptPage, AttemptView};
use leasehold_core::ids::{AttemptIndex, ExecutionId, LeaseEpoch, WorkerId, WorkerInstanceId};
use leasehold_core::state::{AttemptLifecycle, AttemptType};
use leasehold_tests::harness::act::{completion, failure, replay, revocation};
use leasehold_tests::harness::{INSTANCE, WORKER};

/// An execution with an initial, a retried, a reclaimed and a replayed
/// attempt.
async fn eventful(case: &Case) -> ExecutionId {
    let id = case.retrying().await.execution.execution_id;
    case.advance(500);
    case.promote(id).await;
    case.lease(id).await;
    case.engine.revoke_lease(revocation(id)).await.unwrap();
    let reclaimed = case.reclaim_lost(id).await.execution;
    case.engine.complete_execution(completion(&reclaimed)).await.unwrap();
    case.engine.replay_execution(replay(id)).await.unwrap();
    case.lease(id).await;
    id
}

pub async fn a_running_attempt_shows_its_lease_and_worker(case: &mut Case) {
    let id = case.waiting().await;
    case.advance(5);
    let held = case.lease(id).await.execution;
    let expected = AttemptView {
        attempt_id: held.attempt_id,
        attempt_index: AttemptIndex(0),
        attempt_type: AttemptType::Initial,
        lifecycle: AttemptLifecycle::Started,
        started_at: case.now(),
        ended_at: None,
        resumed_at: None,
        suspended_at: None,
        lease_id: held.lease_id,
        lease_epoch: LeaseEpoch(1),
        worker_id: WorkerId::new(WORKER),
        worker_instance_id: WorkerInstanceId::new(INSTANCE),
        failure_reason: None,
        failure_category: None,
    };
    let page = case.engine.list_attempts(id, None, 10).await.unwrap();
    assert_eq!(page, AttemptPage { attempts: vec![expected], next_cursor: None });
}

pub async fn an_attempt_shows_its_interruptions_and_its_end(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    case.advance(5);
    case.engine.delay(&held.handle, case.now()).await.unwrap();
    let only = async |case: &Case| case.engine.list_attempts(id, None, 10).await.unwrap().attempts.remove(0);
    let suspended = only(case).await;
    assert_eq!((suspended.lifecycle, suspended.suspended_at), (AttemptLifecycle::Suspended, Some(case.now())));
    case.advance(5);
    case.promote(id).await;
    let resumed_at = case.now();
    let again = case.engine.issue_grant_and_claim(case.seize(id)).await.unwrap().execution;
    let resumed = only(case).await;
    assert_eq!((resumed.lifecycle, resumed.resumed_at), (AttemptLifecycle::Started, Some(resumed_at)));
    assert_eq!((resumed.suspended_at, resumed.lease_epoch), (None, LeaseEpoch(2)));
    assert_eq!(resumed.worker_id.as_str(), "operator");
    case.advance(5);
    case.engine.fail_execution(failure(&again)).await.unwrap();
    let ended = only(case).await;
    assert_eq!((ended.lifecycle, ended.ended_at), (AttemptLifecycle::EndedFailure, Some(case.now())));
    assert_eq!(
        (ended.failure_reason.as_deref(), ended.failure_category.as_deref()),
        (Some("broken pipe"), Some("net"))
    );
}

pub async fn each_attempt_tells_why_it_exists(case: &mut Case) {
    let id = eventful(case).await;
    let page = case.engine.list_attempts(id, None, 10).await.unwrap();
    assert_eq!(page.next_cursor, None);
    let kinds: Vec<_> = page.attempts.iter().map(|attempt| (attempt.attempt_type, attempt.lifecycle)).collect();
    let expected = [
        (AttemptType::Initial, AttemptLifecycle::EndedFailure),
        (AttemptType::Retry, AttemptLifecycle::InterruptedReclaimed),
        (AttemptType::Reclaim, AttemptLifecycle::EndedSuccess),
        (AttemptType::Replay, AttemptLifecycle::Started),
    ];
    assert_eq!(kinds, expected);
    let indexes: Vec<_> = page.attempts.iter().map(|attempt| attempt.attempt_index.0).collect();
    assert_eq!(indexes, [0, 1, 2, 3]);
    case.kill().await;
    assert_eq!(case.engine.list_attempts(id, None, 10).await, Ok(page));
}

pub async fn pages_follow_each_other_without_gap_or_repeat(case: &mut Case) {
    let id = eventful(case).await;
    for limit in 1..=5 {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = case.engine.list_attempts(id, cursor, limit).await.unwrap();
            assert!(page.attempts.len() <= limit);
            seen.extend(page.attempts.iter().map(|attempt| attempt.attempt_index.0));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, [0, 1, 2, 3], "pages of {limit}");
    }
    let beyond = case.engine.list_attempts(id, Some(AttemptIndex(3)), 10).await;
    assert_eq!(beyond, Ok(AttemptPage::default()));
}

pub async fn without_attempts_the_page_is_empty(case: &mut Case) {
    let id = case.waiting().await;
    assert_eq!(case.engine.list_attempts(id, None, 10).await, Ok(AttemptPage::default()));
}

pub async fn a_limit_of_zero_gives_an_empty_page(case: &mut Case) {
    let id = case.leased().await.execution.execution_id;
    assert_eq!(case.engine.list_attempts(id, None, 0).await, Ok(AttemptPage::default()));
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    case.code(case.engine.list_attempts(case.id(), None, 10).await, "execution_not_found");
    case.code(case.engine.list_attempts(case.id_in(u16::MAX), None, 10).await, "execution_not_found");
}
