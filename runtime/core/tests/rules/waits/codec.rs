//! Bytes of the records of suspension: what they are, that they read back,
//! and that bytes from a broken or hostile store are refused without harm.

use super::fixture::{K2, at, count};
use crate::fixture::World;
use bytes::Bytes;
use leasehold_core::codec::{RECORD_VERSION, Stored, decode, encode};
use leasehold_core::record::{
    Requester, ResumePolicy, Signal, SignalBytes, SignalDedup, SuspendDedup, Suspended, SuspensionReason,
    TimeoutBehavior, WaitRecord, Waitpoint, Waits,
};
use leasehold_core::suspension::{CompositeBody, CountKind, ResumeCondition};
use leasehold_core::token::Keyring;
use std::fmt::{Debug, Write};

/// A world with one record of each kind, nearly every field in use: two
/// suspensions, the second open, with signals of every sort behind it.
pub fn rich() -> World {
    let (mut w, id, _) = World::leased();
    let ring = w.keyring().rotate("k2", K2, 1_000_000, w.now).unwrap().0.unwrap();
    w.install(ring);
    let members = vec![
        count(2, CountKind::DistinctSources, &["a", "b"]),
        super::fixture::single("a", Some("approved")),
        ResumeCondition::TimeoutOnly,
    ];
    let waitpoints = vec![w.fresh("a"), w.fresh("b")];
    let details = w.suspend(id, |args| {
        args.waitpoints = waitpoints;
        args.resume_condition = ResumeCondition::Composite(CompositeBody::AllOf { members });
        args.resume_policy = ResumePolicy { resume_delay_ms: Some(5), ..ResumePolicy::default() };
        args.reason_code = SuspensionReason::Other("lunch".into());
        args.requested_by = Requester::Policy;
        args.timeout_at = at(90_000);
        args.timeout_behavior = TimeoutBehavior::Escalate;
        args.continuation_metadata_pointer = Some("step-3".into());
        args.idempotency_key = Some("once".into());
    });
    let to = details.primary.waitpoint_id;
    w.deliver(id, to, |args| {
        args.correlation_id = Some("c-1".into());
        args.idempotency_key = Some("k".into());
        args.payload = Some(Bytes::from_static(&[0, 255, 7]));
    });
    w.deliver(id, details.additional_waitpoints[0].waitpoint_id, |args| args.payload = Some(vec![7; 300].into()));
    w
}

fn one<T: Clone>(w: &World, pick: fn(&WaitRecord) -> Option<&T>) -> T {
    // The first by key, so that there is one answer.
    let mut records: Vec<_> = w.wait_records().collect();
    records.sort_by_key(|record| record.key());
    records.into_iter().find_map(pick).expect("a record of the kind").clone()
}

macro_rules! picks {
    ($($name:ident => $kind:ident;)+) => {
        $(fn $name(w: &World) -> $kind {
            one(w, |record| match record {
                WaitRecord::$kind(record) => Some(&**record),
                _ => None,
            })
        })+
    };
}

