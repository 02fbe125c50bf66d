//! `list_expired_leases`: active executions whose lease ran out, over all
//! partitions.

use crate::case::{Case, meets};
use leasehold_contract::{Claimed, ExpiredLeaseEntry, ExpiredLeasesPage, ListExpiredLeases};
use leasehold_core::ids::{AttemptIndex, ExecutionId, LeaseEpoch, Namespace, WorkerInstanceId};
use leasehold_tests::harness::act::{completion, renewal, revocation};
use leasehold_tests::harness::{INSTANCE, TTL_MS};

async fn list(case: &Case, args: ListExpiredLeases) -> ExpiredLeasesPage {
    case.engine.list_expired_leases(args).await.unwrap()
}

async fn listed(case: &Case, args: ListExpiredLeases) -> Vec<ExecutionId> {
    list(case, args).await.entries.iter().map(|entry| entry.execution_id).collect()
}

async fn leased_in(case: &Case, partition: u16) -> Claimed {
    let at = |uuid| ExecutionId::from_parts(partition, uuid);
    let id = case.created(|args| args.execution_id = at(args.execution_id.uuid())).await;
    case.lease(id).await
}

pub async fn a_lease_is_listed_once_it_has_run_out_marked_or_not(case: &mut Case) {
    let held = case.leased().await.execution;
    case.advance(TTL_MS - 1);
    assert_eq!(list(case, ListExpiredLeases::default()).await, ExpiredLeasesPage::default());
    case.advance(1);
    let expected = ExpiredLeaseEntry {
        execution_id: held.execution_id,
        lease_id: held.lease_id,
        lease_epoch: LeaseEpoch(1),
        worker_instance_id: WorkerInstanceId::new(INSTANCE),
        expires_at: held.lease_expires_at,
        attempt_index: AttemptIndex(0),
    };
    let page = ExpiredLeasesPage { entries: vec![expected], next: None };
    assert_eq!(list(case, ListExpiredLeases::default()).await, page);
    meets(case.engine.renew_lease(renewal(&held)).await, "lease_expired");
    assert_eq!(list(case, ListExpiredLeases::default()).await, page);
}

pub async fn what_was_revoked_released_or_reclaimed_is_not_listed(case: &mut Case) {
    let revoked = case.leased().await.execution;
    let completed = case.leased().await.execution;
    case.leased().await;
    case.engine.revoke_lease(revocation(revoked.execution_id)).await.unwrap();
    case.engine.complete_execution(completion(&completed)).await.unwrap();
    case.waiting().await;
    let lost = case.lapsed().await.execution.execution_id;
    case.reclaim_lost(lost).await;
    let left = listed(case, ListExpiredLeases::default()).await;
    assert_eq!(left.len(), 1);
    for gone in [revoked.execution_id, completed.execution_id, lost] {
        assert!(!left.contains(&gone));
    }
}

pub async fn a_renewal_that_is_only_promised_counts(case: &mut Case) {
    let held = case.leased().await.execution;
    case.advance(TTL_MS / 3);
    case.engine.renew_lease(renewal(&held)).await.unwrap();
    case.advance(TTL_MS - 1);
    assert_eq!(listed(case, ListExpiredLeases::default()).await, []);
    case.advance(1);
    assert_eq!(listed(case, ListExpiredLeases::default()).await, [held.execution_id]);
}

pub async fn entries_come_by_expiry_then_by_execution_over_all_partitions(case: &mut Case) {
    let late = leased_in(case, 0).await.execution.execution_id;
    let mut expected = Vec::new();
    case.advance(1);
    for partition in [3, 1, 2] {
        expected.push(leased_in(case, partition).await.execution.execution_id);
    }
    expected.sort();
    case.advance(TTL_MS);
    expected.insert(0, late);
    assert_eq!(listed(case, ListExpiredLeases::default()).await, expected);
}

pub async fn pages_follow_each_other_without_gap_or_repeat(case: &mut Case) {
    let mut all = Vec::new();
    for partition in 0..case.partitions() {
        for _ in 0..3 {
            all.push(leased_in(case, partition).await.execution.execution_id);
        }
    }
    case.advance(TTL_MS);
    all.sort();
    for limit in [1, 2, 5, 12, 13] {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = list(case, ListExpiredLeases { after, limit: Some(limit), ..Default::default() }).await;
            assert!(page.entries.len() <= limit);
            seen.extend(page.entries.iter().map(|entry| entry.execution_id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, all, "pages of {limit}");
    }
}

pub async fn a_limit_of_zero_gives_an_empty_page(case: &mut Case) {
    case.overdue().await;
    let page = list(case, ListExpiredLeases { limit: Some(0), ..Default::default() }).await;
    assert_eq!(page, ExpiredLeasesPage::default());
}

pub async fn any_time_may_be_asked_about(case: &mut Case) {
    let held = case.leased().await.execution;
    let at = |time| ListExpiredLeases { as_of: Some(time), ..Default::default() };
    assert_eq!(listed(case, at(held.lease_expires_at.minus(1))).await, []);
    assert_eq!(listed(case, at(held.lease_expires_at)).await, [held.execution_id]);
}

pub async fn only_the_namespace_asked_for_is_listed(case: &mut Case) {
    let mine = case.leased().await.execution.execution_id;
    let other = case.created(|args| args.namespace = Namespace::new("other")).await;
    case.lease(other).await;
    case.advance(TTL_MS);
    for (namespace, expected) in [(None, vec![mine, other]), (Some("other"), vec![other]), (Some("none"), vec![])] {
        let namespace = namespace.map(Namespace::new);
        assert_eq!(listed(case, ListExpiredLeases { namespace, ..Default::default() }).await, expected);
    }
}
