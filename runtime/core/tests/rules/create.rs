//! Creating executions.

use crate::fixture::{START, World, detail, lane, refused};
use bytes::Bytes;
use leasehold_core::command::{CommandSource, CreateExecution, CreateOutcome, PAYLOAD_BYTES_MAX};
use leasehold_core::ids::{LaneId, Namespace};
use leasehold_core::index::{Queue, index_entries};
use leasehold_core::record::{BlobKey, BlobKind, Lane, Record, RecordKey};
use leasehold_core::state::{AttemptState, LaneState, PublicState};
use std::sync::Arc;

fn outcome(world: &mut World, args: CreateExecution) -> CreateOutcome {
    world.run(args).expect("an outcome")
}

#[test]
fn a_new_execution_waits_in_its_lane_by_rank() {
    let mut world = World::new();
    let id = world.create();
    let execution = world.execution(id);
    assert_eq!(execution.vector().public_state(), PublicState::Waiting);
    assert_eq!(execution.vector().attempt_state(), AttemptState::PendingFirstAttempt);
    assert_eq!(execution.lease_epoch.0, 0);
    assert_eq!(execution.total_attempt_count, 0);
    let entries = index_entries(&execution);
    assert_eq!(entries.lane_id, lane());
    assert_eq!(entries.queue, Queue::Ready { rank: START.0 - 5_000_000_000_000 });
    assert_eq!((entries.due_at, entries.held_by), (None, None));
    assert!(world.told().is_empty());
    let payload = BlobKey { execution: id.uuid(), kind: BlobKind::Payload };
    assert_eq!(world.blobs[&payload], Bytes::from_static(b"payload"));
    assert!(matches!(world.records.get(&RecordKey::Lane(lane())), Some(Record::Lane(_))));
}

#[test]
fn a_start_time_in_the_future_delays_and_a_past_one_does_not() {
    let mut world = World::new();
    let later = world.create_with(|args| args.delay_until = Some(START.plus(1)));
    assert_eq!(world.queue(later), Queue::Delayed { wake_at: START.plus(1) });
    assert_eq!(world.public_state(later), PublicState::Delayed);
    let now = world.create_with(|args| args.delay_until = Some(START));
    assert_eq!(world.public_state(now), PublicState::Waiting);
    assert_eq!(world.execution(now).delay_until, None);
}

#[test]
fn the_policy_gives_start_time_and_deadline_where_the_arguments_do_not() {
    let mut world = World::new();
    let json = r#"{"delay_until":1000500,"timeout_policy":{"execution_deadline_ms":700}}"#;
    let from_policy = world.create_with_policy(json);
    let execution = world.execution(from_policy);
    assert_eq!(execution.delay_until, Some(START.plus(500)));
    assert_eq!(execution.deadline_at, Some(START.plus(700)));
    assert_eq!(index_entries(&execution).due_at, Some(START.plus(500)));
    let given = world.create_with(|args| {
        args.policy_json = Some(Bytes::from_static(json.as_bytes()));
        args.delay_until = Some(START.plus(9));
        args.execution_deadline_at = Some(START.plus(11));
    });
    let execution = world.execution(given);
    assert_eq!((execution.delay_until, execution.deadline_at), (Some(START.plus(9)), Some(START.plus(11))));
}

#[test]
fn the_priority_is_clamped_at_both_ends() {
    let mut world = World::new();
    for (asked, stored) in [(-5, 0), (0, 0), (9000, 9000), (9001, 9000), (i32::MAX, 9000), (i32::MIN, 0)] {
        let id = world.create_with(|args| args.priority = asked);
        assert_eq!(world.execution(id).priority, stored, "{asked}");
    }
}

#[test]
fn the_same_id_is_a_duplicate_and_changes_nothing() {
    let mut world = World::new();
    let id = world.create();
    let before = world.execution(id);
    let mut again = world.create_args();
    again.execution_id = id;
    again.input_payload = Bytes::from_static(b"other");
    assert_eq!(outcome(&mut world, again), CreateOutcome::Duplicate { execution_id: id });
    assert!(world.last.is_empty());
    assert_eq!(world.execution(id), before);
}

#[test]
fn an_idempotency_key_stands_for_its_first_execution_within_the_window() {
    let mut world = World::new();
    let keyed = |args: &mut CreateExecution| args.idempotency_key = Some("order-1".into());
    let first = world.create_with(keyed);
    world.pass(86_400_000 - 1);
    let mut again = world.create_args();
    keyed(&mut again);
    assert_eq!(outcome(&mut world, again.clone()), CreateOutcome::Duplicate { execution_id: first });
    again.namespace = Namespace::new("others");
    assert!(matches!(outcome(&mut world, again), CreateOutcome::Created { .. }), "another namespace is another key");
    world.pass(1);
    let after = world.create_with(keyed);
    assert_ne!(after, first);
}

