//! What a batch does to the store, and what it does not.

mod support;

use leasehold_backend::{Backend, Clock, PartOutcome, ReadyGroup, StoreError};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::ids::{AttemptIndex, LaneId, Namespace, NodeId};
use leasehold_core::record::{AttemptKey, BlobKey, BlobKind, IdempotencyKey, RecordKey};
use sqlx::{Connection, Executor};
use std::sync::Arc;
use support::{Engine, Place, TTL_MS, engine, engine_impatient, engine_with, join};

async fn exists(engine: &Engine, id: leasehold_core::ids::ExecutionId) -> bool {
    let loaded = engine.store.load(id.partition(), &[RecordKey::Execution(id.uuid())], &[]).await.unwrap();
    loaded.records[0].is_some()
}

#[tokio::test]
async fn a_part_whose_partition_was_taken_is_refused_and_the_other_goes_through() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let (one, two) = (engine.id(1), engine.id(2));
    let changes = vec![engine.create(one), engine.create(two)];
    let batch = engine.batch(changes);
    engine.store.take_partitions(engine.node, 99, &[2], 0).await.unwrap();

    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Applied, PartOutcome::Refused]);
    assert!(exists(&engine, one).await);
    assert!(!exists(&engine, two).await);
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [true, false]);
}

#[tokio::test]
async fn a_part_with_another_nonce_is_refused() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let id = engine.id(3);
    let changes = vec![engine.create(id)];
    let mut batch = engine.batch(changes);
    batch.parts[0].expected.nonce ^= 1;
    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Refused]);
    assert!(!exists(&engine, id).await);
}

#[tokio::test]
async fn every_part_of_a_buried_node_is_refused() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    assert!(engine.store.bury_node(engine.node, true).await.unwrap());
    let (one, two) = (engine.id(1), engine.id(2));
    let changes = vec![engine.create(one), engine.create(two)];
    let batch = engine.batch(changes);
    assert_eq!(engine.store.commit(&batch).await.unwrap(), [PartOutcome::Refused, PartOutcome::Refused]);
    assert!(!exists(&engine, one).await);
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [false; 2]);
}

#[tokio::test]
async fn a_node_nobody_registered_is_refused() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let id = engine.id(1);
    let changes = vec![engine.create(id)];
    let mut batch = engine.batch(changes);
    batch.node = NodeId::from_uuid(uuid::Uuid::from_u128(5));
    assert_eq!(engine.store.commit(&batch).await.unwrap(), [PartOutcome::Refused]);
}

#[tokio::test]
async fn a_batch_sent_twice_is_applied_once() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let id = engine.id(1);
    let changes = vec![engine.create(id)];
    let batch = engine.batch(changes);
    assert_eq!(engine.store.commit(&batch).await.unwrap(), [PartOutcome::Applied]);
    assert_eq!(engine.store.commit(&batch).await.unwrap(), [PartOutcome::Refused]);
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [true]);
}

#[tokio::test]
async fn a_batch_that_never_arrived_has_not_landed() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    engine.created([1]).await;
    let id = engine.id(1);
    let changes = vec![engine.create(id)];
    let batch = engine.batch(changes);
    engine.take(&[1]).await;
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [false]);
    // And it cannot arrive any more.
    assert_eq!(engine.store.commit(&batch).await.unwrap(), [PartOutcome::Refused]);
}

#[tokio::test]
async fn a_committer_whose_lost_batch_was_refused_altogether_goes_on_from_where_it_was() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let id = engine.id(1);
    let create = engine.create(id);
    let batch = engine.batch(vec![create.clone()]);
    engine.take(&[1]).await;
    // The answer gets lost on the way.
    engine.store.commit(&batch).await.unwrap();
    engine.take(&[1]).await;
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [false]);
    engine.commit(vec![create]).await;
    assert!(exists(&engine, id).await);
}

#[tokio::test]
async fn an_impossible_change_leaves_nothing_of_its_batch_and_the_rest_goes_through_alone() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let known = engine.created([1]).await[0];
    engine.forget_records();
    // Created again by an owner that forgot it: a create never overwrites.
    let fresh = engine.id(2);
    let (bad, good) = (engine.create(known), engine.create(fresh));
    let batch = engine.batch(vec![bad, good.clone()]);
    let error = engine.send(&batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Permanent { .. }), "{error:?}");
    assert!(!exists(&engine, fresh).await);
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [false; 2]);

    engine.commit(vec![good]).await;
    assert!(exists(&engine, fresh).await);
}

