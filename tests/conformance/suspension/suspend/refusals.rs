//! What is refused, and in which order.

use super::try_suspend;
use crate::case::Case;
use crate::suspension::detail;
use leasehold_actors::env::WaitpointKey;
use leasehold_contract::SuspendArgs;
use leasehold_core::ids::AttemptIndex;
use leasehold_core::record::{SuspensionReason, TimeoutBehavior};
use leasehold_core::suspension::{CompositeBody, CountKind, ResumeCondition, SignalMatcher, WaitpointBinding};
use leasehold_tests::harness::{by_name, keyed};

fn all_of(members: Vec<ResumeCondition>) -> ResumeCondition {
    ResumeCondition::Composite(CompositeBody::AllOf { members })
}

fn count(n: u32, count_kind: CountKind, matcher: Option<&str>, keys: &[&str]) -> ResumeCondition {
    let matcher = matcher.map(|name| SignalMatcher::ByName(name.into()));
    let waitpoints = keys.iter().map(|key| (*key).to_owned()).collect();
    ResumeCondition::Composite(CompositeBody::Count { n, count_kind, matcher, waitpoints })
}

fn nested(depth: usize, inner: ResumeCondition) -> ResumeCondition {
    (0..depth).fold(inner, |inner, _| all_of(vec![inner]))
}

/// Expects each of the suspends to be refused in exactly these words.
async fn refused(case: &Case, refusals: Vec<(SuspendArgs, String)>) {
    let held = case.leased().await;
    for (args, words) in refusals {
        let error = case.refused(held.execution.execution_id, try_suspend(case, &held.handle, &args), "invalid_input");
        assert_eq!(detail(&error.await), words);
    }
}

pub async fn bindings_and_condition_must_fit(case: &mut Case) {
    let pending = || WaitpointBinding::UsePending { waitpoint_id: case.waitpoint_id() };
    let two = || ResumeCondition::all_of_waitpoints(["a", "b"]);
    let on = |keys: &[&str], condition| case.suspension_on(keys, condition);
    refused(
        case,
        vec![
            (on(&[], keyed("a")), "waitpoints_empty".into()),
            (on(&["b"], keyed("a")), "waitpoint_key_mismatch".into()),
            (on(&["a", "b", ""], two()), "additional_waitpoint_binding_empty_key at waitpoints[2]".into()),
            (
                on(&["a", "b"], two()).with_waitpoint(pending()),
                "additional_waitpoint_binding_must_be_fresh at waitpoints[2]".into(),
            ),
            (
                on(&["a", "b"], ResumeCondition::all_of_waitpoints(["a", "b", "c"])),
                "referenced_waitpoint_key_missing_binding: c".into(),
            ),
            (on(&["a"], two()), "referenced_waitpoint_key_missing_binding: b".into()),
            (
                on(&[], two()).with_waitpoint(pending()).with_waitpoint(case.fresh("b")),
                "referenced_waitpoint_key_missing_binding: a".into(),
            ),
            (on(&["a", "b", "c"], two()), "extra_binding_not_referenced_by_condition: c".into()),
            (on(&["z", "a"], all_of(vec![keyed("a")])), "extra_binding_not_referenced_by_condition: z".into()),
            (on(&["a", "b"], keyed("a")), "extra_binding_not_referenced_by_condition: b".into()),
            (on(&["a", "b"], ResumeCondition::OperatorOnly), "extra_binding_not_referenced_by_condition: a".into()),
            (on(&["a", "b"], ResumeCondition::TimeoutOnly), "extra_binding_not_referenced_by_condition: a".into()),
            (
                on(&[], keyed("b")).with_waitpoint(pending()).with_waitpoint(case.fresh("b")),
                "use_pending_with_extras_unsupported".into(),
            ),
        ],
    )
    .await;
}

