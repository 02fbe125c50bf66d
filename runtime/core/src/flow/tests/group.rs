//! The join's state machine against an oracle that tries every future.

use crate::flow::{Bucket, EdgeGroup, EdgeGroupPolicy, GroupState, OnSatisfied, Resolution, SlotState};
use crate::state::TerminalOutcome;
use crate::time::TimestampMs;

const NOW: TimestampMs = TimestampMs(9);
const BUCKETS: [Bucket; 3] = [Bucket::Succeeded, Bucket::Failed, Bucket::Skipped];

fn policies(n: u32) -> Vec<EdgeGroupPolicy> {
    let on_satisfied = OnSatisfied::LetRun;
    let mut all = vec![EdgeGroupPolicy::AllOf, EdgeGroupPolicy::AnyOf { on_satisfied }];
    all.extend((1..=n + 1).map(|k| EdgeGroupPolicy::Quorum { k, on_satisfied }));
    all
}

/// What the whole group comes to, once everything has ended.
fn settled(policy: EdgeGroupPolicy, outcomes: &[Bucket]) -> GroupState {
    let good = outcomes.iter().filter(|bucket| **bucket == Bucket::Succeeded).count();
    let enough = match policy {
        EdgeGroupPolicy::AllOf => good == outcomes.len(),
        EdgeGroupPolicy::AnyOf { .. } => good >= 1,
        EdgeGroupPolicy::Quorum { k, .. } => good >= k as usize,
    };
    if enough { GroupState::Satisfied } else { GroupState::Impossible }
}

/// What may still become of the group, over every end of what has not ended.
fn futures(policy: EdgeGroupPolicy, known: &[Option<Bucket>]) -> (bool, bool) {
    let open = known.iter().filter(|bucket| bucket.is_none()).count() as u32;
    let mut found = (false, false);
    // Only success counts for what becomes of a group, so two ends suffice.
    for code in 0..1_usize << open {
        let mut rest = code;
        let outcomes: Vec<Bucket> = known
            .iter()
            .map(|bucket| {
                bucket.unwrap_or_else(|| {
                    let drawn = BUCKETS[rest & 1];
                    rest >>= 1;
                    drawn
                })
            })
            .collect();
        match settled(policy, &outcomes) {
            GroupState::Satisfied => found.0 = true,
            _ => found.1 = true,
        }
    }
    found
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Apply(u32),
    Resolve(u32),
}

/// Every order in which the dependencies can be applied and then resolved.
fn every_order(n: u32, visit: &mut dyn FnMut(&[Step])) {
    fn go(n: u32, applied: u32, resolved: u32, steps: &mut Vec<Step>, visit: &mut dyn FnMut(&[Step])) {
        if steps.len() as u32 == 2 * n {
            return visit(steps);
        }
        for slot in 0..n {
            let step = if applied >> slot & 1 == 0 {
                Step::Apply(slot)
            } else if resolved >> slot & 1 == 0 {
                Step::Resolve(slot)
            } else {
                continue;
            };
            let (more_applied, more_resolved) = match step {
                Step::Apply(_) => (1 << slot, 0),
                Step::Resolve(_) => (0, 1 << slot),
            };
            steps.push(step);
            go(n, applied | more_applied, resolved | more_resolved, steps, visit);
            steps.pop();
        }
    }
    go(n, 0, 0, &mut Vec::new(), visit);
}

fn staged(policy: EdgeGroupPolicy, n: u32) -> EdgeGroup {
    let mut group = EdgeGroup { policy: Some(policy), ..EdgeGroup::default() };
    assert_eq!((0..n).map(|_| group.stage()).collect::<Vec<_>>(), (0..n).collect::<Vec<_>>());
    group
}

