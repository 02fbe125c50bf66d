//! Turning entries of the inbox into executions.

use crate::fixture::{World, lane};
use bytes::Bytes;
use leasehold_core::command::{Admit, AdmitOutcome, CreateExecution, CreateOutcome, Operation, PAYLOAD_BYTES_MAX};
use leasehold_core::ids::ExecutionId;
use leasehold_core::inbox;
use leasehold_core::record::{Lane, Record, RecordKey};
use leasehold_core::state::{LaneState, PublicState};
use std::sync::Arc;

fn entry(number: i64, create: &CreateExecution) -> Admit {
    Admit::new(number, create.execution_id, &inbox::encode(create).expect("it is well-formed"))
}

fn refusal(world: &mut World, admit: Admit) -> String {
    match world.run(admit).expect("an entry always leaves") {
        AdmitOutcome::Refused { error } => error.code().to_owned(),
        AdmitOutcome::Admitted(outcome) => panic!("admitted: {outcome:?}"),
    }
}

#[test]
fn an_entry_becomes_what_create_would_have_made_and_leaves() {
    let mut world = World::new();
    let args = world.create_args();
    let mut direct = world.clone();
    direct.run(args.clone()).expect("it is created");
    let id = args.execution_id;
    let admitted = world.run(entry(7, &args)).expect("an outcome");
    let created = CreateOutcome::Created { execution_id: id, public_state: PublicState::Waiting };
    assert_eq!(admitted, AdmitOutcome::Admitted(created));
    assert_eq!(world.last.inbox, [7]);
    assert_eq!(world.execution(id), direct.execution(id));
    assert_eq!(world.blobs, direct.blobs);
    assert!(world.told().is_empty());
}

#[test]
fn an_entry_whose_id_or_key_is_taken_leaves_and_changes_nothing() {
    let mut world = World::new();
    let mut args = world.create_args();
    args.idempotency_key = Some("once".into());
    let first = args.execution_id;
    world.run(entry(1, &args)).expect("an outcome");
    let duplicate = AdmitOutcome::Admitted(CreateOutcome::Duplicate { execution_id: first });
    assert_eq!(world.run(entry(2, &args)), Ok(duplicate.clone()));
    args.execution_id = world.create_args().execution_id;
    assert_eq!(world.run(entry(3, &args)), Ok(duplicate));
    assert_eq!(world.last.inbox, [3]);
    assert!(world.last.changes.is_empty() && world.last.blobs.is_empty());
}

#[test]
fn an_entry_that_does_not_parse_leaves_with_an_event() {
    let mut world = World::new();
    let args = world.create_args();
    let id = args.execution_id;
    let good = inbox::encode(&args).expect("it is well-formed");
    let longer = [&good[..], &[0]].concat();
    let newer = [&[99], &good[1..]].concat();
    let shorter = &good[..good.len() - 1];
    for (number, bytes) in [(1, &[][..]), (2, &longer), (3, &newer), (4, shorter), (5, &[1, 255, 255, 255])] {
        assert_eq!(refusal(&mut world, Admit::new(number, id, bytes)), "corruption", "{bytes:?}");
        assert_eq!(world.last.inbox, [number]);
        assert_eq!(world.told(), ["create_refused: corruption"]);
        assert!(world.last.changes.is_empty());
    }
}

#[test]
fn an_entry_about_another_execution_is_refused() {
    let mut world = World::new();
    let args = world.create_args();
    let bytes = inbox::encode(&args).expect("it is well-formed");
    let other = ExecutionId::from_parts(args.execution_id.partition(), world.mint());
    assert_eq!(refusal(&mut world, Admit::new(1, other, &bytes)), "corruption");
    assert!(!world.records.contains_key(&RecordKey::Execution(args.execution_id.uuid())));
}

#[test]
fn an_entry_that_a_rule_refuses_leaves_with_an_event() {
    let mut world = World::new();
    let draining = Lane { lane_id: lane(), state: LaneState::Draining, registered_at: world.now };
    world.records.insert(RecordKey::Lane(lane()), Record::Lane(Arc::new(draining)));
    let args = world.create_args();
    assert_eq!(refusal(&mut world, entry(1, &args)), "invalid_input");
    assert_eq!(world.told(), ["create_refused: invalid_input"]);
    assert!(world.last.changes.is_empty() && world.last.inbox == [1]);
}

#[test]
fn an_entry_reads_back_as_it_was_written() {
    let mut world = World::new();
    let mut args = world.create_args();
    args.input_payload = Bytes::from(vec![3; PAYLOAD_BYTES_MAX]);
    args.payload_encoding = Some("raw".into());
    args.idempotency_key = Some("key".into());
    args.tags = [("app.name".to_owned(), "value".to_owned())].into();
    args.policy_json = Some(Bytes::from_static(b"{\"max_replay_count\":3}"));
    args.delay_until = Some(world.now.plus(5));
    args.execution_deadline_at = Some(world.now.plus(9));
    let read = inbox::decode(&inbox::encode(&args).expect("it is well-formed")).expect("it parses");
    assert_eq!(format!("{read:?}"), format!("{args:?}"));
}

#[test]
fn what_create_refuses_is_not_even_written_down() {
    let mut world = World::new();
    type Spoil = fn(&mut CreateExecution);
    let spoilt: [(Spoil, &str); 5] = [
        (|args| args.input_payload = vec![0; PAYLOAD_BYTES_MAX + 1].into(), "payload_too_large"),
        (|args| args.execution_kind = "".into(), "invalid_input"),
        (|args| args.creator_identity = "a\0b".into(), "invalid_input"),
        (|args| args.tags = [("Bad".to_owned(), String::new())].into(), "invalid_tag_key"),
        (|args| args.policy_json = Some(Bytes::from_static(b"[]")), "invalid_policy_json"),
    ];
    for (spoil, code) in spoilt {
        let mut args = world.create_args();
        spoil(&mut args);
        let refused = inbox::encode(&args).expect_err("it is refused");
        assert_eq!(refused.code(), code);
        let direct = world.run(args).expect_err("it is refused");
        assert_eq!(refused, direct);
    }
}

#[test]
fn the_bytes_of_an_entry_stay_what_they_are() {
    let mut world = World::new();
    let mut args = world.create_args();
    args.execution_id = ExecutionId::from_parts(3, uuid::Uuid::from_u128(9));
    let bytes = inbox::encode(&args).expect("it is well-formed");
    let hex = bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let expected = concat!(
        "0103000000000000000000000000000000090574657374730764656661756c74036a6f62",
        "077061796c6f6164000a067465737465720000000000"
    );
    assert_eq!(hex, expected);
    assert_eq!(Admit::NAME, "admit");
}
