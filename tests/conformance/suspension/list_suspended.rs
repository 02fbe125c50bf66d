//! `list_suspended`: who is suspended in a partition, the longest first.

use crate::case::Case;
use leasehold_core::ids::ExecutionId;
use leasehold_core::partition::{Partition, PartitionFamily};
use leasehold_core::record::{SuspensionReason, TimeoutBehavior};
use leasehold_core::wait_lists::SuspendedCursor;
use leasehold_tests::harness::act::cancellation;
use leasehold_tests::harness::resumption;

type Cursor = Option<SuspendedCursor>;

async fn page(case: &Case, cursor: Cursor, limit: usize) -> (Vec<ExecutionId>, Cursor) {
    let page = case.engine.list_suspended(Partition::flow(1), cursor, limit).await.unwrap();
    (page.entries.iter().map(|entry| entry.execution_id).collect(), page.next_cursor)
}

async fn all(case: &Case) -> Vec<ExecutionId> {
    let (entries, next) = page(case, None, 100).await;
    assert_eq!(next, None);
    entries
}

/// Suspended so many, a millisecond apart.
async fn suspended(case: &Case, count: usize) -> Vec<ExecutionId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(case.waiting_for_signal().await.id);
        case.advance(1);
    }
    ids
}

pub async fn the_longest_suspended_is_shown_first(case: &mut Case) {
    let at = case.now().plus(1_000_000);
    let first = case.suspended(|args| args.timeout_at = Some(at)).await;
    let since = case.now();
    case.advance(5);
    let second = case
        .suspended(|args| {
            args.reason_code = SuspensionReason::Other("for the moon".into());
            args.timeout_at = Some(args.now.plus(5));
        })
        .await;
    case.kill().await;
    let page = case.engine.list_suspended(Partition::flow(1), None, 10).await.unwrap();
    let shown: Vec<_> =
        page.entries.iter().map(|entry| (entry.execution_id, entry.suspended_at_ms, entry.reason.as_str())).collect();
    let expected = [(first.id, since, "waiting_for_signal"), (second.id, since.plus(5), "for the moon")];
    assert_eq!((shown.as_slice(), page.next_cursor), (&expected[..], None), "whatever their deadlines");
}

pub async fn those_of_one_moment_are_shown_by_id(case: &mut Case) {
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(case.waiting().await);
    }
    for id in ids.iter().rev() {
        let held = case.lease(*id).await;
        let args = case.suspension();
        case.suspend(held, args).await;
    }
    assert_eq!(all(case).await, ids);
}

pub async fn only_who_is_suspended_is_shown(case: &mut Case) {
    let at = case.now().plus(10);
    let signalled = case.waiting_for_signal().await;
    let resumed = case.waiting_for_signal().await.id;
    let cancelled = case.waiting_for_signal().await.id;
    let expired = case.suspended(|args| args.timeout_at = Some(at)).await.id;
    let escalated = case.suspended(|args| *args = args.clone().with_timeout(at, TimeoutBehavior::Escalate)).await.id;
    let still = case.waiting_for_signal().await.id;
    case.leased().await;
    case.parked(1000).await;
    assert_eq!(all(case).await, [signalled.id, resumed, cancelled, expired, escalated, still]);
    case.deliver(case.signal_to(signalled.id, signalled.primary())).await;
    case.engine.resume_execution(resumption(resumed)).await.unwrap();
    case.engine.cancel_execution(cancellation(cancelled)).await.unwrap();
    case.advance(10);
    for id in [expired, escalated] {
        case.engine.expire_suspension(id).await.unwrap();
    }
    assert_eq!(all(case).await, [escalated, still]);
    let page = case.engine.list_suspended(Partition::flow(1), None, 1).await.unwrap();
    assert_eq!(page.entries[0].reason, SuspensionReason::WaitingForOperatorReview);
    // Suspended once more, an execution stands last.
    let held = case.take_again(resumed).await;
    let args = case.suspension();
    case.suspend(held, args).await;
    assert_eq!(all(case).await, [escalated, still, resumed]);
}

pub async fn a_partition_shows_its_own(case: &mut Case) {
    let here = case.waiting_for_signal().await.id;
    let id = case.created(|args| args.execution_id = ExecutionId::from_parts(2, args.execution_id.uuid())).await;
    let held = case.lease(id).await;
    let args = case.suspension();
    case.suspend(held, args).await;
    assert_eq!(all(case).await, [here]);
    let there = case.engine.list_suspended(Partition::flow(2), None, 10).await.unwrap();
    assert_eq!(there.entries.iter().map(|entry| entry.execution_id).collect::<Vec<_>>(), [id]);
}

pub async fn pages_follow_each_other_without_gap_or_repeat(case: &mut Case) {
    let ids = suspended(case, 5).await;
    let (mut seen, mut cursor) = (Vec::new(), None);
    for size in [2, 2, 1] {
        let (entries, next) = page(case, cursor, 2).await;
        assert_eq!((entries.len(), next.is_some()), (size, size == 2));
        seen.extend(entries);
        cursor = next;
    }
    assert_eq!(seen, ids);
    assert_eq!(page(case, None, 5).await, (ids, None), "a full page is not followed by an empty one");
}

pub async fn a_cursor_outlives_what_it_names(case: &mut Case) {
    let ids = suspended(case, 4).await;
    let (_, cursor) = page(case, None, 2).await;
    assert_eq!(cursor.unwrap().execution_id, ids[1]);
    case.engine.resume_execution(resumption(ids[1])).await.unwrap();
    case.kill().await;
    assert_eq!(page(case, cursor, 10).await, (ids[2..].to_vec(), None));
    case.engine.resume_execution(resumption(ids[2])).await.unwrap();
    assert_eq!(page(case, cursor, 10).await, (ids[3..].to_vec(), None));
}

pub async fn a_limit_of_zero_gives_an_empty_page(case: &mut Case) {
    suspended(case, 1).await;
    assert_eq!(page(case, None, 0).await, (vec![], None));
}

pub async fn a_partition_without_executions_is_refused(case: &mut Case) {
    let here = suspended(case, 1).await[0];
    for partition in [Partition::flow(case.partitions()), Partition { family: PartitionFamily::Budget, index: 0 }] {
        case.code(case.engine.list_suspended(partition, None, 10).await, "invalid_input");
    }
    let stranger = SuspendedCursor { suspended_at_ms: case.now(), execution_id: here };
    case.code(case.engine.list_suspended(Partition::flow(0), Some(stranger), 10).await, "invalid_input");
}
