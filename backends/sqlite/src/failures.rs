//! Failures that need a hand on the writing connection.

use crate::support::{engine, engine_with, options};
use leasehold_backend::{Backend, PartOutcome, StoreError};
use std::time::Duration;
use tempfile::tempdir;

#[tokio::test]
async fn a_full_disk_is_told_leaves_nothing_and_the_writer_goes_on() {
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
    engine.created([1]).await;
    engine.store.writer().await.unwrap().run_outside("PRAGMA max_page_count = 1").await.unwrap();
    let ids: Vec<_> = (0..200).map(|_| engine.id(1)).collect();
    let changes = ids.iter().map(|id| engine.create(*id)).collect();
    let batch = engine.batch(changes);
    let error = engine.send(&batch).await.unwrap_err();
    assert!(matches!(&error, StoreError::Full { .. }), "{error:?}");
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [false]);
    assert_eq!(engine.store.list_executions(1, None, 10).await.unwrap().len(), 1);

    engine.store.writer().await.unwrap().run_outside("PRAGMA max_page_count = 1000000").await.unwrap();
    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Applied]);
}

#[tokio::test]
async fn a_transaction_somebody_left_open_is_rolled_back_by_the_next_user() {
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
    let mut writer = engine.store.writer().await.unwrap();
    writer.run_plain("BEGIN IMMEDIATE").await.unwrap();
    writer.run_plain("DELETE FROM partitions").await.unwrap();
    drop(writer);
    engine.created([1]).await;
}

#[tokio::test]
async fn a_connection_that_was_lost_is_replaced() {
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
    engine.store.writer().await.unwrap().lose_connection().await;
    engine.created([1]).await;
}

#[tokio::test]
async fn a_connection_lost_in_a_transaction_leaves_the_outcome_unknown() {
    let folder = tempdir().unwrap();
    let mut options = options(&folder);
    options.busy_timeout = Duration::from_millis(20);
    let mut engine = engine_with(options, 1, &[1]).await;
    let mut writer = engine.store.writer().await.unwrap();
    writer.run_plain("BEGIN IMMEDIATE").await.unwrap();
    writer.lose_connection().await;
    let error = writer.run_plain("COMMIT").await.map(drop).unwrap_err();
    assert!(matches!(error, StoreError::Unknown { .. }), "{error:?}");
    drop(writer);
    engine.created([1]).await;
}
