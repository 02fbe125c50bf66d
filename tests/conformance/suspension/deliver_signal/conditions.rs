//! What signals do to the condition of a suspension.

use crate::case::Case;
use leasehold_contract::DeliverSignal;
use leasehold_core::ids::SignalId;
use leasehold_core::record::SignalKey;
use leasehold_core::suspension::{CompositeBody, CountKind, ResumeCondition, SignalMatcher};
use leasehold_tests::harness::{Waiting, by_name, keyed};

const SATISFIED: &str = "resume_condition_satisfied";
const APPENDED: &str = "appended_to_waitpoint";
const DUPLICATE: &str = "appended_to_waitpoint_duplicate";
const ELSEWHERE: &str = "signal_ignored_not_in_condition";
const UNMATCHED: &str = "signal_ignored_matcher_failed";

fn all_of(members: Vec<ResumeCondition>) -> ResumeCondition {
    ResumeCondition::Composite(CompositeBody::AllOf { members })
}

/// The condition of so many different ones at some waitpoints.
pub(super) fn count(n: u32, count_kind: CountKind, matcher: Option<&str>, keys: &[&str]) -> ResumeCondition {
    let matcher = matcher.map(|name| SignalMatcher::ByName(name.into()));
    let waitpoints = keys.iter().map(|key| (*key).to_owned()).collect();
    ResumeCondition::Composite(CompositeBody::Count { n, count_kind, matcher, waitpoints })
}

/// A signal by its waitpoint, name and sender.
async fn send(case: &Case, to: &Waiting, key: &str, name: &str, by: (&str, &str)) -> (SignalId, &'static str) {
    let issued = to.waitpoints().into_iter().find(|issued| &*issued.waitpoint_key == key).expect("a known key");
    let args = DeliverSignal {
        signal_name: name.to_owned(),
        source_type: by.0.to_owned(),
        source_identity: by.1.to_owned(),
        ..case.signal_to(to.id, issued)
    };
    (args.signal_id, case.deliver(args).await)
}

/// Suspends on these keys, sends signals of `waitpoint:name:sender`, and
/// expects their effects; those that end in `!` are to be observed.
async fn plays(case: &Case, keys: &[&str], condition: ResumeCondition, signals: &[(&str, &str)]) {
    let waiting = case.suspended_on(keys, condition).await;
    let mut further = Vec::new();
    for (signal, expected) in signals {
        let mut parts = signal.split(':');
        let mut part = || parts.next().unwrap_or("");
        let (key, name, by) = (part(), part(), part());
        let (signal_id, effect) = send(case, &waiting, key, name, ("user", by)).await;
        assert_eq!(effect, expected.trim_end_matches('!'), "{signal}");
        if effect == APPENDED || effect == SATISFIED {
            let issued = waiting.waitpoints().into_iter().find(|issued| &*issued.waitpoint_key == key).unwrap();
            further.push(SignalKey { waitpoint_id: issued.waitpoint_id, signal_id });
        }
        case.advance(1);
    }
    let suspension = case.last_suspension(waiting.id).await;
    let satisfiers: Vec<_> = suspension.progress.satisfiers().iter().map(|satisfier| satisfier.signal_id).collect();
    assert_eq!(satisfiers, further.iter().map(|key| key.signal_id).collect::<Vec<_>>());
    let satisfied = signals.last().is_some_and(|(_, effect)| *effect == SATISFIED);
    assert_eq!(suspension.satisfied_at.is_some(), satisfied);
    if satisfied {
        assert_eq!(suspension.observed(), further);
        let closer = suspension.closed.as_ref().unwrap().closer_signal_id;
        assert_eq!(closer, further.last().map(|key| key.signal_id));
        let held = case.take_again(waiting.id).await;
        let seen = case.engine.observe_signals(&held.handle).await.unwrap();
        assert_eq!(seen.iter().map(|signal| signal.signal_id).collect::<Vec<_>>(), satisfiers);
    }
}

pub async fn a_single_condition_takes_any_signal_or_those_of_a_name(case: &mut Case) {
    plays(case, &["a"], keyed("a"), &[("a:whatever", SATISFIED)]).await;
    plays(case, &["a"], keyed("a"), &[("a:", SATISFIED)]).await;
    let named = by_name("a", "done");
    let tries = [("a:Done", "no_op"), ("a:done ", "no_op"), ("a:don", "no_op"), ("a:done", SATISFIED)];
    plays(case, &["a"], named, &tries).await;
}

