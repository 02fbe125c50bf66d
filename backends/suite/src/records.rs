//! Records, blobs and index entries, written and read back.

use crate::{Engine, Place, START, create_command};
use bytes::Bytes;
use leasehold_backend::{Backend, Batch, StoreError};
use leasehold_core::command::{CommandSource, FailExecution, FenceTriple};
use leasehold_core::decision::{BlobWrite, Change, ChangeSet};
use leasehold_core::ids::{AttemptIndex, ExecutionId, LaneId, Namespace};
use leasehold_core::index::index_entries;
use leasehold_core::record::{AttemptKey, BlobKey, BlobKind, IdempotencyKey, Record, RecordKey};
use uuid::Uuid;

fn payload(id: ExecutionId) -> BlobKey {
    BlobKey { execution: id.uuid(), kind: BlobKind::Payload }
}

async fn index_is_as_derived<B: Backend>(engine: &Engine<B>, id: ExecutionId) {
    let stored = engine.store.stored_index(id).await.unwrap().unwrap();
    let derived = index_entries(&engine.execution(id));
    assert_eq!(stored.queue, derived.queue.name());
    assert_eq!(stored.score, derived.queue.score());
    assert_eq!(stored.lane_id, derived.lane_id);
    assert_eq!(stored.due_at, derived.due_at);
}

/// An execution with an idempotency key and a policy that retries.
async fn keyed<B: Backend>(engine: &mut Engine<B>) -> ExecutionId {
    let id = engine.id(1);
    let mut command = create_command(id);
    command.idempotency_key = Some("order-17".into());
    command.policy_json =
        Some(Bytes::from_static(br#"{"retry_policy":{"max_retries":3,"backoff":{"type":"fixed","delay_ms":10}}}"#));
    let (partition, changes, _) = engine.decide(command);
    engine.commit(vec![(partition, changes)]).await;
    id
}

fn fail<B: Backend>(engine: &mut Engine<B>, id: ExecutionId) -> (u16, ChangeSet) {
    let fence = engine.execution(id).lease.as_ref().unwrap().fence();
    let (partition, changes, _) = engine.decide(FailExecution {
        execution_id: id,
        fence: FenceTriple::from(fence),
        attempt_index: None,
        failure_reason: "it broke".into(),
        failure_category: "handler".into(),
        failure_class: None,
        retry_policy_json: None,
        source: CommandSource::LeaseHolder,
    });
    (partition, changes)
}

/// Commits a change set that no command makes.
async fn commit_by_hand<B: Backend>(engine: &mut Engine<B>, changes: ChangeSet) {
    let batch: Batch = engine.batch(vec![(1, changes)]);
    engine.send(&batch).await.unwrap();
}

pub async fn every_kind_of_record_reads_back_in_the_order_asked_for<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let id = keyed(&mut engine).await;
    let claim = engine.claim(id);
    engine.commit(vec![claim]).await;
    let failed = fail(&mut engine, id);
    engine.commit(vec![failed]).await;
    engine.clock.advance(100);
    let promoted = engine.decide(leasehold_core::command::PromoteDelayed { execution_id: id });
    engine.commit(vec![(promoted.0, promoted.1)]).await;
    let (partition, changes) = engine.claim(id);
    let attempt = changes.changes.iter().find_map(|change| match &change.new {
        Some(Record::Attempt(attempt)) => Some(attempt.clone()),
        _ => None,
    });
    let attempt = attempt.expect("a retry closes the attempt before it");
    engine.commit(vec![(partition, changes)]).await;

    let keys = [
        RecordKey::Lane(LaneId::new("default")),
        RecordKey::Execution(Uuid::nil()),
        RecordKey::Attempt(attempt.key()),
        RecordKey::Idempotency(IdempotencyKey { namespace: Namespace::new("tests"), key: "order-17".into() }),
        RecordKey::Execution(id.uuid()),
        RecordKey::Lane(LaneId::new("missing")),
        RecordKey::Idempotency(IdempotencyKey { namespace: Namespace::new("others"), key: "order-17".into() }),
        RecordKey::Attempt(AttemptKey { execution: id.uuid(), index: AttemptIndex(9) }),
    ];
    let blobs = [BlobKey { execution: id.uuid(), kind: BlobKind::Result }, payload(id)];
    let loaded = engine.store.load(1, &keys, &blobs).await.unwrap();
    let found: Vec<bool> = loaded.records.iter().map(Option::is_some).collect();
    assert_eq!(found, [true, false, true, true, true, false, false, false]);
    for record in loaded.records.iter().flatten() {
        assert!(keys.contains(&record.key()));
        match record {
            Record::Execution(execution) => assert_eq!(*execution, engine.execution(id)),
            Record::Attempt(stored) => assert_eq!(*stored, attempt),
            Record::Idempotency(idempotency) => {
                assert_eq!((idempotency.execution_id, idempotency.expires_at), (id, START.plus(86_400_000)));
            }
            Record::Lane(lane) => assert_eq!(lane.registered_at, START),
            other => panic!("not asked for: {other:?}"),
        }
    }
    assert_eq!(loaded.blobs[0], None);
    assert_eq!(loaded.blobs[1], Some(create_command(id).input_payload));
    assert_eq!(engine.store.list_attempts(id, None, 10).await.unwrap(), vec![attempt.clone()]);
    assert_eq!(engine.store.list_attempts(id, Some(attempt.index), 10).await.unwrap(), []);
    // Nothing of it is in another partition.
    let elsewhere = engine.store.load(2, &keys, &blobs).await.unwrap();
    assert!(elsewhere.records.iter().all(Option::is_none) && elsewhere.blobs.iter().all(Option::is_none));
}

pub async fn loading_nothing_gives_nothing<P: Place>() {
    let place = P::fresh();
    let engine = Engine::at(&place).await;
    assert_eq!(engine.store.load(1, &[], &[]).await.unwrap(), leasehold_backend::Loaded::default());
}

pub async fn many_keys_are_loaded_by_one_call<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let ids = engine.created([1; 700]).await;
    let keys: Vec<RecordKey> = ids.iter().rev().map(|id| RecordKey::Execution(id.uuid())).collect();
    let blobs: Vec<BlobKey> = ids.iter().map(|id| payload(*id)).collect();
    let loaded = engine.store.load(1, &keys, &blobs).await.unwrap();
    let found: Vec<RecordKey> = loaded.records.iter().flatten().map(Record::key).collect();
    assert_eq!(found, keys);
    assert!(loaded.blobs.iter().all(Option::is_some));
    let too_many = vec![RecordKey::Execution(Uuid::nil()); 5000];
    assert!(matches!(engine.store.load(1, &too_many, &[]).await, Err(StoreError::Permanent { .. })));
}

