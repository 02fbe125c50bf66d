//! Bytes of records: what they are, that they read back, and that bytes from
//! a broken or hostile store are refused without harm.

use crate::fixture::{World, lane};
use crate::situation::{self, Situation as S, Staged, fail_args};
use bytes::Bytes;
use leasehold_core::codec::{RECORD_BYTES_MAX, RECORD_VERSION, Stored, decode, encode};
use leasehold_core::command::{IssueGrantAndClaim, PromoteDelayed, REASON_BYTES_MAX, SetExecutionTag, UpdateProgress};
use leasehold_core::error::EngineError;
use leasehold_core::event::Event;
use leasehold_core::ids::{AttemptId, LeaseId, Namespace, WorkerId};
use leasehold_core::policy::POLICY_BYTES_MAX;
use leasehold_core::record::{Attempt, Execution, Idempotency, IdempotencyKey, Lane, Record};
use leasehold_core::tags::{MAX_TAG_KEY_BYTES, MAX_TAG_VALUE_BYTES, MAX_TAGS};
use std::fmt::{Debug, Write};
use uuid::Uuid;

/// An execution with nearly every field in use: a running retry.
fn rich() -> Execution {
    let mut world = World::new();
    let id = world.create_with(|args| {
        args.policy_json = Some(Bytes::from_static(
            br#"{"retry_policy":{"max_retries":3,"backoff":{"type":"fixed","delay_ms":10}},
                "routing_requirements":{"required_capabilities":["gpu"]}}"#,
        ));
        args.tags.insert("team.name".into(), "red".into());
        args.payload_encoding = Some("json".into());
        args.execution_deadline_at = Some(situation::DEADLINE);
    });
    for n in [70, 80] {
        let claimed = world
            .run(IssueGrantAndClaim {
                execution_id: id,
                lane_id: lane(),
                lease_id: LeaseId::from_uuid(Uuid::from_u128(n)),
                attempt_id: AttemptId::from_uuid(Uuid::from_u128(n + 1)),
                lease_duration_ms: 1000,
            })
            .unwrap();
        if n == 70 {
            world.run(fail_args(id, claimed.fence().into())).unwrap();
            world.pass(10);
            world.run(PromoteDelayed { execution_id: id }).unwrap();
        }
    }
    (*world.execution(id)).clone()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[track_caller]
fn corrupt<T: Debug>(result: Result<T, EngineError>, expected: &str) {
    let error = result.expect_err("a refusal");
    assert_eq!(error.code(), "corruption");
    assert!(error.to_string().contains(expected), "{error}");
}

#[track_caller]
fn reads_back<T: Stored + PartialEq + Debug>(value: &T) {
    let bytes = encode(value).unwrap();
    assert_eq!(bytes[0], RECORD_VERSION);
    assert_eq!(decode::<T>(&bytes).unwrap(), *value);
}

/// The bytes of a version never change: a store written by one build is read
/// by every later one.
#[test]
fn the_bytes_of_an_execution_are_these() {
    let golden = include_str!("golden/execution-v1.hex").trim();
    let bytes = encode(&rich()).unwrap();
    assert_eq!(hex(&bytes), golden, "the encoding of an execution has changed");
    assert_eq!(decode::<Execution>(&unhex(golden)).unwrap(), rich());
}

#[test]
fn every_kind_of_record_reads_back() {
    for &situation in &situation::ALL[1..] {
        let Staged { world, .. } = situation.stage();
        for record in world.records.values() {
            match record {
                Record::Execution(execution) => reads_back(&**execution),
                Record::Attempt(attempt) => reads_back(&**attempt),
                Record::Idempotency(idempotency) => reads_back(&**idempotency),
                Record::Lane(lane) => reads_back(&**lane),
                Record::Wait(_) | Record::Flow(_) => panic!("{record:?} in a world without waits and flows"),
            }
        }
        world.last.events.iter().for_each(reads_back);
    }
    let execution = rich();
    reads_back::<Attempt>(execution.attempt.as_ref().unwrap());
    let key = IdempotencyKey { namespace: Namespace::new("n"), key: "k".into() };
    let expires_at = situation::DEADLINE;
    reads_back::<Idempotency>(&Idempotency { key, execution_id: execution.id, expires_at });
}