pub async fn all_members_must_hold(case: &mut Case) {
    let signals = [("b:x", APPENDED), ("b:x", DUPLICATE), ("a:x", APPENDED), ("c:x", SATISFIED)];
    plays(case, &["a", "b", "c"], ResumeCondition::all_of_waitpoints(["a", "b", "c"]), &signals).await;
    // Two signals of one waitpoint, told apart by name.
    let both = all_of(vec![by_name("a", "paid"), by_name("a", "sent")]);
    let signals = [("a:lost", UNMATCHED), ("a:sent", APPENDED), ("a:sent", DUPLICATE), ("a:paid", SATISFIED)];
    plays(case, &["a"], both, &signals).await;
    // One signal may make several members hold.
    plays(case, &["a"], all_of(vec![keyed("a"), by_name("a", "x")]), &[("a:x", SATISFIED)]).await;
}

pub async fn members_may_be_composite_themselves(case: &mut Case) {
    let either = count(1, CountKind::DistinctWaitpoints, None, &["b", "c"]);
    let tree = all_of(vec![by_name("a", "go"), all_of(vec![either, all_of(vec![keyed("d")])])]);
    let signals = [
        ("a:stop", UNMATCHED),
        ("c:x", APPENDED),
        ("b:x", APPENDED),
        ("b:x", DUPLICATE),
        ("d:x", APPENDED),
        ("a:go", SATISFIED),
    ];
    plays(case, &["a", "b", "c", "d"], tree, &signals).await;
}

pub async fn any_of_them_is_a_count_of_one(case: &mut Case) {
    let keys = ["a", "b", "c"];
    for first in keys {
        let any = count(1, CountKind::DistinctWaitpoints, None, &keys);
        plays(case, &keys, any, &[(&format!("{first}:x"), SATISFIED)]).await;
    }
}

pub async fn waitpoints_are_counted_once_each(case: &mut Case) {
    let keys = ["a", "b", "c"];
    let two = count(2, CountKind::DistinctWaitpoints, None, &keys);
    plays(case, &keys, two, &[("a:x:ann", APPENDED), ("a:y:bob", DUPLICATE), ("c:x:ann", SATISFIED)]).await;
}

pub async fn signals_are_counted_one_by_one(case: &mut Case) {
    let three = count(3, CountKind::DistinctSignals, Some("ok"), &["a", "b"]);
    let signals = [("a:ok:ann", APPENDED), ("a:no:ann", UNMATCHED), ("a:ok:ann", APPENDED), ("b:ok:ann", SATISFIED)];
    plays(case, &["a", "b"], three, &signals).await;
}

pub async fn senders_are_counted_once_each(case: &mut Case) {
    let two = || count(2, CountKind::DistinctSources, Some("approve"), &["a"]);
    let signals = [
        ("a:approve:ann", APPENDED),
        ("a:approve:ann", DUPLICATE),
        ("a:reject:bob", UNMATCHED),
        ("a:approve:bob", SATISFIED),
    ];
    plays(case, &["a"], two(), &signals).await;
    // Type and identity together, wherever they are split.
    let waiting = case.suspended_on(&["a"], two()).await;
    assert_eq!(send(case, &waiting, "a", "approve", ("x:y", "z")).await.1, APPENDED);
    assert_eq!(send(case, &waiting, "a", "approve", ("x", "y:z")).await.1, SATISFIED);
}

pub async fn a_waitpoint_no_node_names_is_not_part_of_it(case: &mut Case) {
    // Only a pending waitpoint may stand where no node names it: its key is
    // not compared.
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, 60_000).await;
    let args = case.suspension_at(&pending, ResumeCondition::all_of_waitpoints(["elsewhere"]));
    case.suspend(held, args).await;
    assert_eq!(case.deliver(case.signal_early(id, &pending)).await, ELSEWHERE);
    let waitpoint = case.waitpoint(id, pending.waitpoint_id).await;
    assert_eq!((waitpoint.signal_count, waitpoint.matched_signal_count), (1, 0));
}