#[tokio::test]
async fn a_change_of_a_record_the_store_lost_is_corruption_and_leaves_nothing() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let ids = engine.created([1, 2]).await;
    let mut raw = place.raw().await;
    raw.execute("DELETE FROM executions WHERE partition = 1").await.unwrap();
    raw.close().await.unwrap();
    let changes = ids.iter().map(|id| engine.claim(*id)).collect();
    let batch = engine.batch(changes);
    let error = engine.send(&batch).await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt(_)), "{error:?}");
    assert!(error.to_string().contains("executions"), "{error}");
    assert_eq!(engine.store.stored_index(ids[1]).await.unwrap().unwrap().queue, "ready");
}

#[tokio::test]
async fn an_event_number_that_exists_is_refused_for_good() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let ids = engine.created([1, 1]).await;
    let claim = engine.claim(ids[0]);
    engine.commit(vec![claim]).await;
    let claim = engine.claim(ids[1]);
    let mut batch = engine.batch(vec![claim]);
    batch.parts[0].first_event = 1;
    assert!(matches!(engine.send(&batch).await, Err(StoreError::Permanent { .. })));
    batch.parts[0].first_event = 2;
    engine.send(&batch).await.unwrap();
}

#[tokio::test]
async fn a_table_locked_by_another_program_is_busy_until_it_lets_go() {
    let place = Place::fresh();
    let mut engine = engine_impatient(&place).await;
    let id = engine.id(0);
    let changes = vec![engine.create(id)];
    let batch = engine.batch(changes);
    let mut raw = place.raw().await;
    raw.execute("BEGIN; LOCK TABLE executions").await.unwrap();
    let error = engine.send(&batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error:?}");
    raw.execute("ROLLBACK").await.unwrap();
    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Applied]);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_open_transaction() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    for steps in 1..6 {
        let id = engine.id(4);
        let changes = vec![engine.create(id)];
        let batch = engine.batch(changes);
        let store = Arc::clone(&engine.store);
        let sent = batch.clone();
        let mut call = Box::pin(async move { store.commit(&sent).await });
        // Polled a few times and dropped wherever that is, which may be behind its end.
        for _ in 0..steps {
            if futures::poll!(&mut call).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(call);
        engine.take(&[4]).await;
        let landed = engine.store.landed(&batch).await.unwrap();
        assert_eq!(landed, [exists(&engine, id).await]);
        engine.seq += u64::from(landed[0]);
        engine.created([4]).await;
    }
}

#[tokio::test]
async fn a_thousand_changes_fit_into_one_batch() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let ids = engine.created((0..1000).map(|n| n % 8)).await;
    let claims = ids.iter().map(|id| engine.claim(*id)).collect();
    engine.commit(claims).await;
    let mut found = 0;
    for partition in 0..8 {
        found += engine.store.scan_active(partition, None, 1000).await.unwrap().len();
        assert_eq!(engine.store.read_events(partition, None, 1000).await.unwrap().len(), 125);
    }
    assert_eq!(found, 1000);
}

#[tokio::test]
async fn a_batch_may_span_more_partitions_than_one_statement_compares() {
    let place = Place::fresh();
    let all: Vec<u16> = (0..256).collect();
    let mut engine = engine_with(&place, 1, &all).await;
    let ids: Vec<_> = all.iter().map(|partition| engine.id(*partition)).collect();
    let changes = ids.iter().map(|id| engine.create(*id)).collect();
    let batch = engine.batch(changes);
    engine.store.take_partitions(engine.node, 7, &[3, 200], 0).await.unwrap();
    let outcomes = engine.send(&batch).await.unwrap();
    let refused: Vec<usize> = (0..256).filter(|partition| outcomes[*partition] == PartOutcome::Refused).collect();
    assert_eq!(refused, [3, 200]);
    let landed = engine.store.landed(&batch).await.unwrap();
    assert_eq!(landed.iter().filter(|landed| !**landed).count(), 2);
}

#[tokio::test]
async fn an_empty_batch_advances_the_head() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let batch = engine.batch(Vec::new());
    assert_eq!(engine.send(&batch).await.unwrap(), []);
    engine.created([1]).await;
}

