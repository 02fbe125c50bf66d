//! `list_pending_waitpoints`: what an execution waits for, without tokens.

use super::list;
use crate::case::Case;
use futures::future::join_all;
use leasehold_contract::ListPendingWaitpoints;
use leasehold_core::ids::{ExecutionId, WaitpointId};
use leasehold_core::record::{TimeoutBehavior, WaitpointState};
use leasehold_core::suspension::{CompositeBody, CountKind, ResumeCondition, SignalMatcher};
use leasehold_tests::harness::act::cancellation;
use leasehold_tests::harness::{abandonment, by_name, keyed, resumption};

async fn ids(case: &Case, args: ListPendingWaitpoints) -> (Vec<WaitpointId>, Option<WaitpointId>) {
    let page = case.engine.list_pending_waitpoints(args).await.unwrap();
    (page.entries.iter().map(|entry| entry.waitpoint_id).collect(), page.next_cursor)
}

async fn names(case: &Case, id: ExecutionId) -> Vec<Vec<String>> {
    let page = case.engine.list_pending_waitpoints(list(id)).await.unwrap();
    page.entries.into_iter().map(|entry| entry.required_signal_names).collect()
}

pub async fn open_waitpoints_are_shown_without_their_tokens(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let created_at = case.now();
    let pending = case.pending(&held, 60_000).await;
    let taken_over = case.pending(&held, 60_000).await;
    case.advance(5);
    let at = case.now().plus(5000);
    let args = case.suspension_at(&taken_over, by_name("a", "done")).with_timeout(at, TimeoutBehavior::Fail);
    case.suspend(held, args).await;
    case.kill().await;
    let page = case.engine.list_pending_waitpoints(list(id)).await.unwrap();
    assert_eq!((page.entries.len(), page.next_cursor), (2, None));
    let shown = format!("{page:?}");
    for (waitpoint, state, names, activated_at, expires_at) in [
        (&pending, WaitpointState::Pending, vec![], None, created_at.plus(60_000)),
        (&taken_over, WaitpointState::Active, vec!["done".to_owned()], Some(case.now()), at),
    ] {
        let entry = page.entries.iter().find(|entry| entry.waitpoint_id == waitpoint.waitpoint_id).unwrap();
        assert_eq!((entry.waitpoint_key.as_str(), entry.state, entry.execution_id), ("a", state, id));
        assert_eq!(entry.required_signal_names, names);
        assert_eq!((entry.created_at, entry.activated_at), (created_at, activated_at));
        assert_eq!(entry.expires_at, Some(expires_at));
        let token = waitpoint.hmac_token.reveal();
        assert_eq!(entry.token_kid, "k1");
        assert_eq!(entry.token_fingerprint, token["k1:".len()..][..16]);
        assert!(!shown.contains(token), "{shown}");
        assert!(!shown.contains(&token["k1:".len()..]), "{shown}");
    }
}

pub async fn the_names_that_count_are_shown(case: &mut Case) {
    let single = case.suspended(|args| args.resume_condition = by_name("a", "done")).await;
    assert_eq!(names(case, single.id).await, [["done"]]);
    let any = case.waiting_for_signal().await;
    assert_eq!(names(case, any.id).await, [Vec::<String>::new()]);
    let operator = case.suspended(|args| args.resume_condition = ResumeCondition::OperatorOnly).await;
    assert_eq!(names(case, operator.id).await, [["__operator_only__"]]);
    let at = case.now().plus(5000);
    let timeout = case
        .suspended(|args| {
            args.resume_condition = ResumeCondition::TimeoutOnly;
            args.timeout_at = Some(at);
        })
        .await;
    assert_eq!(names(case, timeout.id).await, [["__timeout_only__"]]);
    let count = ResumeCondition::Composite(CompositeBody::Count {
        n: 1,
        count_kind: CountKind::DistinctSources,
        matcher: Some(SignalMatcher::ByName("z".into())),
        waitpoints: vec!["a".into(), "b".into()],
    });
    let members = vec![by_name("a", "x"), count, by_name("b", "y"), keyed("c")];
    let tree = ResumeCondition::Composite(CompositeBody::AllOf { members });
    let composite = case.suspended_on(&["a", "b", "c"], tree).await;
    assert_eq!(names(case, composite.id).await, [vec!["x", "z"], vec!["z", "y"], vec![]]);
}