pub async fn a_waitpoint_is_named_once(case: &mut Case) {
    let id = case.waitpoint_id();
    let fresh = |key: &str| WaitpointBinding::Fresh { waitpoint_id: id, waitpoint_key: key.into() };
    let twice = case.suspension_on(&[], ResumeCondition::all_of_waitpoints(["a", "b"]));
    let twice = twice.with_waitpoints(vec![fresh("a"), fresh("b")]);
    let same_key = case.suspension_on(&["a", "a"], ResumeCondition::all_of_waitpoints(["a"]));
    let by_id = format!("duplicate_waitpoint_binding: {id}");
    refused(case, vec![(twice, by_id), (same_key, "duplicate_waitpoint_binding: a".into())]).await;
}

pub async fn a_deadline_is_needed_and_not_long_past(case: &mut Case) {
    let late = |args: SuspendArgs| {
        let at = args.now.minus(600_001);
        args.with_timeout(at, TimeoutBehavior::Fail)
    };
    let only = case.suspension_on(&["a"], ResumeCondition::TimeoutOnly);
    refused(
        case,
        vec![(only, "timeout_only_without_deadline".into()), (late(case.suspension()), "timeout_at_in_past".into())],
    )
    .await;
}

pub async fn names_of_signals_are_neither_empty_nor_reserved(case: &mut Case) {
    let on = |condition| case.suspension_on(&["a"], condition);
    let empty = "resume_condition: empty signal name (use Wildcard instead)";
    let mut refusals = vec![
        (on(by_name("a", "")), empty.to_owned()),
        (on(all_of(vec![keyed("a"), by_name("a", "")])), empty.to_owned()),
        (on(count(1, CountKind::DistinctSignals, Some(""), &["a"])), empty.to_owned()),
    ];
    for name in ["__operator_only__", "__timeout_only__", "__timeout__"] {
        let words = format!("reserved_signal_name: {name}");
        refusals.push((on(by_name("a", name)), words.clone()));
        refusals.push((on(all_of(vec![count(1, CountKind::DistinctSources, Some(name), &["a"])])), words));
    }
    refused(case, refusals).await;
}

pub async fn conditions_nest_four_deep(case: &mut Case) {
    let on = |condition| case.suspension_on(&["a"], condition);
    let at = |levels: usize| vec!["members[0]"; levels].join(".");
    refused(
        case,
        vec![
            (on(nested(5, keyed("a"))), format!("depth 5 exceeds cap 4 at path {}", at(4))),
            (on(nested(9, keyed("a"))), format!("depth 5 exceeds cap 4 at path {}", at(4))),
            (
                on(all_of(vec![keyed("a"), nested(4, keyed("a"))])),
                "depth 5 exceeds cap 4 at path members[1].members[0].members[0].members[0]".into(),
            ),
        ],
    )
    .await;
    let held = case.leased().await;
    let deepest = on(nested(4, keyed("a")));
    let waiting = case.suspend(held, deepest).await;
    assert_eq!(case.deliver(case.signal_to(waiting.id, waiting.primary())).await, "resume_condition_satisfied");
}

pub async fn every_part_of_a_condition_can_be_met(case: &mut Case) {
    let on = |condition| case.suspension_on(&["a"], condition);
    let signals = CountKind::DistinctSignals;
    let never = count(2, CountKind::DistinctWaitpoints, None, &["a"]);
    refused(
        case,
        vec![
            (on(all_of(vec![])), "allof_empty_members at path <root>".into()),
            (on(all_of(vec![keyed("a"), all_of(vec![])])), "allof_empty_members at path members[1]".into()),
            (on(count(0, signals, None, &["a"])), "count_n_zero at path <root>".into()),
            (
                on(all_of(vec![all_of(vec![keyed("a"), count(0, signals, None, &["a"])])])),
                "count_n_zero at path members[0].members[1]".into(),
            ),
            (on(count(1, signals, None, &[])), "count_waitpoints_empty at path <root>".into()),
            (on(never.clone()), "count_exceeds_waitpoint_set: n=2 > waitpoints.len()=1 at path <root>".into()),
            (
                on(all_of(vec![keyed("a"), never])),
                "count_exceeds_waitpoint_set: n=2 > waitpoints.len()=1 at path members[1]".into(),
            ),
        ],
    )
    .await;
    // As many signals or senders as are asked for may come to one waitpoint.
    for kind in [CountKind::DistinctSignals, CountKind::DistinctSources] {
        let held = case.leased().await;
        let args = on(count(2, kind, None, &["a"]));
        case.suspend(held, args).await;
    }
}

