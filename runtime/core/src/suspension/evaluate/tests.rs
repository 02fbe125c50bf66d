//! The effects one by one, and random conditions and signals against what
//! the condition means.

use super::super::condition::SignalMatcher;
use super::*;
use uuid::Uuid;

const KEYS: [&str; 4] = ["a", "b", "c", "d"];
const NAMES: [&str; 3] = ["approved", "rejected", ""];

fn single(key: &str, name: Option<&str>) -> ResumeCondition {
    let matcher = name.map_or(SignalMatcher::Wildcard, |name| SignalMatcher::ByName(name.into()));
    ResumeCondition::Single { waitpoint_key: key.into(), matcher }
}

fn all_of(members: Vec<ResumeCondition>) -> ResumeCondition {
    ResumeCondition::Composite(CompositeBody::AllOf { members })
}

fn count(n: u32, count_kind: CountKind, name: Option<&str>, keys: &[&str]) -> ResumeCondition {
    ResumeCondition::Composite(CompositeBody::Count {
        n,
        count_kind,
        matcher: name.map(|name| SignalMatcher::ByName(name.into())),
        waitpoints: keys.iter().map(|key| (*key).to_owned()).collect(),
    })
}

fn heard<'a>(id: u128, key: &'a str, name: &'a str, source: (&'a str, &'a str)) -> Heard<'a> {
    Heard {
        signal_id: Uuid::from_u128(id).into(),
        waitpoint_key: key,
        signal_name: name,
        source_type: source.0,
        source_identity: source.1,
    }
}

const ANN: (&str, &str) = ("user", "ann");
const BOB: (&str, &str) = ("user", "bob");

