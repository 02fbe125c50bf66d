//! The overlay below, at and beyond the number of keys from which it keeps
//! tables.

use super::{FEW, Need, Source, View};
use crate::ids::LaneId;
use crate::record::{Blob, BlobKey, Lane, Record, RecordKey};
use crate::state::LaneState;
use crate::time::TimestampMs;
use std::collections::HashMap;
use std::sync::Arc;

/// Every lane is in memory; the one of a known name exists.
#[derive(Default)]
struct Lanes {
    stored: HashMap<RecordKey, Record>,
    unknown: Vec<RecordKey>,
}

impl Source for Lanes {
    fn find(&self, key: &RecordKey) -> Option<Option<Record>> {
        (!self.unknown.contains(key)).then(|| self.stored.get(key).cloned())
    }

    fn find_blob(&self, _: &BlobKey) -> Option<Option<Blob>> {
        None
    }
}

fn key(n: usize) -> RecordKey {
    RecordKey::Lane(LaneId::try_new(format!("lane-{n}")).unwrap())
}

fn lane(n: usize, version: i64) -> Record {
    let RecordKey::Lane(lane_id) = key(n) else { panic!() };
    Record::Lane(Arc::new(Lane { lane_id, state: LaneState::Active, registered_at: TimestampMs(version) }))
}

const SIZES: [usize; 8] = [0, 1, FEW - 1, FEW, FEW + 1, FEW + 2, 2 * FEW + 1, 100];

#[test]
fn what_is_staged_is_read_back_however_much_it_is() {
    for size in SIZES {
        let mut source = Lanes::default();
        source.stored.extend((0..size).step_by(2).map(|n| (key(n), lane(n, 0))));
        let mut view = View::new(&source);
        for n in 0..size {
            view.put(lane(n, 1));
            for earlier in 0..=n {
                assert_eq!(view.get(&key(earlier)), Some(lane(earlier, 1)), "{earlier} of {n}");
            }
        }
        for n in 0..size {
            view.set(key(n), (n % 3 != 0).then(|| lane(n, 2)));
        }
        let (set, touched) = view.finish().unwrap();
        assert_eq!((set.changes.len(), touched.len()), (size, size));
        for (n, change) in set.changes.iter().enumerate() {
            assert_eq!((&change.key, &touched[n]), (&key(n), &key(n)), "in the order of the first look");
            assert_eq!(change.old, (n % 2 == 0).then(|| lane(n, 0)));
            assert_eq!(change.new, (n % 3 != 0).then(|| lane(n, 2)));
        }
    }
}

#[test]
fn what_is_looked_at_is_told_once() {
    for size in SIZES {
        let source = Lanes::default();
        let mut view = View::new(&source);
        for _ in 0..3 {
            for n in 0..size {
                assert_eq!(view.get(&key(n)), None);
            }
        }
        let (set, touched) = view.finish().unwrap();
        assert!(set.is_empty());
        assert_eq!(touched, (0..size).map(key).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_taken_back_is_gone_and_may_be_staged_anew() {
    for (first, second) in [(3, 3), (FEW + 4, 2), (2, FEW + 4), (FEW + 4, 2 * FEW)] {
        let source = Lanes::default();
        let mut view = View::new(&source);
        (0..first).for_each(|n| view.put(lane(n, 1)));
        view.take_back();
        assert!((0..first).all(|n| view.get(&key(n)).is_none()));
        for n in (0..second).rev() {
            view.put(lane(n, 2));
            view.put(lane(n, 3));
        }
        let (set, touched) = view.finish().unwrap();
        let staged: Vec<_> = set.changes.into_iter().map(|change| (change.old, change.new)).collect();
        assert_eq!(staged, (0..second).rev().map(|n| (None, Some(lane(n, 3)))).collect::<Vec<_>>());
        assert_eq!(touched.len(), first.max(second), "the answer still rests on what was looked at");
    }
}

#[test]
fn what_is_not_in_memory_is_named_once_and_in_order() {
    let unknown: Vec<_> = [30, 2, 25].map(key).to_vec();
    let source = Lanes { unknown: unknown.clone(), ..Lanes::default() };
    let mut view = View::new(&source);
    for n in (0..40).chain(0..40) {
        assert_eq!(view.get(&key(n)), None);
    }
    assert!(view.is_missing_something());
    let mut expected: Vec<_> = unknown.into_iter().map(Need::Record).collect();
    expected.sort();
    assert_eq!(view.finish().unwrap_err(), expected);
}

#[test]
fn a_record_that_is_proven_to_be_new_is_not_looked_for() {
    let source = Lanes { unknown: vec![key(0), key(1)], ..Lanes::default() };
    let mut view = View::new(&source);
    view.put_new(lane(0, 1));
    assert_eq!(view.get(&key(0)), Some(lane(0, 1)));
    assert!(!view.is_missing_something());
    view.put(lane(1, 1));
    assert_eq!(view.finish().unwrap_err(), [Need::Record(key(1))]);
}

#[test]
fn a_derived_record_moves_from_one_key_to_another() {
    let source = Lanes { unknown: (0..4).map(key).collect(), ..Lanes::default() };
    let mut view = View::new(&source);
    view.set_derived(Some(lane(0, 1)), Some(lane(1, 1)));
    view.set_derived(Some(lane(2, 1)), Some(lane(2, 2)));
    view.set_derived(None, Some(lane(3, 1)));
    view.set_derived(None, None);
    let (set, _) = view.finish().unwrap();
    let steps: Vec<_> = set.changes.into_iter().map(|change| (change.old, change.new)).collect();
    let expected = [
        (Some(lane(0, 1)), None),
        (None, Some(lane(1, 1))),
        (Some(lane(2, 1)), Some(lane(2, 2))),
        (None, Some(lane(3, 1))),
    ];
    assert_eq!(steps, expected);
}