pub async fn matched_signals_are_counted_apart(case: &mut Case) {
    let waiting = case.suspended_on(&["a"], count(3, CountKind::DistinctSources, Some("ok"), &["a"])).await;
    for (name, by) in [("ok", "ann"), ("ok", "ann"), ("no", "bob"), ("ok", "bob")] {
        send(case, &waiting, "a", name, ("user", by)).await;
    }
    let waitpoint = case.waitpoint(waiting.id, waiting.primary().waitpoint_id).await;
    assert_eq!((waitpoint.signal_count, waitpoint.matched_signal_count), (4, 3));
}

pub async fn operators_and_deadlines_hear_no_signals(case: &mut Case) {
    let at = case.now().plus(1000);
    for condition in [ResumeCondition::OperatorOnly, ResumeCondition::TimeoutOnly] {
        let held = case.leased().await;
        let args = case.suspension_on(&["a"], condition);
        let args = args.with_timeout(at, leasehold_core::record::TimeoutBehavior::Fail);
        let waiting = case.suspend(held, args).await;
        for name in ["go", "operator_only", ""] {
            assert_eq!(send(case, &waiting, "a", name, ("user", "ann")).await.1, "no_op");
        }
    }
    // Inside a composite they can never be met either.
    let waiting = case.suspended_on(&["a"], all_of(vec![keyed("a"), ResumeCondition::OperatorOnly])).await;
    assert_eq!(send(case, &waiting, "a", "go", ("user", "ann")).await.1, APPENDED);
    assert!(case.last_suspension(waiting.id).await.is_open());
}

pub async fn progress_outlives_the_engine(case: &mut Case) {
    let waiting = case.suspended_on(&["a"], count(3, CountKind::DistinctSources, None, &["a"])).await;
    assert_eq!(send(case, &waiting, "a", "x", ("user", "ann")).await.1, APPENDED);
    case.kill().await;
    assert_eq!(send(case, &waiting, "a", "x", ("user", "ann")).await.1, DUPLICATE);
    assert_eq!(send(case, &waiting, "a", "x", ("user", "bob")).await.1, APPENDED);
    case.kill().await;
    assert_eq!(send(case, &waiting, "a", "x", ("user", "eve")).await.1, SATISFIED);
}

pub async fn before_and_after_the_suspend_count_alike(case: &mut Case) {
    // The same signals, kept by a pending waitpoint or evaluated one by one.
    let signals = [("ok", "ann"), ("ok", "ann"), ("no", "eve"), ("ok", "bob")];
    for n in 1..=3 {
        let condition = || count(n, CountKind::DistinctSources, Some("ok"), &["a"]);
        let late = case.suspended_on(&["a"], condition()).await;
        let early = case.leased().await;
        let early_id = early.execution.execution_id;
        let pending = case.pending(&early, 60_000).await;
        let mut places = Vec::new();
        for (at, (name, by)) in signals.into_iter().enumerate() {
            let named = |args: DeliverSignal| DeliverSignal {
                signal_name: name.to_owned(),
                source_identity: by.to_owned(),
                ..args
            };
            let kept = named(case.signal_early(early_id, &pending));
            let evaluated =
                DeliverSignal { signal_id: kept.signal_id, ..named(case.signal_to(late.id, late.primary())) };
            places.push((at, kept.signal_id));
            case.deliver(kept).await;
            if case.last_suspension(late.id).await.is_open() {
                case.deliver(evaluated).await;
            }
        }
        let args = case.suspension_at(&pending, condition());
        case.engine.suspend(&early.handle, args).await.unwrap();
        let (late, early) = (case.last_suspension(late.id).await, case.last_suspension(early_id).await);
        assert_eq!(late.satisfied_at.is_some(), early.satisfied_at.is_some(), "{n}");
        let ids = |suspension: &leasehold_core::record::Suspension| {
            suspension.progress.satisfiers().iter().map(|satisfier| satisfier.signal_id).collect::<Vec<_>>()
        };
        assert_eq!(ids(&late), ids(&early), "{places:?}");
        let closer = |suspension: &leasehold_core::record::Suspension| {
            suspension.closed.as_ref().and_then(|closed| closed.closer_signal_id)
        };
        assert_eq!(closer(&late), closer(&early));
    }
}