#[test]
fn an_unknown_version_is_named() {
    let mut bytes = encode(&rich()).unwrap();
    bytes[0] = 9;
    corrupt(decode::<Execution>(&bytes), "execution.version: 9");
    corrupt(decode::<Lane>(&[]), "lane.record: empty");
}

#[test]
fn bytes_cut_short_or_left_over_are_refused() {
    let bytes = encode(&rich()).unwrap();
    for end in 0..bytes.len() {
        corrupt(decode::<Execution>(&bytes[..end]), "execution.");
    }
    let mut longer = bytes;
    longer.push(0);
    corrupt(decode::<Execution>(&longer), "bytes left over");
}

#[test]
fn no_flipped_byte_does_harm() {
    let bytes = encode(&rich()).unwrap();
    let mut contradictions = 0;
    for at in 1..bytes.len() {
        for flip in [0x01, 0x02, 0x7F, 0x80, 0xFF] {
            let mut bad = bytes.clone();
            bad[at] ^= flip;
            match decode::<Execution>(&bad) {
                Ok(execution) => drop(encode(&execution).unwrap()),
                Err(error) => contradictions += usize::from(error.to_string().contains("which contradicts")),
            }
        }
    }
    assert!(contradictions >= 6, "a state vector that contradicts itself is refused, {contradictions} times");
}

/// A length from a hostile store is not believed: nothing larger than a
/// record may be is ever allocated.
#[test]
fn a_length_over_the_limit_is_refused_before_it_is_allocated() {
    let bytes = encode(&rich()).unwrap();
    let lengths = [u64::MAX, u64::MAX / 16, 1 << 40, RECORD_BYTES_MAX as u64 + 1];
    let mut limited = 0;
    for at in 1..bytes.len() {
        for length in lengths {
            let mut bad = bytes[..at].to_vec();
            bad.push(253);
            bad.extend(length.to_le_bytes());
            bad.extend(&bytes[at..]);
            if let Err(error) = decode::<Execution>(&bad) {
                limited += usize::from(error.to_string().contains("LimitExceeded"));
            }
        }
    }
    assert!(limited > 50, "{limited} lengths were over the limit");
}

#[test]
fn noise_is_refused() {
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    for length in 0..2000 {
        let mut bytes: Vec<u8> = (0..length % 300).map(|_| noise()).collect();
        bytes.insert(0, RECORD_VERSION);
        assert!(decode::<Execution>(&bytes).is_err());
        drop(decode::<Event>(&bytes));
        drop(decode::<Attempt>(&bytes));
        drop(decode::<Lane>(&bytes));
        drop(decode::<Idempotency>(&bytes));
    }
}

#[test]
fn a_record_over_the_limit_is_not_written() {
    let mut execution = rich();
    let attempt = execution.attempt.as_mut().unwrap();
    attempt.worker_id = WorkerId::new("w");
    attempt.policy_json = Some("p".repeat(RECORD_BYTES_MAX));
    corrupt(encode(&execution), "larger than the limit");
}

/// The largest record that commands can build is far below the limit.
#[test]
fn the_largest_record_fits() {
    let Staged { mut world, id, fence } = S::Leased.stage();
    for n in 0..MAX_TAGS {
        let key = format!("a.{}{n:03}", "t".repeat(MAX_TAG_KEY_BYTES - 5));
        let value = "v".repeat(MAX_TAG_VALUE_BYTES);
        world.run(SetExecutionTag { execution_id: id, key, value }).unwrap();
    }
    let text = "r".repeat(REASON_BYTES_MAX);
    let message = Some(text.clone());
    world.run(UpdateProgress { execution_id: id, fence, percent: None, message }).unwrap();
    let mut args = fail_args(id, fence);
    args.failure_reason = text;
    world.run(args).unwrap();
    let execution = world.execution(id);
    assert!(encode(&*execution).unwrap().len() + POLICY_BYTES_MAX < RECORD_BYTES_MAX / 4);
    reads_back(&*execution);
}