pub async fn only_open_ones_are_shown(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    assert_eq!(ids(case, list(id)).await, (vec![], None), "it never waited");
    let given_up = case.pending(&held, 60_000).await.waitpoint_id;
    let kept = case.pending(&held, 60_000).await.waitpoint_id;
    case.engine.close_waitpoint(abandonment(id, given_up)).await.unwrap();
    assert_eq!(ids(case, list(id)).await.0, [kept]);
    let args = case.suspension();
    let waiting = case.suspend(held, args).await;
    let mut both = vec![kept, waiting.primary().waitpoint_id];
    both.sort_unstable();
    assert_eq!(ids(case, list(id)).await.0, both);
    case.engine.resume_execution(resumption(id)).await.unwrap();
    assert_eq!(ids(case, list(id)).await.0, [kept]);
    case.engine.cancel_execution(cancellation(id)).await.unwrap();
    assert_eq!(ids(case, list(id)).await, (vec![], None));
}

pub async fn those_of_others_are_not_shown(case: &mut Case) {
    let one = case.waiting_for_signal().await;
    let two = case.waiting_for_signal().await;
    assert_eq!(ids(case, list(one.id)).await.0, [one.primary().waitpoint_id]);
    assert_eq!(ids(case, list(two.id)).await.0, [two.primary().waitpoint_id]);
}

pub async fn pages_follow_each_other_by_id(case: &mut Case) {
    let keys = ["a", "b", "c", "d", "e"];
    let args = case.suspension_on(&keys, ResumeCondition::all_of_waitpoints(keys));
    let mut bindings = args.waitpoints.clone();
    bindings.reverse();
    let held = case.leased().await;
    let waiting = case.suspend(held, args.with_waitpoints(bindings)).await;
    let id = waiting.id;
    let mut all: Vec<_> = waiting.waitpoints().iter().map(|issued| issued.waitpoint_id).collect();
    all.sort_unstable();
    let page = |after, limit| ListPendingWaitpoints { after, limit: Some(limit), ..list(id) };
    assert_eq!(ids(case, page(None, 2)).await, (all[..2].to_vec(), Some(all[1])));
    assert_eq!(ids(case, page(Some(all[1]), 2)).await, (all[2..4].to_vec(), Some(all[3])));
    assert_eq!(ids(case, page(Some(all[3]), 2)).await, (all[4..].to_vec(), None));
    assert_eq!(ids(case, page(Some(all[4]), 2)).await, (vec![], None));
    assert_eq!(ids(case, page(None, 5)).await, (all.clone(), None), "a full page is not followed by an empty one");
    assert_eq!(ids(case, page(None, 0)).await, (all[..1].to_vec(), Some(all[0])), "one at least");
    // One that has closed meanwhile is a good place to go on from.
    case.engine.resume_execution(resumption(id)).await.unwrap();
    assert_eq!(ids(case, page(Some(all[1]), 2)).await, (vec![], None));
}

pub async fn a_page_has_a_hundred_unless_asked_and_a_thousand_at_most(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let made = join_all((0..1005).map(|_| case.pending(&held, 60_000))).await;
    let mut all: Vec<_> = made.iter().map(|pending| pending.waitpoint_id).collect();
    all.sort_unstable();
    assert_eq!(ids(case, list(id)).await, (all[..100].to_vec(), Some(all[99])));
    let most = ListPendingWaitpoints { limit: Some(usize::MAX), ..list(id) };
    assert_eq!(ids(case, most.clone()).await, (all[..1000].to_vec(), Some(all[999])));
    let rest = ListPendingWaitpoints { after: Some(all[999]), ..most };
    assert_eq!(ids(case, rest).await, (all[1000..].to_vec(), None));
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    for id in [case.id(), case.id_in(case.partitions())] {
        case.refused(id, case.engine.list_pending_waitpoints(list(id)), "execution_not_found").await;
    }
}