pub async fn the_same_uuid_in_two_partitions_is_two_executions<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let one = engine.created([1]).await[0];
    let two = ExecutionId::from_parts(2, one.uuid());
    let create = engine.create(two);
    engine.commit(vec![create]).await;
    let claim = engine.claim(one);
    engine.commit(vec![claim]).await;
    assert_eq!(engine.store.stored_index(one).await.unwrap().unwrap().queue, "active");
    assert_eq!(engine.store.stored_index(two).await.unwrap().unwrap().queue, "ready");
}

pub async fn the_last_write_of_a_blob_in_a_batch_counts<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let write = |execution, bytes: Option<&'static [u8]>| BlobWrite {
        key: BlobKey { execution, kind: BlobKind::Result },
        bytes: bytes.map(Bytes::from_static),
    };
    let blobs = vec![write(one, Some(b"a")), write(two, None), write(one, None), write(two, Some(b"b"))];
    commit_by_hand(&mut engine, ChangeSet { blobs, ..ChangeSet::default() }).await;
    let keys = [write(one, None).key, write(two, None).key];
    let loaded = engine.store.load(1, &[], &keys).await.unwrap();
    assert_eq!(loaded.blobs, [None, Some(Bytes::from_static(b"b"))]);
    let blobs = vec![write(two, Some(b"")), write(one, Some(b"c"))];
    commit_by_hand(&mut engine, ChangeSet { blobs, ..ChangeSet::default() }).await;
    let loaded = engine.store.load(1, &[], &keys).await.unwrap();
    assert_eq!(loaded.blobs, [Some(Bytes::from_static(b"c")), Some(Bytes::new())]);
}

pub async fn deleted_records_of_every_kind_are_gone<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let id = keyed(&mut engine).await;
    let claim = engine.claim(id);
    engine.commit(vec![claim]).await;
    let attempt = engine.execution(id).attempt.clone().unwrap();
    let attempt_key = RecordKey::Attempt(attempt.key());
    let change = Change { key: attempt_key.clone(), old: None, new: Some(Record::Attempt(attempt.into())) };
    commit_by_hand(&mut engine, ChangeSet { changes: vec![change], ..ChangeSet::default() }).await;
    let keys = [
        RecordKey::Execution(id.uuid()),
        attempt_key,
        RecordKey::Idempotency(IdempotencyKey { namespace: Namespace::new("tests"), key: "order-17".into() }),
        RecordKey::Lane(LaneId::new("default")),
    ];
    let loaded = engine.store.load(1, &keys, &[]).await.unwrap();
    let changes =
        loaded.records.into_iter().map(|old| Change { key: old.as_ref().unwrap().key(), old, new: None }).collect();
    let blobs = vec![BlobWrite { key: payload(id), bytes: None }];
    commit_by_hand(&mut engine, ChangeSet { changes, blobs, ..ChangeSet::default() }).await;
    let loaded = engine.store.load(1, &keys, &[payload(id)]).await.unwrap();
    assert_eq!(loaded.records, [None, None, None, None]);
    assert_eq!(loaded.blobs, [None]);
    assert_eq!(engine.store.scan_active(1, None, 10).await.unwrap(), []);
}

pub async fn a_record_made_and_deleted_in_one_batch_is_never_written<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    let change = Change { key: RecordKey::Execution(Uuid::from_u128(4)), old: None, new: None };
    commit_by_hand(&mut engine, ChangeSet { changes: vec![change], ..ChangeSet::default() }).await;
    assert_eq!(engine.store.list_executions(1, None, 10).await.unwrap(), []);
}

pub async fn index_entries_follow_the_record_through_its_life<P: Place>() {
    let place = P::fresh();
    let mut engine = Engine::at(&place).await;
    assert_eq!(engine.store.stored_index(engine.id(1)).await.unwrap(), None);
    let id = keyed(&mut engine).await;
    index_is_as_derived(&engine, id).await;
    let claim = engine.claim(id);
    engine.commit(vec![claim]).await;
    index_is_as_derived(&engine, id).await;
    let failed = fail(&mut engine, id);
    engine.commit(vec![failed]).await;
    index_is_as_derived(&engine, id).await;
    assert_eq!(engine.store.stored_index(id).await.unwrap().unwrap().queue, "delayed");
    engine.clock.advance(100);
    let promoted = engine.decide(leasehold_core::command::PromoteDelayed { execution_id: id });
    engine.commit(vec![(promoted.0, promoted.1)]).await;
    index_is_as_derived(&engine, id).await;
    let claim = engine.claim(id);
    engine.commit(vec![claim]).await;
    let complete = engine.complete(id);
    engine.commit(vec![complete]).await;
    index_is_as_derived(&engine, id).await;
    assert_eq!(engine.store.stored_index(id).await.unwrap().unwrap().queue, "terminal");
}
