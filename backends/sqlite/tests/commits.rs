//! What commits meet only in a file: rows taken away from outside, its lock,
//! statements.

mod support;

use leasehold_backend::{Backend, PartOutcome, StoreError};
use leasehold_backend_suite::kept;
use leasehold_core::decision::ChangeSet;
use sqlx::{ConnectOptions, Connection, Executor};
use std::time::Duration;
use support::{Engine, engine, engine_with, options, raw_options};
use tempfile::{TempDir, tempdir};

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

/// A store that has seen what [`Engine::created`] sends for one partition, and
/// for two, so often that the next such batch takes one trip.
async fn in_one_trip(folder: &TempDir) -> Engine {
    let mut engine = engine(folder).await;
    for _ in 0..4 {
        engine.created([1]).await;
        let ids = engine.created([1, 2]).await;
        let claims = ids.iter().map(|id| engine.claim(*id)).collect();
        engine.commit(claims).await;
    }
    engine
}

#[tokio::test]
async fn a_small_batch_of_a_kind_that_keeps_coming_takes_one_trip() {
    let folder = tempdir().unwrap();
    let mut engine = in_one_trip(&folder).await;
    let before = engine.store.stats();
    let ids = engine.created([1, 2]).await;
    let claims = ids.iter().map(|id| engine.claim(*id)).collect();
    engine.commit(claims).await;
    let after = engine.store.stats();
    assert_eq!((after.round_trips - before.round_trips, after.commits - before.commits), (2, 2));
    assert_eq!(after.rows_written - before.rows_written, 8);
    for id in ids {
        assert_eq!(engine.store.stored_index(id).await.unwrap().unwrap().queue, "active");
    }
}

#[tokio::test]
async fn one_trip_takes_four_parts_and_sixty_four_rows() {
    let folder = tempdir().unwrap();
    let mut engine = in_one_trip(&folder).await;
    // Lanes are new only once.
    engine.created(0..8).await;
    let mut trips = Vec::new();
    // Two rows each. Seventeen are padded to the next size.
    for partitions in [vec![1; 17], vec![1; 32], vec![1; 33], (0..4).collect(), (0..5).collect()] {
        let mut last = (0, 0);
        for _ in 0..4 {
            let before = engine.store.stats();
            let ids = engine.created(partitions.iter().copied()).await;
            let created = engine.store.stats();
            let claims = ids.iter().map(|id| engine.claim(*id)).collect();
            engine.commit(claims).await;
            let claimed = engine.store.stats();
            assert_eq!(claimed.rows_written - before.rows_written, 4 * partitions.len() as u64);
            last = (created.round_trips - before.round_trips, claimed.round_trips - created.round_trips);
        }
        trips.push(last);
    }
    assert_eq!(trips, [(1, 1), (1, 1), (3, 3), (1, 1), (3, 3)]);
}

#[tokio::test]
async fn a_batch_in_one_trip_that_comes_again_is_refused_and_writes_nothing() {
    let folder = tempdir().unwrap();
    let mut engine = in_one_trip(&folder).await;
    let id = engine.id(1);
    let changes = vec![engine.create(id)];
    let mut batch = engine.batch(changes);
    batch.seq += 1;
    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Refused]);
    assert!(!engine.exists(id).await);
    batch.seq -= 1;
    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Applied]);
    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Refused]);
}

#[tokio::test]
async fn a_part_that_is_refused_in_one_trip_leaves_the_other_to_go_through() {
    let folder = tempdir().unwrap();
    let mut engine = in_one_trip(&folder).await;
    let ids = [engine.id(1), engine.id(2)];
    let changes = ids.iter().map(|id| engine.create(*id)).collect();
    let mut batch = engine.batch(changes);
    batch.parts[0].expected.nonce += 1;
    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Refused, PartOutcome::Applied]);
    assert_eq!((engine.exists(ids[0]).await, engine.exists(ids[1]).await), (false, true));
}

#[tokio::test]
async fn a_lost_record_found_in_one_trip_is_corruption_and_leaves_nothing() {
    let folder = tempdir().unwrap();
    let mut engine = in_one_trip(&folder).await;
    let ids = engine.created([1, 2]).await;
    let mut raw = raw_options(&folder.path().join("store.db")).connect().await.unwrap();
    raw.execute("DELETE FROM executions WHERE partition = 1").await.unwrap();
    raw.close().await.unwrap();
    let claims = ids.iter().map(|id| engine.claim(*id)).collect();
    let batch = engine.batch(claims);
    let error = engine.send(&batch).await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt(_)), "{error:?}");
    assert_eq!(engine.store.stored_index(ids[1]).await.unwrap().unwrap().queue, "ready");
}

#[tokio::test]
async fn kept_records_cost_their_batch_a_statement_for_each_hundred_and_twenty_eight() {
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
    engine.created([1]).await;
    let mut counts = Vec::new();
    for size in [0, 1, 128, 129] {
        let id = engine.id(1);
        let create = engine.create(id);
        let changes = (0..size).map(|number| kept::made(kept::payload(number, vec![1]))).collect();
        let before = engine.store.stats();
        engine.commit(vec![create, (1, ChangeSet { changes, ..ChangeSet::default() })]).await;
        let after = engine.store.stats();
        counts.push((after.statements - before.statements, after.round_trips - before.round_trips));
        assert_eq!(u128::from(after.rows_written - before.rows_written), 2 + size);
    }
    assert_eq!(counts, [(6, 3), (7, 4), (7, 4), (8, 5)]);
}
