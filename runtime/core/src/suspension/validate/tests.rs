//! Every detail, word for word, and which check comes first.

use super::super::condition::SignalMatcher;
use super::*;
use uuid::Uuid;

const NOW: TimestampMs = TimestampMs(10_000_000);

fn id(n: u128) -> WaitpointId {
    Uuid::from_u128(n).into()
}

fn fresh(n: u128, key: &str) -> WaitpointBinding {
    WaitpointBinding::Fresh { waitpoint_id: id(n), waitpoint_key: key.into() }
}

fn pending(n: u128) -> WaitpointBinding {
    WaitpointBinding::UsePending { waitpoint_id: id(n) }
}

fn single(key: &str) -> ResumeCondition {
    ResumeCondition::Single { waitpoint_key: key.into(), matcher: SignalMatcher::Wildcard }
}

fn named(key: &str, name: &str) -> ResumeCondition {
    ResumeCondition::Single { waitpoint_key: key.into(), matcher: SignalMatcher::ByName(name.into()) }
}

fn all_of(members: Vec<ResumeCondition>) -> ResumeCondition {
    ResumeCondition::Composite(CompositeBody::AllOf { members })
}

fn count(n: u32, kind: CountKind, keys: &[&str]) -> ResumeCondition {
    let waitpoints = keys.iter().map(|key| (*key).to_owned()).collect();
    ResumeCondition::Composite(CompositeBody::Count { n, count_kind: kind, matcher: None, waitpoints })
}

fn counting(name: &str, key: &str) -> ResumeCondition {
    ResumeCondition::Composite(CompositeBody::Count {
        n: 1,
        count_kind: CountKind::DistinctSignals,
        matcher: Some(SignalMatcher::ByName(name.into())),
        waitpoints: vec![key.to_owned()],
    })
}

fn nested(levels: usize, inner: ResumeCondition) -> ResumeCondition {
    (0..levels).fold(inner, |inner, _| all_of(vec![inner]))
}