/// Follows one order and holds every step against the oracle.
fn follow(policy: EdgeGroupPolicy, outcomes: &[Bucket], steps: &[Step]) {
    let n = outcomes.len() as u32;
    let mut group = staged(policy, n);
    let mut known = vec![None; outcomes.len()];
    let mut fired = None;
    for step in steps {
        let before = group.state;
        let resolution = match *step {
            Step::Apply(slot) => {
                group.apply(slot).unwrap();
                group.evaluate(NOW)
            }
            Step::Resolve(slot) => {
                known[slot as usize] = Some(outcomes[slot as usize]);
                group.resolve(slot, outcomes[slot as usize], NOW).unwrap()
            }
        };
        assert_eq!(group.check(), Ok(()), "{policy:?} {outcomes:?} {steps:?}");
        let told = match resolution {
            Resolution::Satisfied => Some(GroupState::Satisfied),
            Resolution::Impossible => Some(GroupState::Impossible),
            _ => None,
        };
        if let Some(state) = told {
            assert_eq!(before, GroupState::Pending, "a group fires once");
            assert_eq!(group.state, state);
            fired = told;
        } else {
            assert_eq!(group.state, before);
            assert_eq!(resolution == Resolution::Pending, before == GroupState::Pending);
        }
        let (may_run, may_skip) = futures(policy, &known);
        match group.state {
            GroupState::Satisfied => assert!(!may_skip, "{policy:?} {known:?} ran too early"),
            GroupState::Impossible => assert!(!may_run, "{policy:?} {known:?} was given up too early"),
            _ => {
                let hopeless = matches!(policy, EdgeGroupPolicy::Quorum { k, .. } if k > n);
                let decided = !(may_run && may_skip) && group.is_complete() && !hopeless;
                assert!(!decided, "{policy:?} {known:?} was decided and waits");
            }
        }
    }
    assert_eq!(fired, Some(settled(policy, outcomes)), "{policy:?} {outcomes:?} {steps:?}");
    assert_eq!(group.satisfied_at.is_some(), group.state == GroupState::Satisfied);
}

fn every_outcome(n: u32, mut visit: impl FnMut(&[Bucket])) {
    for code in 0..3_usize.pow(n) {
        let outcomes: Vec<Bucket> = (0..n).map(|slot| BUCKETS[code / 3_usize.pow(slot) % 3]).collect();
        visit(&outcomes);
    }
}

#[test]
fn a_join_fires_once_and_alike_whatever_the_order() {
    let mut orders = 0_u32;
    for n in 1..=3 {
        for policy in policies(n) {
            every_outcome(n, |outcomes| {
                every_order(n, &mut |steps| {
                    follow(policy, outcomes, steps);
                    orders += 1;
                });
            });
        }
    }
    assert_eq!(orders, 4 * 3 + 5 * 9 * 6 + 6 * 27 * 90, "every policy, outcome and order was tried");
}

/// With five upstreams: all applied first, then every order of their ends.
#[test]
fn five_upstreams_end_in_every_order() {
    fn permutations(slots: &mut Vec<u32>, at: usize, visit: &mut dyn FnMut(&[u32])) {
        if at == slots.len() {
            return visit(slots);
        }
        for other in at..slots.len() {
            slots.swap(at, other);
            permutations(slots, at + 1, visit);
            slots.swap(at, other);
        }
    }
    let applied: Vec<Step> = (0..5).map(Step::Apply).collect();
    for policy in policies(5) {
        // Failed and skipped differ only in where they are counted.
        for mask in 0..32_u32 {
            let outcomes: Vec<Bucket> = (0..5)
                .map(|slot| match mask >> slot & 1 {
                    0 => Bucket::Succeeded,
                    _ if slot % 2 == 0 => Bucket::Failed,
                    _ => Bucket::Skipped,
                })
                .collect();
            permutations(&mut (0..5).collect(), 0, &mut |order| {
                let steps: Vec<Step> =
                    applied.iter().copied().chain(order.iter().map(|slot| Step::Resolve(*slot))).collect();
                follow(policy, &outcomes, &steps);
            });
        }
    }
}

#[test]
fn a_dependency_not_yet_applied_holds_back_only_what_it_could_change() {
    let quorum = EdgeGroupPolicy::Quorum { k: 2, on_satisfied: OnSatisfied::LetRun };
    let any = EdgeGroupPolicy::AnyOf { on_satisfied: OnSatisfied::LetRun };
    for (policy, bucket, expected) in [
        (EdgeGroupPolicy::AllOf, Bucket::Succeeded, Resolution::Pending),
        (EdgeGroupPolicy::AllOf, Bucket::Failed, Resolution::Impossible),
        (any, Bucket::Succeeded, Resolution::Satisfied),
        (any, Bucket::Skipped, Resolution::Pending),
        (quorum, Bucket::Failed, Resolution::Pending),
    ] {
        let mut group = staged(policy, 3);
        group.apply(0).unwrap();
        assert_eq!(group.resolve(0, bucket, NOW), Ok(expected), "{policy:?} {bucket:?}");
    }
}