#[test]
fn the_policy_sets_the_window_and_zero_turns_it_off() {
    let mut world = World::new();
    let keyed = |json: &'static str| {
        move |args: &mut CreateExecution| {
            args.idempotency_key = Some("k".into());
            args.policy_json = Some(Bytes::from_static(json.as_bytes()));
        }
    };
    let off = world.create_with(keyed(r#"{"dedup_window_ms":0}"#));
    let short = world.create_with(keyed(r#"{"dedup_window_ms":10}"#));
    assert_ne!(off, short);
    let mut again = world.create_args();
    again.idempotency_key = Some("k".into());
    assert_eq!(outcome(&mut world, again), CreateOutcome::Duplicate { execution_id: short });
    world.pass(10);
    world.create_with(keyed("{}"));
}

#[test]
fn an_empty_idempotency_key_is_none() {
    let mut world = World::new();
    let first = world.create_with(|args| args.idempotency_key = Some("".into()));
    let second = world.create_with(|args| args.idempotency_key = Some("".into()));
    assert_ne!(first, second);
}

#[test]
fn duplicates_are_recognised_before_the_policy_is_read() {
    let mut world = World::new();
    let id = world.create();
    let mut again = world.create_args();
    again.execution_id = id;
    again.policy_json = Some(Bytes::from_static(b"not json"));
    assert_eq!(outcome(&mut world, again), CreateOutcome::Duplicate { execution_id: id });
}

#[test]
fn malformed_policies_are_refused_before_anything_is_written() {
    for (json, code, expected) in [
        ("nonsense", "invalid_policy_json", "malformed"),
        ("[]", "invalid_policy_json", "malformed"),
        (r#"{"routing_requirements":7}"#, "invalid_policy_json", "routing_requirements:not_object"),
        (r#"{"routing_requirements":{"required_capabilities":"gpu"}}"#, "invalid_capabilities", "required:not_array"),
        (
            r#"{"routing_requirements":{"required_capabilities":["a,b"]}}"#,
            "invalid_capabilities",
            "required:comma_in_token",
        ),
    ] {
        let mut world = World::new();
        let mut args = world.create_args();
        args.policy_json = Some(Bytes::from_static(json.as_bytes()));
        let error = refused(world.run(args), code);
        assert_eq!(detail(&error), expected);
        assert!(world.last.is_empty());
    }
}

#[test]
fn required_capabilities_come_from_the_policy() {
    let mut world = World::new();
    let id = world.create_with_policy(r#"{"routing_requirements":{"required_capabilities":["gpu","cuda"]}}"#);
    assert_eq!(index_entries(&world.execution(id)).requirements.to_csv(), "cuda,gpu");
}

#[test]
fn a_lane_that_drains_or_is_disabled_accepts_nothing_new() {
    for (state, accepted) in [
        (LaneState::Active, true),
        (LaneState::Paused, true),
        (LaneState::Draining, false),
        (LaneState::Disabled, false),
    ] {
        let mut world = World::new();
        let known = Lane { lane_id: lane(), state, registered_at: START };
        world.records.insert(RecordKey::Lane(lane()), Record::Lane(Arc::new(known)));
        let args = world.create_args();
        assert_eq!(world.run(args).is_ok(), accepted, "{state}");
    }
}

#[test]
fn what_no_store_may_see_is_refused() {
    type Spoil = fn(&mut CreateExecution);
    let cases: [(Spoil, &str); 8] = [
        (|args| args.execution_kind = "".into(), "invalid_input"),
        (|args| args.execution_kind = "k".repeat(257).into(), "invalid_input"),
        (|args| args.execution_kind = "a\0b".into(), "invalid_input"),
        (|args| args.creator_identity = "\0".into(), "invalid_input"),
        (|args| args.payload_encoding = Some("e".repeat(257).into()), "invalid_input"),
        (|args| args.idempotency_key = Some("\0".into()), "invalid_input"),
        (|args| args.input_payload = vec![0; PAYLOAD_BYTES_MAX + 1].into(), "payload_too_large"),
        (|args| drop(args.tags.insert("Bad".into(), "v".into())), "invalid_tag_key"),
    ];
    for (spoil, code) in cases {
        let mut world = World::new();
        let mut args = world.create_args();
        spoil(&mut args);
        refused(world.run(args), code);
        assert!(world.last.is_empty());
    }
    let mut world = World::new();
    world.create_with(|args| {
        args.execution_kind = "k".repeat(256).into();
        args.input_payload = vec![0; PAYLOAD_BYTES_MAX].into();
    });
}

#[test]
fn eligible_order_is_priority_then_age() {
    let mut world = World::new();
    let mut expected = Vec::new();
    for (age, priority) in [(0, 0), (5, 9000), (9, 1), (9, 9000), (900_000_000, 9000)] {
        world.now = START.plus(age);
        let id = world.create_with(|args| args.priority = priority);
        expected.push((std::cmp::Reverse(priority), age, id));
    }
    let mut by_score: Vec<_> =
        expected.iter().map(|(priority, age, id)| (world.queue(*id).score(), *priority, *age, *id)).collect();
    by_score.sort_by_key(|(score, ..)| *score);
    expected.sort();
    assert_eq!(
        by_score.iter().map(|entry| entry.3).collect::<Vec<_>>(),
        expected.iter().map(|e| e.2).collect::<Vec<_>>()
    );
}

#[test]
fn lanes_stay_apart_and_sources_read_back() {
    let mut world = World::new();
    let id = world.create_with(|args| args.lane_id = LaneId::new("other"));
    assert_eq!(index_entries(&world.execution(id)).lane_id.as_str(), "other");
    for name in ["operator_override", "lease_holder", "flow_cascade", "system_timeout", "worker", "me"] {
        assert_eq!(CommandSource::parse(name).as_str(), name);
    }
    assert_eq!(CommandSource::parse(""), CommandSource::OperatorOverride);
}
