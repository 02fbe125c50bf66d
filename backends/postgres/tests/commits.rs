//! What commits meet only on a server: rows taken away from outside, locks,
//! statements and scans.

mod support;

use leasehold_backend::{Backend, Clock, PartOutcome, ReadyGroup, StoreError};
use leasehold_backend_suite::kept;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::decision::{Change, ChangeSet};
use leasehold_core::ids::{AttemptIndex, LaneId, Namespace};
use leasehold_core::record::{AttemptKey, BlobKey, BlobKind, IdempotencyKey, KeptKind, Record, RecordKey};
use sqlx::{Connection, Executor};
use support::{Place, engine, engine_impatient};

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
        assert_eq!(trips, if size <= 2 { 6 } else { 3 }, "those of one row and those of many are each prepared once");
        assert_eq!(completed.commits - before.commits, 3);
        assert_eq!(claimed.rows_written - before.rows_written, 4 * u64::from(size));
        // The end moves the row from one table to the other.
        assert_eq!(completed.rows_written - claimed.rows_written, 3 * u64::from(size));
        assert_eq!(created.connects, before.connects);
    }
}

#[tokio::test]
async fn kept_records_travel_in_the_one_statement_of_their_batch() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    engine.created([1]).await;
    engine.store.record_commits(true);
    for size in [1, 200] {
        let id = engine.id(1);
        let create = engine.create(id);
        let changes = (size..2 * size).map(|number| kept::made(kept::payload(number, vec![1]))).collect();
        let before = engine.store.stats();
        engine.commit(vec![create, (1, ChangeSet { changes, ..ChangeSet::default() })]).await;
        let after = engine.store.stats();
        assert_eq!(after.statements - before.statements, 1);
        assert_eq!(u128::from(after.rows_written - before.rows_written), 2 + size);
    }
    engine.created([1]).await;
    let said: Vec<bool> = engine.store.take_recorded().iter().map(|commit| commit.text.contains("kept")).collect();
    assert_eq!(said, [true, true, false], "a batch without kept records says nothing of them");
}

/// Eight rows at most have places of their own in the statement.
#[tokio::test]
async fn kept_records_come_and_go_in_batches_of_any_size() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    for size in [1, 2, 7, 8, 9, 20] {
        let of = |byte: u8| (0..size).map(move |number| kept::payload(size * 100 + number, vec![byte]));
        kept::write(&mut engine, 1, of(1).map(kept::made).collect()).await;
        let update = |(old, new): (Record, Record)| Change { key: old.key(), old: Some(old), new: Some(new) };
        kept::write(&mut engine, 1, of(1).zip(of(2)).map(update).collect()).await;
        let keys: Vec<RecordKey> = of(2).map(|record| record.key()).collect();
        let stored = engine.store.load(1, &keys, &[]).await.unwrap().records;
        assert_eq!(stored, of(2).map(Some).collect::<Vec<_>>());
        kept::write(&mut engine, 1, of(2).map(|old| Change { key: old.key(), old: Some(old), new: None }).collect())
            .await;
        assert_eq!(engine.store.load(1, &keys, &[]).await.unwrap().records, vec![None; keys.len()]);
    }
}

#[tokio::test]
async fn a_change_of_a_kept_record_the_store_lost_is_corruption_and_leaves_nothing() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    for size in [2, 9] {
        let of = |byte: u8| (0..size).map(move |number| kept::payload(size * 100 + number, vec![byte]));
        kept::write(&mut engine, 1, of(1).map(kept::made).collect()).await;
        let mut raw = place.raw().await;
        let lost = "DELETE FROM kept WHERE name = (SELECT name FROM kept ORDER BY name LIMIT 1)";
        assert_eq!(raw.execute(lost).await.unwrap().rows_affected(), 1);
        raw.close().await.unwrap();
        let update = |(old, new): (Record, Record)| Change { key: old.key(), old: Some(old), new: Some(new) };
        let changes = of(1).zip(of(2)).map(update).collect();
        let batch = engine.batch(vec![(1, ChangeSet { changes, ..ChangeSet::default() })]);
        let error = engine.send(&batch).await.unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt(_)), "{error:?}");
        assert!(error.to_string().contains("kept"), "{error}");
        let keys: Vec<RecordKey> = of(1).map(|record| record.key()).collect();
        let stored = engine.store.load(1, &keys, &[]).await.unwrap().records;
        assert_eq!(stored.iter().flatten().cloned().collect::<Vec<_>>(), of(1).skip(1).collect::<Vec<_>>());
        kept::write(
            &mut engine,
            1,
            of(1).skip(1).map(|old| Change { key: old.key(), old: Some(old), new: None }).collect(),
        )
        .await;
    }
}

#[tokio::test]
async fn a_refused_part_costs_a_read_and_another_statement() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let (kept, lost) = (engine.id(1), engine.id(2));
    let changes = vec![engine.create(kept), engine.create(lost)];
    let batch = engine.batch(changes);
    let mut raw = place.raw().await;
    raw.execute("UPDATE partitions SET nonce = nonce + 1 WHERE partition = 2").await.unwrap();
    raw.close().await.unwrap();
    let before = engine.store.stats();
    assert_eq!(engine.store.commit(&batch).await.unwrap(), [PartOutcome::Applied, PartOutcome::Refused]);
    let after = engine.store.stats();
    assert_eq!((after.statements - before.statements, after.reads - before.reads), (3, 1));
    assert_eq!(after.commits - before.commits, 1);
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
    let entries: Vec<Record> = (0..200).map(|number| kept::suspended(0, number)).collect();
    kept::write(&mut engine, 1, entries.iter().cloned().map(kept::made).collect()).await;
    let end = |old: &Record| Change { key: old.key(), old: Some(old.clone()), new: None };
    kept::write(&mut engine, 1, entries[..100].iter().map(end).collect()).await;
    let (store, id) = (&engine.store, ids[3]);
    let lane = LaneId::new("default");
    let group = ReadyGroup { lane_id: lane.clone(), requirements: CapabilitySet::EMPTY };
    let keys = [
        RecordKey::Execution(id.uuid()),
        RecordKey::Attempt(AttemptKey { execution: id.uuid(), index: AttemptIndex(0) }),
        RecordKey::Idempotency(IdempotencyKey { namespace: Namespace::new("tests"), key: "key".into() }),
        RecordKey::Lane(lane.clone()),
        entries[150].key(),
    ];
    let blobs = [BlobKey { execution: id.uuid(), kind: BlobKind::Payload }];
    store.load(id.partition(), &keys, &blobs).await.unwrap();
    store.ready_groups(1, None, 10).await.unwrap();
    store.scan_ready(1, &group, None, 10).await.unwrap();
    store.scan_eligible(1, &lane, 10).await.unwrap();
    store.scan_due(1, None, 10).await.unwrap();
    store.scan_active(1, None, 10).await.unwrap();
    store.scan_kept(1, KeptKind::Suspended, None, 10).await.unwrap();
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
             AND relname IN ('executions', 'inbox', 'kept', 'lanes') AND idx_scan > 0",
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