#[tokio::test]
async fn a_batch_of_any_size_is_one_statement_and_one_trip() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    // Lanes are new only once, and a statement is prepared only once.
    engine.created(0..8).await;
    for size in [1, 2, 100] {
        let before = engine.store.stats();
        let ids = engine.created((0..size).map(|n| n % 8)).await;
        let created = engine.store.stats();
        let claims = ids.iter().map(|id| engine.claim(*id)).collect();
        engine.commit(claims).await;
        let claimed = engine.store.stats();
        let completes = ids.iter().map(|id| engine.complete(*id)).collect();
        engine.commit(completes).await;
        let completed = engine.store.stats();
        assert_eq!(completed.statements - before.statements, 3);
        let trips = completed.round_trips - before.round_trips;
        assert_eq!(trips, if size == 1 { 6 } else { 3 }, "each is prepared once");
        assert_eq!(completed.commits - before.commits, 3);
        assert_eq!(claimed.rows_written - before.rows_written, 4 * u64::from(size));
        // The end moves the row from one table to the other.
        assert_eq!(completed.rows_written - claimed.rows_written, 3 * u64::from(size));
        assert_eq!(created.connects, before.connects);
    }
}

#[tokio::test]
async fn two_nodes_on_one_store_commit_to_their_own_partitions() {
    let place = Place::fresh();
    let mut one = engine_with(&place, 1, &[0, 1]).await;
    let mut two = join(Arc::clone(&one.store), Arc::clone(&one.clock), 2, &[1, 2]).await;
    // The first node is alive and keeps partition 1.
    assert_eq!(two.epochs.keys().collect::<Vec<_>>(), [&2]);
    one.created([0, 1]).await;
    two.created([2]).await;
    let id = two.id(1);
    let create = two.create(id);
    let batch = two.batch(vec![create.clone()]);
    assert_eq!(two.send(&batch).await.unwrap(), [PartOutcome::Refused]);

    one.clock.advance(TTL_MS);
    assert!(two.store.bury_node(one.node, false).await.unwrap());
    two.take(&[0, 1]).await;
    two.commit(vec![create]).await;
    assert!(exists(&two, id).await);
}

#[tokio::test]
async fn no_call_visits_a_whole_table() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let ids = engine.created((0..200).map(|n| n % 8)).await;
    let claims = ids.iter().map(|id| engine.claim(*id)).collect();
    engine.commit(claims).await;
    let completes = ids[..100].iter().map(|id| engine.complete(*id)).collect();
    engine.commit(completes).await;
    let (store, id) = (&engine.store, ids[3]);
    let lane = LaneId::new("default");
    let group = ReadyGroup { lane_id: lane.clone(), requirements: CapabilitySet::EMPTY };
    let keys = [
        RecordKey::Execution(id.uuid()),
        RecordKey::Attempt(AttemptKey { execution: id.uuid(), index: AttemptIndex(0) }),
        RecordKey::Idempotency(IdempotencyKey { namespace: Namespace::new("tests"), key: "key".into() }),
        RecordKey::Lane(lane.clone()),
    ];
    let blobs = [BlobKey { execution: id.uuid(), kind: BlobKind::Payload }];
    store.load(id.partition(), &keys, &blobs).await.unwrap();
    store.ready_groups(1, None, 10).await.unwrap();
    store.scan_ready(1, &group, None, 10).await.unwrap();
    store.scan_eligible(1, &lane, 10).await.unwrap();
    store.scan_due(1, None, 10).await.unwrap();
    store.scan_active(1, None, 10).await.unwrap();
    store.list_expired_leases(engine.clock.now(), None, 10).await.unwrap();
    store.list_executions(1, None, 10).await.unwrap();
    store.list_attempts(id, None, 10).await.unwrap();
    store.list_lanes(None, 10).await.unwrap();
    store.read_events(1, None, 10).await.unwrap();
    store.stored_index(id).await.unwrap();
    store.inbox(None, 10).await.unwrap();
    store.inbox_of(id).await.unwrap();
    // A session that ends hands in what it counted.
    store.close().await;
    let mut raw = place.raw().await;
    let scans: Vec<(String, i64)> = loop {
        let indexed: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(idx_scan), 0)::int8 FROM pg_stat_user_tables WHERE schemaname = $1 \
             AND relname IN ('executions', 'inbox', 'lanes') AND idx_scan > 0",
        )
        .bind(&place.schema)
        .fetch_one(&mut raw)
        .await
        .unwrap();
        let sessions: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'leasehold' AND query LIKE '%' || $1 || '%'",
        )
        .bind(&place.schema)
        .fetch_one(&mut raw)
        .await
        .unwrap();
        if indexed > 200 && sessions == 0 {
            break sqlx::query_as(
                "SELECT relname::text, seq_scan FROM pg_stat_user_tables WHERE schemaname = $1 AND seq_tup_read > 0 \
                 AND relname NOT IN ('meta', 'migrations', 'nodes')",
            )
            .bind(&place.schema)
            .fetch_all(&mut raw)
            .await
            .unwrap();
        }
    };
    assert_eq!(scans, []);
}