/// Hears the signals in order and gives the effects.
#[track_caller]
fn effects(condition: &ResumeCondition, signals: &[Heard<'_>]) -> Vec<&'static str> {
    let mut progress = Progress::new(condition);
    signals.iter().map(|signal| progress.hear(condition, signal).as_str()).collect()
}

#[test]
fn a_single_condition_takes_the_right_name_at_the_right_waitpoint() {
    let condition = single("a", Some("approved"));
    let signals = [
        heard(1, "b", "approved", ANN),
        heard(2, "a", "rejected", ANN),
        heard(3, "a", "Approved", ANN),
        heard(4, "a", "approved", ANN),
    ];
    assert_eq!(effects(&condition, &signals), ["no_op", "no_op", "no_op", "resume_condition_satisfied"]);
    assert_eq!(effects(&single("a", None), &signals[1..2]), ["resume_condition_satisfied"]);
}

#[test]
fn no_signal_satisfies_what_waits_for_an_operator_or_a_deadline() {
    for condition in [ResumeCondition::OperatorOnly, ResumeCondition::TimeoutOnly] {
        let signals = ["__operator_only__", "__timeout_only__", "__timeout__"].map(|name| heard(1, "a", name, ANN));
        assert_eq!(effects(&condition, &signals), ["no_op"; 3]);
        assert!(!satisfied(&condition, &signals));
        let within = all_of(vec![condition, single("a", None)]);
        assert_eq!(
            effects(&within, &signals),
            ["appended_to_waitpoint", "appended_to_waitpoint_duplicate", "appended_to_waitpoint_duplicate"]
        );
        assert!(!satisfied(&within, &signals));
    }
}

#[test]
fn a_composite_says_why_it_ignores_a_signal() {
    let condition = all_of(vec![single("a", Some("approved")), single("b", Some("approved"))]);
    let signals = [
        heard(1, "c", "approved", ANN),
        heard(2, "a", "rejected", ANN),
        heard(3, "a", "approved", ANN),
        heard(4, "a", "approved", BOB),
        heard(5, "b", "approved", ANN),
    ];
    assert_eq!(
        effects(&condition, &signals),
        [
            "signal_ignored_not_in_condition",
            "signal_ignored_matcher_failed",
            "appended_to_waitpoint",
            "appended_to_waitpoint_duplicate",
            "resume_condition_satisfied",
        ]
    );
}

#[test]
fn each_kind_of_count_counts_its_own_thing() {
    let signals = [
        heard(1, "a", "approved", ANN),
        heard(2, "a", "approved", ANN),
        heard(3, "b", "approved", ANN),
        heard(4, "b", "approved", BOB),
    ];
    let (further, same, done) =
        ("appended_to_waitpoint", "appended_to_waitpoint_duplicate", "resume_condition_satisfied");
    for (kind, expected) in [
        (CountKind::DistinctWaitpoints, [further, same, done, same]),
        (CountKind::DistinctSignals, [further, done, further, further]),
        (CountKind::DistinctSources, [further, same, same, done]),
    ] {
        assert_eq!(effects(&count(2, kind, None, &KEYS), &signals), expected, "{kind:?}");
    }
}

#[test]
fn sources_are_pairs_and_not_their_joined_text() {
    let condition = count(3, CountKind::DistinctSources, None, &["a"]);
    let signals = [heard(1, "a", "x", ("a", ":b")), heard(2, "a", "x", ("a:", "b")), heard(3, "a", "x", ("", "a:b"))];
    assert!(satisfied(&condition, &signals));
    assert_eq!(effects(&condition, &signals)[2], "resume_condition_satisfied");
}

#[test]
fn two_counts_of_one_kind_do_not_share_what_they_counted() {
    let condition = all_of(vec![
        count(1, CountKind::DistinctSources, Some("approved"), &["a"]),
        count(1, CountKind::DistinctSources, Some("rejected"), &["a"]),
    ]);
    let signals = [heard(1, "a", "approved", ANN), heard(2, "a", "rejected", ANN)];
    assert_eq!(effects(&condition, &signals), ["appended_to_waitpoint", "resume_condition_satisfied"]);
}

#[test]
fn a_deep_member_propagates_at_once() {
    let condition = all_of(vec![all_of(vec![all_of(vec![single("a", None)])]), single("b", None)]);
    let signals = [heard(1, "b", "x", ANN), heard(2, "a", "x", ANN)];
    assert_eq!(effects(&condition, &signals), ["appended_to_waitpoint", "resume_condition_satisfied"]);
}

/// Numbers that a seed repeats.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn keys(&mut self) -> Vec<&'static str> {
        let mut keys: Vec<_> = KEYS.into_iter().filter(|_| self.below(2) == 0).collect();
        if keys.is_empty() {
            keys.push(KEYS[self.below(4)]);
        }
        keys
    }

    fn name(&mut self) -> Option<&'static str> {
        (self.below(2) == 0).then(|| NAMES[self.below(2)])
    }

    fn condition(&mut self, depth: usize) -> ResumeCondition {
        match self.below(if depth < 4 { 12 } else { 5 }) {
            0 if depth > 0 => ResumeCondition::TimeoutOnly,
            1 if depth == 0 => ResumeCondition::OperatorOnly,
            0..=4 => single(KEYS[self.below(4)], self.name()),
            5..=7 => {
                let kinds = [CountKind::DistinctWaitpoints, CountKind::DistinctSignals, CountKind::DistinctSources];
                let kind = kinds[self.below(3)];
                let keys = self.keys();
                let most = if kind == CountKind::DistinctWaitpoints { keys.len() } else { 4 };
                count(1 + self.below(most) as u32, kind, self.name(), &keys)
            }
            _ => all_of((0..=self.below(3)).map(|_| self.condition(depth + 1)).collect()),
        }
    }

    fn signals(&mut self) -> Vec<Heard<'static>> {
        let sources = [ANN, BOB, ("webhook", "ann"), ("userann", "")];
        (0..self.below(16))
            .map(|at| heard(at as u128, KEYS[self.below(4)], NAMES[self.below(3)], sources[self.below(4)]))
            .collect()
    }

    fn shuffled<T: Clone>(&mut self, items: &[T]) -> Vec<T> {
        let mut items = items.to_vec();
        for at in (1..items.len()).rev() {
            let other = self.below(at + 1);
            items.swap(at, other);
        }
        items
    }
}

const CASES: u64 = 20_000;