picks! {
    waits => Waits;
    waitpoint => Waitpoint;
    signal => Signal;
    signal_dedup => SignalDedup;
    suspend_dedup => SuspendDedup;
    signal_bytes => SignalBytes;
    suspended => Suspended;
    keyring => Keyring;
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The bytes of a version never change: a store written by one build is read
/// by every later one.
#[track_caller]
fn bytes_are<T: Stored + PartialEq + Debug>(value: &T, golden: &str) {
    let golden = golden.trim();
    let bytes = encode(value).unwrap();
    assert_eq!(bytes[0], RECORD_VERSION);
    assert_eq!(hex(&bytes), golden, "the encoding of a {} has changed", T::KIND);
    assert_eq!(decode::<T>(&unhex(golden)).unwrap(), *value);
}

#[test]
fn the_bytes_of_each_record_are_these() {
    let w = rich();
    bytes_are(&waits(&w), include_str!("../golden/waits-v1.hex"));
    bytes_are(&waitpoint(&w), include_str!("../golden/waitpoint-v1.hex"));
    bytes_are(&signal(&w), include_str!("../golden/signal-v1.hex"));
    bytes_are(&signal_dedup(&w), include_str!("../golden/signal-dedup-v1.hex"));
    bytes_are(&suspend_dedup(&w), include_str!("../golden/suspend-dedup-v1.hex"));
    bytes_are(&keyring(&w), include_str!("../golden/keyring-v1.hex"));
}

/// Cuts, adds to and flips every byte; what still reads must write again.
#[track_caller]
fn withstands_damage<T: Stored + Debug>(value: &T) {
    let bytes = encode(value).unwrap();
    for end in 0..bytes.len() {
        let error = decode::<T>(&bytes[..end]).expect_err("a refusal");
        assert_eq!(error.code(), "corruption");
        assert!(error.to_string().contains(T::KIND), "{error}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(decode::<T>(&longer).unwrap_err().to_string().contains("bytes left over"));
    let mut refused = 0;
    for at in 0..bytes.len() {
        for flip in [0x01, 0x02, 0x7F, 0x80, 0xFF] {
            let mut bad = bytes.clone();
            bad[at] ^= flip;
            match decode::<T>(&bad) {
                Ok(read) => drop(encode(&read).unwrap()),
                Err(error) => refused += usize::from(error.code() == "corruption"),
            }
        }
    }
    assert!(refused > 0, "some damage to a {} is noticed", T::KIND);
    for length in [u64::MAX, 1 << 40] {
        for at in 1..bytes.len() {
            let mut bad = bytes[..at].to_vec();
            bad.push(253);
            bad.extend(length.to_le_bytes());
            bad.extend(&bytes[at..]);
            drop(decode::<T>(&bad));
        }
    }
}

#[test]
fn damaged_bytes_do_no_harm() {
    let w = rich();
    withstands_damage(&waits(&w));
    withstands_damage(&waitpoint(&w));
    withstands_damage(&signal(&w));
    withstands_damage(&signal_dedup(&w));
    withstands_damage(&suspend_dedup(&w));
    withstands_damage(&signal_bytes(&w));
    withstands_damage(&suspended(&w));
    withstands_damage(&keyring(&w));
}

#[test]
fn noise_is_refused() {
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    let mut refused = 0;
    for length in 0..2000 {
        let mut bytes: Vec<u8> = (0..length % 300).map(|_| noise()).collect();
        bytes.insert(0, RECORD_VERSION);
        refused += usize::from(decode::<Waits>(&bytes).is_err());
        drop(decode::<Waitpoint>(&bytes));
        drop(decode::<Signal>(&bytes));
        drop(decode::<SignalDedup>(&bytes));
        drop(decode::<SuspendDedup>(&bytes));
        drop(decode::<Keyring>(&bytes));
    }
    assert!(refused > 1_900, "{refused}");
}

/// Every kind of record has a name of its own, the one its errors use.
#[test]
fn kinds_are_named_as_their_codec_names_them() {
    let w = rich();
    let mut kinds: Vec<_> = w.wait_records().map(|record| record.key().kind()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut expected = [
        Waits::KIND,
        Waitpoint::KIND,
        Signal::KIND,
        SignalBytes::KIND,
        SignalDedup::KIND,
        SuspendDedup::KIND,
        Suspended::KIND,
        Keyring::KIND,
    ];
    expected.sort_unstable();
    assert_eq!(kinds, expected);
}

/// Whatever becomes text on its way to a log shows neither token nor secret,
/// whichever record it comes from.
#[test]
fn no_record_shows_a_token_or_a_secret() {
    let w = rich();
    let tokens: Vec<String> = w
        .wait_records()
        .filter_map(|record| match record {
            WaitRecord::Waitpoint(waitpoint) => waitpoint.token.as_ref().map(|token| token.reveal().to_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(tokens.len(), 2);
    let shown = format!("{:?} {:#?}", w.records, w.last);
    for token in &tokens {
        assert!(!shown.contains(&token[3..]), "{token}");
    }
    assert!(shown.contains("WaitpointToken(k2:<REDACTED:len=40>)") && shown.contains("Secret(<REDACTED>)"));
}