pub async fn the_first_check_that_fails_speaks(case: &mut Case) {
    let past = |args: SuspendArgs| {
        let at = args.now.minus(600_001);
        args.with_timeout(at, TimeoutBehavior::Fail)
    };
    let on = |keys: &[&str], condition| case.suspension_on(keys, condition);
    let worse = || all_of(vec![by_name("a", "__timeout__"), nested(5, all_of(vec![]))]);
    refused(
        case,
        vec![
            (past(on(&[], by_name("a", ""))), "waitpoints_empty".into()),
            (past(on(&["b", ""], by_name("a", ""))), "waitpoint_key_mismatch".into()),
            (past(on(&["b", ""], worse())), "additional_waitpoint_binding_empty_key at waitpoints[1]".into()),
            (past(on(&["b", "c"], worse())), "referenced_waitpoint_key_missing_binding: a".into()),
            (past(on(&["a", "c"], worse())), "extra_binding_not_referenced_by_condition: c".into()),
            (
                past(on(&["a"], all_of(vec![by_name("a", ""), nested(5, keyed("a"))]))),
                "resume_condition: empty signal name (use Wildcard instead)".into(),
            ),
            (past(on(&["a"], worse())), "timeout_at_in_past".into()),
            (on(&["a"], worse()), "depth 5 exceeds cap 4 at path members[1].members[0].members[0].members[0]".into()),
            (
                on(&["a"], all_of(vec![by_name("a", "__timeout__"), all_of(vec![])])),
                "allof_empty_members at path members[1]".into(),
            ),
        ],
    )
    .await;
}

pub async fn texts_no_store_can_keep_are_refused(case: &mut Case) {
    let long = "x".repeat(257);
    let reason = |text: &str| {
        let mut args = case.suspension();
        args.reason_code = SuspensionReason::Other(text.to_owned());
        args
    };
    let on = |key: &str| case.suspension_on(&[key], keyed(key));
    refused(
        case,
        vec![
            (reason(""), "reason_code: empty".into()),
            (reason(&long), "reason_code: 257 bytes, at most 256".into()),
            (reason("a\0b"), "reason_code: NUL byte".into()),
            (on(""), "waitpoint_key: empty".into()),
            (on(&long), "waitpoint_key: 257 bytes, at most 256".into()),
            (on("a\0"), "waitpoint_key: NUL byte".into()),
            (case.suspension_on(&["a"], by_name("a", &long)), "signal_name: 257 bytes, at most 256".into()),
            (case.suspension().with_idempotency_key(long.clone()), "idempotency_key: 257 bytes, at most 256".into()),
            (case.suspension().with_idempotency_key("\0"), "idempotency_key: NUL byte".into()),
            (
                case.suspension().with_continuation_metadata_pointer("x".repeat(16 * 1024 + 1)),
                "continuation_metadata_pointer: 16385 bytes, at most 16384".into(),
            ),
        ],
    )
    .await;
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let (key, pointer) = ("k".repeat(256), "x".repeat(16 * 1024));
    let args = on(&key).with_idempotency_key("i".repeat(256)).with_continuation_metadata_pointer(pointer.clone());
    let waiting = case.suspend(held, args).await;
    assert_eq!(&*case.waitpoint(id, waiting.primary().waitpoint_id).await.waitpoint_key, key);
    assert_eq!(case.last_suspension(id).await.continuation_metadata_pointer.as_deref(), Some(pointer.as_str()));
}