#[test]
fn an_end_counts_once_and_only_for_what_was_applied() {
    let mut group = staged(EdgeGroupPolicy::AllOf, 2);
    let untouched = group.clone();
    let refused = |result: Result<Resolution, crate::error::EngineError>| result.unwrap_err().to_string();
    assert!(refused(group.resolve(0, Bucket::Succeeded, NOW)).contains("only an applied dependency is resolved"));
    assert!(refused(group.resolve(7, Bucket::Succeeded, NOW)).contains("invariant_violation"));
    assert_eq!(group, untouched, "a refusal changes nothing");
    group.apply(0).unwrap();
    assert!(group.apply(0).is_err());
    assert!(group.apply(2).is_err());
    assert_eq!(group.resolve(0, Bucket::Failed, NOW), Ok(Resolution::Impossible));
    assert_eq!(group.resolve(0, Bucket::Succeeded, NOW), Ok(Resolution::AlreadyResolved));
    group.apply(1).unwrap();
    assert_eq!(group.resolve(1, Bucket::Succeeded, NOW), Ok(Resolution::AlreadyFired));
    assert_eq!((group.succeeded, group.failed, group.skipped, group.running()), (1, 1, 0, 0));
}

#[test]
fn counters_that_contradict_the_dependencies_are_a_violation() {
    let mut group = staged(EdgeGroupPolicy::AllOf, 1);
    group.apply(0).unwrap();
    group.skipped = 1;
    let before = group.clone();
    let error = group.resolve(0, Bucket::Succeeded, NOW).unwrap_err();
    assert_eq!(error.code(), "corruption");
    assert_eq!(group, before, "nothing was written");
}

#[test]
fn a_replay_opens_a_group_for_those_that_did_not_succeed() {
    let quorum = EdgeGroupPolicy::Quorum { k: 2, on_satisfied: OnSatisfied::LetRun };
    let mut group = staged(quorum, 5);
    for slot in 0..5 {
        group.apply(slot).unwrap();
    }
    let ends = [Bucket::Succeeded, Bucket::Failed, Bucket::Skipped, Bucket::Failed, Bucket::Failed];
    for (slot, bucket) in ends.into_iter().enumerate() {
        group.resolve(slot as u32, bucket, NOW).unwrap();
    }
    assert_eq!(group.state, GroupState::Impossible);
    assert_eq!(group.reopen(NOW), [1, 2, 3, 4]);
    assert_eq!(group.check(), Ok(()));
    assert_eq!((group.succeeded, group.lost(), group.running(), group.state), (1, 0, 4, GroupState::Pending));
    assert_eq!(group.slot(1), Some(SlotState::Unsatisfied));
    assert_eq!(group.resolve(3, Bucket::Succeeded, NOW), Ok(Resolution::Satisfied));
}

#[test]
fn outcomes_fall_into_their_buckets() {
    use TerminalOutcome as T;
    let of = [T::None, T::Success, T::Failed, T::Cancelled, T::Expired, T::Skipped].map(Bucket::of);
    let [good, bad, skipped] = BUCKETS.map(Some);
    assert_eq!(of, [None, good, bad, bad, bad, skipped]);
}

#[test]
fn every_broken_group_is_noticed() {
    let healthy = || {
        let mut group = staged(EdgeGroupPolicy::AllOf, 5);
        group.apply(0).unwrap();
        group.apply(3).unwrap();
        group.resolve(3, Bucket::Succeeded, NOW).unwrap();
        group
    };
    assert_eq!(healthy().check(), Ok(()));
    type Spoil = fn(&mut EdgeGroup);
    let cases: [(&str, Spoil); 7] = [
        ("every dependency has a place", |g| g.slots.truncate(1)),
        ("every place is a dependency's", |g| g.slots.push(0)),
        ("each dependency is counted once, where it ended", |g| g.succeeded = 0),
        ("the dependencies applied are counted", |g| g.applied = 3),
        ("a group fires when its counters say so, and not before", |g| g.state = GroupState::Impossible),
        ("a group fires when its counters say so, and not before", |g| g.state = GroupState::Cancelled),
        ("a group that fired satisfied is dated", |g| g.satisfied_at = Some(NOW)),
    ];
    for (rule, spoil) in cases {
        let mut group = healthy();
        spoil(&mut group);
        assert_eq!(group.check(), Err(rule));
    }
}
