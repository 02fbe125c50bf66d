//! What a batch does to the file, and what it does not.

mod support;

use leasehold_backend::{Backend, PartOutcome, StoreError};
use leasehold_core::ids::NodeId;
use leasehold_core::record::RecordKey;
use sqlx::{ConnectOptions, Connection, Executor};
use std::sync::Arc;
use std::time::Duration;
use support::{Engine, TTL_MS, engine, engine_with, join, options, raw_options};
use tempfile::tempdir;

async fn exists(engine: &Engine, id: leasehold_core::ids::ExecutionId) -> bool {
    let loaded = engine.store.load(id.partition(), &[RecordKey::Execution(id.uuid())], &[]).await.unwrap();
    loaded.records[0].is_some()
}

#[tokio::test]
async fn a_part_whose_partition_was_taken_is_refused_and_the_other_goes_through() {
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
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
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
    let id = engine.id(3);
    let changes = vec![engine.create(id)];
    let mut batch = engine.batch(changes);
    batch.parts[0].expected.nonce ^= 1;
    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Refused]);
    assert!(!exists(&engine, id).await);
}

#[tokio::test]
async fn every_part_of_a_buried_node_is_refused() {
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
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
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
    let id = engine.id(1);
    let changes = vec![engine.create(id)];
    let mut batch = engine.batch(changes);
    batch.node = NodeId::from_uuid(uuid::Uuid::from_u128(5));
    assert_eq!(engine.store.commit(&batch).await.unwrap(), [PartOutcome::Refused]);
}

#[tokio::test]
async fn a_batch_sent_twice_is_applied_once() {
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
    let id = engine.id(1);
    let changes = vec![engine.create(id)];
    let batch = engine.batch(changes);
    assert_eq!(engine.store.commit(&batch).await.unwrap(), [PartOutcome::Applied]);
    assert_eq!(engine.store.commit(&batch).await.unwrap(), [PartOutcome::Refused]);
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [true]);
}

#[tokio::test]
async fn a_batch_that_never_arrived_has_not_landed() {
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
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
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
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
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
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
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
    let ids = engine.created([1, 2]).await;
    let mut raw = raw_options(&folder.path().join("store.db")).connect().await.unwrap();
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
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
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
async fn a_file_locked_by_another_program_is_busy_until_it_lets_go() {
    let folder = tempdir().unwrap();
    let mut options = options(&folder);
    options.busy_timeout = Duration::from_millis(20);
    let mut engine = engine_with(options, 1, &[0]).await;
    let id = engine.id(0);
    let changes = vec![engine.create(id)];
    let batch = engine.batch(changes);
    let mut raw = raw_options(&folder.path().join("store.db")).connect().await.unwrap();
    raw.execute("BEGIN IMMEDIATE").await.unwrap();
    let error = engine.send(&batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error:?}");
    raw.execute("ROLLBACK").await.unwrap();
    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Applied]);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_open_transaction() {
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
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
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
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
    let folder = tempdir().unwrap();
    let all: Vec<u16> = (0..256).collect();
    let mut engine = engine_with(options(&folder), 1, &all).await;
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
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
    let batch = engine.batch(Vec::new());
    assert_eq!(engine.send(&batch).await.unwrap(), []);
    engine.created([1]).await;
}

#[tokio::test]
async fn the_number_of_statements_does_not_grow_with_the_batch() {
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
    // Lanes are new only once.
    engine.created(0..8).await;
    let mut counts = Vec::new();
    for size in [2, 100] {
        let before = engine.store.stats();
        let ids = engine.created((0..size).map(|n| n % 8)).await;
        let created = engine.store.stats();
        let claims = ids.iter().map(|id| engine.claim(*id)).collect();
        engine.commit(claims).await;
        let claimed = engine.store.stats();
        counts.push((
            created.statements - before.statements,
            created.round_trips - before.round_trips,
            claimed.statements - created.statements,
            claimed.round_trips - created.round_trips,
        ));
        assert_eq!(claimed.commits - before.commits, 2);
        assert_eq!(claimed.rows_written - before.rows_written, 4 * u64::from(size));
    }
    // BEGIN, head, heads compared, two tables, COMMIT.
    assert_eq!(counts, [(6, 3, 6, 3); 2]);
}

#[tokio::test]
async fn two_nodes_on_one_store_commit_to_their_own_partitions() {
    let folder = tempdir().unwrap();
    let mut one = engine_with(options(&folder), 1, &[0, 1]).await;
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