pub async fn a_suspension_has_256_waitpoints_at_most(case: &mut Case) {
    let keys: Vec<String> = (0..257).map(|number| format!("k{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let on = |keys: &[&str]| case.suspension_on(keys, count(2, CountKind::DistinctWaitpoints, None, keys));
    refused(case, vec![(on(&keys), "waitpoints: 257, at most 256".into())]).await;
    let held = case.leased().await;
    let args = on(&keys[..256]);
    let waiting = case.suspend(held, args).await;
    let issued = waiting.waitpoints();
    assert_eq!(issued.len(), 256);
    assert_eq!(case.deliver(case.signal_to(waiting.id, issued[255])).await, "appended_to_waitpoint");
    assert_eq!(case.deliver(case.signal_to(waiting.id, issued[0])).await, "resume_condition_satisfied");
    for issued in issued {
        assert!(!case.waitpoint(waiting.id, issued.waitpoint_id).await.is_open());
    }
}

pub async fn a_condition_has_a_thousand_and_24_items_at_most(case: &mut Case) {
    let of = |keys: usize| case.suspension_on(&["a"], count(1, CountKind::DistinctSignals, None, &vec!["a"; keys]));
    refused(case, vec![(of(1024), "resume_condition: 1025 nodes and keys, at most 1024".into())]).await;
    let held = case.leased().await;
    let args = of(1023);
    case.suspend(held, args).await;
}

pub async fn checks_run_in_their_order(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let held = case.leased().await;
    let wrong = || case.suspension_on(&["b"], keyed("a")).with_idempotency_key("once");
    let suspended = held.execution.handle(case.backend.tag());
    let suspended = leasehold_contract::Handle { kind: leasehold_core::handle::HandleKind::Suspended, ..suspended };
    let id = held.execution.execution_id;
    // What is asked for is looked at before the handle's kind, that before
    // the lease.
    case.refused(id, try_suspend(case, &suspended, &wrong()), "invalid_input").await;
    case.refused(waiting.id, try_suspend(case, &waiting.held.handle, &wrong()), "invalid_input").await;
    case.refused(id, try_suspend(case, &suspended, &case.suspension()), "already_suspended").await;
    // The lease before the attempt, the attempt before the waitpoints.
    let pending = WaitpointBinding::UsePending { waitpoint_id: case.waitpoint_id() };
    let args = case.suspension_on(&[], keyed("a")).with_waitpoint(pending);
    let mut other = held.execution.clone();
    other.attempt_index = AttemptIndex(7);
    let other_attempt = other.handle(case.backend.tag());
    case.refused(id, try_suspend(case, &other_attempt, &args), "invalid_lease_for_suspend").await;
    other.lease_epoch.0 += 1;
    case.refused(id, try_suspend(case, &other.handle(case.backend.tag()), &args), "stale_lease").await;
    case.refused(id, try_suspend(case, &held.handle, &args), "waitpoint_not_found").await;
}

pub async fn a_suspended_execution_is_not_suspended_again(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let outcome = case.engine.suspend(&held.handle, case.suspension()).await.unwrap();
    case.refused(id, try_suspend(case, &held.handle, &case.suspension()), "execution_not_active").await;
    let leasehold_contract::SuspendOutcome::Suspended { handle, .. } = outcome else { panic!("{outcome:?}") };
    case.refused(id, try_suspend(case, &handle, &case.suspension()), "already_suspended").await;
}

pub async fn a_waitpoint_id_is_used_once(case: &mut Case) {
    let first = case.waiting_for_signal().await;
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, 60_000).await.waitpoint_id;
    for taken in [first.primary().waitpoint_id, pending] {
        let binding = WaitpointBinding::Fresh { waitpoint_id: taken, waitpoint_key: "a".into() };
        let args = case.suspension_on(&[], keyed("a")).with_waitpoint(binding);
        case.refused(id, try_suspend(case, &held.handle, &args), "waitpoint_already_exists").await;
    }
}

pub async fn without_a_key_no_token_is_minted(case: &mut Case) {
    case.options.engine.waitpoint_key = WaitpointKey::Absent;
    case.restart().await;
    let held = case.leased().await;
    let id = held.execution.execution_id;
    case.refused(id, try_suspend(case, &held.handle, &case.suspension()), "hmac_secret_not_initialized").await;
    assert_eq!(case.keyring(id.partition()).await, None);
    let secret = "07".repeat(32);
    case.engine.seed_waitpoint_hmac_secret(leasehold_tests::harness::seed("first", &secret)).await.unwrap();
    let args = case.suspension();
    let waiting = case.suspend(held, args).await;
    assert_eq!(waiting.primary().waitpoint_token.kid(), "first");
}