/// The detail of the refusal, or `ok`.
fn verdict(bindings: &[WaitpointBinding], condition: &ResumeCondition, timeout_at: Option<TimestampMs>) -> String {
    match validate(bindings, condition, timeout_at, NOW) {
        Ok(()) => "ok".to_owned(),
        Err(EngineError::Validation { kind: crate::error::ValidationKind::InvalidInput, detail }) => detail,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn bindings_and_the_keys_of_the_condition_fit() {
    let both = all_of(vec![single("a"), single("b")]);
    for (bindings, condition, expected) in [
        (vec![], single("a"), "waitpoints_empty"),
        (vec![fresh(1, "b")], single("a"), "waitpoint_key_mismatch"),
        (vec![fresh(1, "b"), fresh(2, "a")], single("a"), "waitpoint_key_mismatch"),
        (
            vec![fresh(1, "a"), fresh(2, "b"), fresh(3, "")],
            both.clone(),
            "additional_waitpoint_binding_empty_key at waitpoints[2]",
        ),
        (
            vec![fresh(1, "a"), pending(2), fresh(3, "")],
            both.clone(),
            "additional_waitpoint_binding_empty_key at waitpoints[2]",
        ),
        (vec![fresh(1, "a"), pending(2)], both.clone(), "additional_waitpoint_binding_must_be_fresh at waitpoints[1]"),
        (vec![fresh(1, "a"), fresh(2, "c")], both.clone(), "referenced_waitpoint_key_missing_binding: b"),
        (vec![pending(1), fresh(2, "b")], both.clone(), "referenced_waitpoint_key_missing_binding: a"),
        (
            vec![fresh(1, "a"), fresh(2, "b"), fresh(3, "c")],
            both.clone(),
            "extra_binding_not_referenced_by_condition: c",
        ),
        (
            vec![fresh(1, "z"), fresh(2, "a"), fresh(3, "b")],
            both.clone(),
            "extra_binding_not_referenced_by_condition: z",
        ),
        (vec![fresh(1, "a"), fresh(2, "b")], single("a"), "extra_binding_not_referenced_by_condition: b"),
        (
            vec![fresh(1, "a"), fresh(2, "b")],
            ResumeCondition::OperatorOnly,
            "extra_binding_not_referenced_by_condition: a",
        ),
        (
            vec![fresh(1, "a"), fresh(2, "b")],
            ResumeCondition::TimeoutOnly,
            "extra_binding_not_referenced_by_condition: a",
        ),
        (vec![pending(1), fresh(2, "b")], all_of(vec![single("b")]), "use_pending_with_extras_unsupported"),
        // One fresh waitpoint and a composite condition.
        (vec![fresh(1, "a")], both.clone(), "referenced_waitpoint_key_missing_binding: b"),
        (
            vec![fresh(1, "a")],
            count(1, CountKind::DistinctSignals, &["a", "x"]),
            "referenced_waitpoint_key_missing_binding: x",
        ),
        // Fitting ones.
        (vec![fresh(1, "a")], single("a"), "ok"),
        (vec![fresh(1, "a")], all_of(vec![single("a")]), "ok"),
        (vec![fresh(1, "a")], ResumeCondition::OperatorOnly, "ok"),
        (vec![fresh(1, "a"), fresh(2, "b")], both.clone(), "ok"),
        (vec![fresh(2, "b"), fresh(1, "a")], both.clone(), "ok"),
        (vec![pending(1)], both, "ok"),
        (vec![pending(1)], single("a"), "ok"),
    ] {
        assert_eq!(verdict(&bindings, &condition, None), expected, "{bindings:?} {condition:?}");
    }
}

#[test]
fn deadlines_are_there_when_needed_and_not_long_past() {
    let one = [fresh(1, "a")];
    let at = |ms: i64| Some(TimestampMs(NOW.0 + ms));
    for (condition, timeout_at, expected) in [
        (ResumeCondition::TimeoutOnly, None, "timeout_only_without_deadline"),
        (ResumeCondition::TimeoutOnly, at(5), "ok"),
        (single("a"), at(-600_001), "timeout_at_in_past"),
        (single("a"), at(-600_000), "ok"),
        (single("a"), Some(TimestampMs(i64::MIN)), "timeout_at_in_past"),
        (single("a"), Some(TimestampMs(i64::MAX)), "ok"),
    ] {
        assert_eq!(verdict(&one, &condition, timeout_at), expected);
    }
}

#[test]
fn names_are_not_empty_anywhere() {
    let detail = "resume_condition: empty signal name (use Wildcard instead)";
    for condition in
        [named("a", ""), all_of(vec![single("a"), named("a", "")]), nested(3, named("a", "")), counting("", "a")]
    {
        assert_eq!(verdict(&[fresh(1, "a")], &condition, None), detail, "{condition:?}");
    }
    assert_eq!(verdict(&[fresh(1, "a")], &named("a", "x"), None), "ok");
}

#[test]
fn depth_counts_composites_and_names_the_first_that_is_too_deep() {
    let at_five = "depth 5 exceeds cap 4 at path members[0].members[0].members[0].members[0]";
    for (condition, expected) in [
        (nested(4, single("a")), "ok"),
        (nested(3, counting("x", "a")), "ok"),
        (nested(5, single("a")), at_five),
        (nested(4, counting("x", "a")), at_five),
        (nested(60, single("a")), at_five),
        (
            all_of(vec![single("a"), all_of(vec![single("a"), nested(3, single("a"))])]),
            "depth 5 exceeds cap 4 at path members[1].members[1].members[0].members[0]",
        ),
    ] {
        assert_eq!(verdict(&[fresh(1, "a")], &condition, None), expected);
    }
}

#[test]
fn composite_nodes_can_be_satisfied() {
    use CountKind::{DistinctSignals, DistinctSources, DistinctWaitpoints};
    let one = [fresh(1, "a")];
    for (condition, expected) in [
        (all_of(vec![]), "allof_empty_members at path <root>"),
        (all_of(vec![single("a"), all_of(vec![])]), "allof_empty_members at path members[1]"),
        (nested(2, all_of(vec![])), "allof_empty_members at path members[0].members[0]"),
        (count(0, DistinctSignals, &[]), "count_n_zero at path <root>"),
        (count(1, DistinctSignals, &[]), "count_waitpoints_empty at path <root>"),
        (count(2, DistinctWaitpoints, &["a"]), "count_exceeds_waitpoint_set: n=2 > waitpoints.len()=1 at path <root>"),
        (
            all_of(vec![single("a"), nested(1, count(3, DistinctWaitpoints, &["a"]))]),
            "count_exceeds_waitpoint_set: n=3 > waitpoints.len()=1 at path members[1].members[0]",
        ),
        (all_of(vec![all_of(vec![]), count(0, DistinctSignals, &["a"])]), "allof_empty_members at path members[0]"),
        (count(9, DistinctSignals, &["a"]), "ok"),
        (count(9, DistinctSources, &["a"]), "ok"),
        (count(1, DistinctWaitpoints, &["a"]), "ok"),
    ] {
        assert_eq!(verdict(&one, &condition, None), expected, "{condition:?}");
    }
}

#[test]
fn repeats_and_reserved_names_are_refused() {
    let both = all_of(vec![single("a"), single("b")]);
    let twice = verdict(&[fresh(1, "a"), fresh(1, "b")], &both, None);
    assert_eq!(twice, format!("duplicate_waitpoint_binding: {}", id(1)));
    assert_eq!(verdict(&[fresh(1, "a"), fresh(2, "b"), fresh(3, "a")], &both, None), "duplicate_waitpoint_binding: a");
    for name in ["__operator_only__", "__timeout_only__", "__timeout__"] {
        let detail = format!("reserved_signal_name: {name}");
        for condition in [named("a", name), nested(2, named("a", name)), counting(name, "a")] {
            assert_eq!(verdict(&[fresh(1, "a")], &condition, None), detail);
        }
        assert!(check_signal_name(name).unwrap_err().to_string().ends_with(&detail));
    }
    check_signal_name("__operator__").unwrap();
    check_signal_name("").unwrap();
    assert!(check_signal_name(&"n".repeat(257)).is_err());
    assert!(check_signal_name("a\0").is_err());
}

#[test]
fn sizes_are_bounded() {
    let long = "k".repeat(257);
    let many: Vec<_> = (0..=BINDINGS_MAX as u128).map(|n| fresh(n, &n.to_string())).collect();
    let keys = |n: usize| ResumeCondition::all_of_waitpoints((0..n).map(|key| key.to_string()));
    for (bindings, condition, expected) in [
        (vec![fresh(1, "")], single(""), "waitpoint_key: empty"),
        (vec![fresh(1, "")], ResumeCondition::OperatorOnly, "waitpoint_key: empty"),
        (vec![fresh(1, &long)], single(&long), "waitpoint_key: 257 bytes, at most 256"),
        (vec![fresh(1, "a\0")], single("a\0"), "waitpoint_key: NUL byte"),
        (vec![pending(1)], named("a", &long), "signal_name: 257 bytes, at most 256"),
        (many.clone(), keys(BINDINGS_MAX + 1), "waitpoints: 257, at most 256"),
        (many[..BINDINGS_MAX].to_vec(), keys(BINDINGS_MAX), "ok"),
        (vec![pending(1)], keys(CONDITION_ITEMS_MAX / 2), "resume_condition: 1025 nodes and keys, at most 1024"),
    ] {
        assert_eq!(verdict(&bindings, &condition, None), expected);
    }
}

/// With every fault at once the checks show their order, each fault taken
/// away in turn.
#[test]
fn the_first_failure_wins() {
    let mut members = vec![named("a", ""), nested(4, single("a")), all_of(vec![]), named("a", "__timeout__")];
    let past = Some(TimestampMs(0));
    let see = |bindings: &[WaitpointBinding], members: &[ResumeCondition], timeout_at| {
        verdict(bindings, &all_of(members.to_vec()), timeout_at)
    };
    let extra = |key: &str| [fresh(1, "a"), fresh(1, key)];
    assert!(see(&[fresh(1, "a"), pending(1)], &members, past).starts_with("additional_waitpoint_binding_must"));
    assert!(see(&extra("b"), &members, past).starts_with("extra_binding_not_referenced"));
    assert!(see(&extra("a"), &members, past).starts_with("resume_condition: empty"));
    members.remove(0);
    assert_eq!(see(&extra("a"), &members, past), "timeout_at_in_past");
    assert!(see(&extra("a"), &members, None).starts_with("depth 5"));
    members.remove(0);
    assert!(see(&extra("a"), &members, None).starts_with("allof_empty_members"));
    members.remove(0);
    assert!(see(&extra("a"), &members, None).starts_with("duplicate_waitpoint_binding"));
    assert!(see(&[fresh(1, "a")], &members, None).starts_with("reserved_signal_name"));
}
