//! What commits meet only in a file: rows taken away from outside, its lock,
//! statements.

mod support;

use leasehold_backend::{Backend, PartOutcome, StoreError};
use sqlx::{ConnectOptions, Connection, Executor};
use std::time::Duration;
use support::{engine, engine_with, options, raw_options};
use tempfile::tempdir;

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