/// Runs a check on many conditions with signals; says how many of them were
/// satisfied in the end, since a check of what never happens proves nothing.
fn for_random_cases(mut check: impl FnMut(&mut Draw, &ResumeCondition, &[Heard<'static>])) {
    let mut held = 0;
    for seed in 0..CASES {
        let mut draw = Draw(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1);
        let condition = draw.condition(0);
        let signals = draw.signals();
        held += u64::from(satisfied(&condition, &signals));
        check(&mut draw, &condition, &signals);
    }
    assert!(held > CASES / 4 && held < CASES * 9 / 10, "{held} of {CASES} conditions held");
}

#[test]
fn progress_agrees_with_the_meaning_after_every_signal() {
    for_random_cases(|_, condition, signals| {
        let mut progress = Progress::new(condition);
        assert!(progress.fits(condition));
        for at in 0..signals.len() {
            let before = progress.clone();
            let effect = progress.hear(condition, &signals[at]);
            let (was, is) = (satisfied(condition, &signals[..at]), satisfied(condition, &signals[..=at]));
            assert_eq!(progress.is_satisfied(condition), is, "{condition:?} after {:?}", &signals[..=at]);
            assert_eq!(effect == SignalEffect::ResumeConditionSatisfied, is && !was);
            assert_eq!(progress.satisfiers().len() > before.satisfiers().len(), progress.seen != before.seen);
            let matched = condition.nodes().any(|node| matches(node, &signals[at]));
            assert_eq!(effect.is_match(), matched);
        }
    });
}

#[test]
fn evaluation_is_monotone() {
    for_random_cases(|_, condition, signals| {
        let mut held = false;
        for end in 0..=signals.len() {
            let holds = satisfied(condition, &signals[..end]);
            assert!(holds || !held, "{condition:?} holds no more after {:?}", &signals[..end]);
            held = holds;
        }
    });
}

#[test]
fn evaluation_does_not_depend_on_the_order() {
    for_random_cases(|draw, condition, signals| {
        let shuffled = draw.shuffled(signals);
        assert_eq!(satisfied(condition, signals), satisfied(condition, &shuffled));
        let fold = |signals: &[Heard<'_>]| {
            let mut progress = Progress::new(condition);
            let effects: Vec<_> = signals.iter().map(|signal| progress.hear(condition, signal)).collect();
            let closers = effects.iter().filter(|e| **e == SignalEffect::ResumeConditionSatisfied).count();
            (progress.seen, closers)
        };
        assert_eq!(fold(signals), fold(&shuffled));
    });
}

/// A signal that brought nothing further can be forgotten.
#[test]
fn the_satisfiers_alone_satisfy_as_much_as_all_signals() {
    for_random_cases(|_, condition, signals| {
        let mut progress = Progress::new(condition);
        for signal in signals {
            progress.hear(condition, signal);
        }
        let brought = |signal: &&Heard<'static>| {
            progress.satisfiers().iter().any(|satisfier| {
                satisfier.signal_id == signal.signal_id
                    && satisfier.waitpoint_key(condition) == Some(signal.waitpoint_key)
            })
        };
        let kept: Vec<_> = signals.iter().filter(brought).copied().collect();
        assert_eq!(kept.len(), progress.satisfiers().len());
        assert_eq!(satisfied(condition, &kept), satisfied(condition, signals));
    });
}

#[test]
fn a_signal_heard_twice_counts_once() {
    for_random_cases(|_, condition, signals| {
        let mut progress = Progress::new(condition);
        for signal in signals {
            progress.hear(condition, signal);
        }
        let before = progress.clone();
        for signal in signals {
            let effect = progress.hear(condition, signal);
            assert!(effect != SignalEffect::ResumeConditionSatisfied && effect != SignalEffect::AppendedToWaitpoint);
        }
        assert_eq!(progress, before);
    });
}

#[test]
fn progress_reads_back_and_knows_its_condition() {
    let condition = all_of(vec![single("a", None), count(2, CountKind::DistinctSources, None, &["b"])]);
    let mut progress = Progress::new(&condition);
    progress.hear(&condition, &heard(1, "a", "x", ANN));
    progress.hear(&condition, &heard(2, "b", "x", ANN));
    let config = bincode::config::standard();
    let bytes = bincode::encode_to_vec(&progress, config).unwrap();
    assert_eq!(bincode::decode_from_slice::<Progress, _>(&bytes, config).unwrap().0, progress);
    assert_eq!((progress.counted_ids(), progress.satisfiers().len()), (1, 2));
    assert!(progress.fits(&condition));
    assert!(!progress.fits(&single("a", None)));
    assert!(!progress.fits(&all_of(vec![single("a", None), single("b", None)])));
}
