//! What people and resumed workers are shown, and what they are not.

use super::fixture::single;
use crate::fixture::World;
use leasehold_core::ids::{AttemptIndex, ExecutionId};
use leasehold_core::record::{SignalKey, SuspensionReason, WaitRecord, WaitpointState, Waits};
use leasehold_core::suspension::ResumeCondition;
use leasehold_core::wait_lists::{
    ResumeSignal, SuspendedCursor, list_pending_waitpoints, list_suspended, observed_signals,
};
use std::sync::Arc;

fn all_waits(w: &World) -> Vec<Arc<Waits>> {
    let of = |record: &WaitRecord| match record {
        WaitRecord::Waits(waits) => Some(waits.clone()),
        _ => None,
    };
    w.wait_records().filter_map(of).collect()
}

#[test]
fn open_waitpoints_are_listed_without_their_tokens() {
    let (mut w, id, _) = World::leased();
    let pending = w.create_waitpoint(id, "later");
    let token = pending.hmac_token.reveal().to_owned();
    let details = w.suspend(id, |args| {
        args.resume_condition = single("a", Some("approved"));
        args.timeout_at = super::fixture::at(77);
    });
    let other = w.create();
    w.claim(other);
    w.suspend(other, |_| {});
    let all = w.waitpoints();
    let page = list_pending_waitpoints(&w.find_waits(id).unwrap(), all.iter().map(AsRef::as_ref), None, None);
    assert_eq!(page.next_cursor, None);
    let [first, second] = &page.entries[..] else { panic!("{page:?}") };
    assert_eq!((first.waitpoint_id, first.state), (pending.waitpoint_id, WaitpointState::Pending));
    assert!(first.required_signal_names.is_empty() && first.activated_at.is_none());
    assert_eq!((second.waitpoint_id, second.waitpoint_key.as_str()), (details.primary.waitpoint_id, "a"));
    assert_eq!(
        (second.state, &second.required_signal_names[..]),
        (WaitpointState::Active, &["approved".to_owned()][..])
    );
    assert_eq!((second.execution_id, second.expires_at), (id, super::fixture::at(77)));
    assert_eq!((first.token_kid.as_str(), &*first.token_fingerprint), ("k1", &token[3..19]));
    let shown = format!("{page:?}");
    assert!(!shown.contains(&token[3..]) && !shown.contains(&details.primary.waitpoint_token.reveal()[3..]));
}

#[test]
fn conditions_without_signals_say_what_they_wait_for() {
    for (condition, expected) in
        [(ResumeCondition::OperatorOnly, "__operator_only__"), (ResumeCondition::TimeoutOnly, "__timeout_only__")]
    {
        let (mut w, id, _) = World::leased();
        w.suspend(id, |args| {
            args.resume_condition = condition;
            args.timeout_at = super::fixture::at(77);
        });
        let all = w.waitpoints();
        let page = list_pending_waitpoints(&w.find_waits(id).unwrap(), all.iter().map(AsRef::as_ref), None, None);
        assert_eq!(page.entries[0].required_signal_names, [expected]);
    }
}

#[test]
fn closed_waitpoints_are_not_listed() {
    let (mut w, id, to) = World::suspended();
    w.deliver(id, to.waitpoint_id, |_| {});
    let all = w.waitpoints();
    let page = list_pending_waitpoints(&w.find_waits(id).unwrap(), all.iter().map(AsRef::as_ref), None, None);
    assert!(page.entries.is_empty() && page.next_cursor.is_none());
}

#[test]
fn pages_of_waitpoints_follow_each_other() {
    let (mut w, id, _) = World::leased();
    let ids: Vec<_> = (0..250).map(|n| w.create_waitpoint(id, &n.to_string()).waitpoint_id).collect();
    let all = w.waitpoints();
    let waits = w.find_waits(id).unwrap();
    for (limit, size) in [(None, 100), (Some(0), 1), (Some(7), 7), (Some(5_000), 250)] {
        let (mut after, mut seen, mut pages) = (None, Vec::new(), 0);
        loop {
            let page = list_pending_waitpoints(&waits, all.iter().map(AsRef::as_ref), after, limit);
            assert!(page.entries.len() <= size);
            seen.extend(page.entries.iter().map(|entry| entry.waitpoint_id));
            pages += 1;
            after = page.next_cursor;
            if after.is_none() {
                break;
            }
        }
        assert_eq!((&seen, pages), (&ids, 250_usize.div_ceil(size)), "{limit:?}");
    }
}

#[test]
fn suspended_executions_are_listed_by_the_time_of_their_suspension() {
    let mut w = World::keyed();
    let mut ids: Vec<ExecutionId> = Vec::new();
    for n in 0..6 {
        let id = w.create();
        w.claim(id);
        w.suspend(id, |args| {
            args.reason_code = SuspensionReason::ManualPause;
            // A deadline, early or late, has no say in the order.
            args.timeout_at = super::fixture::at(1_000_000 - n);
        });
        ids.push(id);
        w.pass(u64::from(n % 2 == 0));
    }
    let list = |w: &World, after, limit| list_suspended(all_waits(w).iter().map(AsRef::as_ref), after, limit);
    let page = list(&w, None, 4);
    assert_eq!(page.entries.iter().map(|entry| entry.execution_id).collect::<Vec<_>>(), ids[..4]);
    assert_eq!(page.entries[0].reason, SuspensionReason::ManualPause);
    assert_eq!(page.entries[3].suspended_at_ms, w.suspension(ids[3]).created_at);
    let cursor = page.next_cursor.unwrap();
    let expected = SuspendedCursor { suspended_at_ms: w.suspension(ids[3]).created_at, execution_id: ids[3] };
    assert_eq!(cursor, expected);
    // The one the cursor names, and one behind it, go on meanwhile.
    for id in [ids[3], ids[4]] {
        let to = w.suspension(id).waitpoints[0].waitpoint_id;
        w.deliver(id, to, |_| {});
    }
    let page = list(&w, Some(cursor), 4);
    assert_eq!(page.entries.iter().map(|entry| entry.execution_id).collect::<Vec<_>>(), ids[5..]);
    assert_eq!(page.next_cursor, None);
    let none = list(&w, None, 0);
    assert!(none.entries.is_empty() && none.next_cursor.is_none());
}

#[test]
fn a_worker_sees_the_signals_that_resumed_it_in_order() {
    let (mut w, id, _) = World::leased();
    let issued = w.suspend_on(id, &["a", "b"], ResumeCondition::all_of_waitpoints(["a", "b"]));
    let [a, b] = [0, 1].map(|at| issued[at].waitpoint_id);
    let (first, _) = w.deliver(id, b, |args| args.correlation_id = Some("c".into()));
    w.deliver(id, b, |_| {});
    assert!(observed_signals(&w.find_waits(id).unwrap(), AttemptIndex(0)).is_empty(), "not before it resumes");
    let (second, _) = w.deliver(id, a, |_| {});
    let observed = observed_signals(&w.find_waits(id).unwrap(), AttemptIndex(0));
    let keys = [SignalKey { waitpoint_id: b, signal_id: first }, SignalKey { waitpoint_id: a, signal_id: second }];
    assert_eq!(observed, keys);
    let shown = ResumeSignal::from(&*w.signal(observed[0]));
    assert_eq!((shown.signal_id, shown.signal_name.as_str()), (first, "approved"));
    assert_eq!((shown.source_type.as_str(), shown.source_identity.as_str()), ("user", "ann"));
    assert_eq!((shown.signal_category.as_str(), shown.correlation_id.as_deref()), ("approval", Some("c")));
    assert_eq!(shown.accepted_at, w.now);
}
