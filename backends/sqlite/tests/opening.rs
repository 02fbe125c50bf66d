//! The file as a whole: who may open it, and as what.

mod support;

use leasehold_backend::{Backend, ManualClock, StoreError};
use leasehold_backend_suite::START;
use leasehold_core::ids::NodeId;
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::RecordKey;
use sqlx::{ConnectOptions, Connection, Executor};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use support::{engine, engine_with, open, options, raw_options};
use tempfile::{TempDir, tempdir};

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(START))
}

async fn by_hand(folder: &TempDir, sql: &'static str) {
    let raw = raw_options(&folder.path().join("store.db")).create_if_missing(true);
    let mut raw = raw.connect().await.unwrap();
    raw.execute(sql).await.unwrap();
    raw.close().await.unwrap();
}

fn refusal<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result.unwrap_err() {
        StoreError::Refused { message } => message,
        other => panic!("{other:?}"),
    }
}

/// Every file of a folder with what is in it.
fn contents(folder: &TempDir) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

#[tokio::test]
async fn a_store_that_was_closed_has_its_data_when_it_is_opened_again() {
    let folder = tempdir().unwrap();
    let mut first = engine(&folder).await;
    let ids = first.created([1, 2]).await;
    let identity = first.store.prepare(&PartitionConfig::default()).await.unwrap();
    first.store.close().await;

    let store = open(options(&folder), &clock()).await.unwrap();
    assert_eq!(store.prepare(&PartitionConfig::default()).await.unwrap(), identity);
    for id in ids {
        let loaded = store.load(id.partition(), &[RecordKey::Execution(id.uuid())], &[]).await.unwrap();
        assert_eq!(loaded.records[0].as_ref().unwrap().as_execution().unwrap(), &first.execution(id));
    }
}

#[tokio::test]
async fn a_store_that_was_dropped_can_be_opened_again() {
    let folder = tempdir().unwrap();
    drop(engine(&folder).await);
    engine_with(options(&folder), 2, &[]).await;
}

#[tokio::test]
async fn preparing_twice_gives_the_same_identity() {
    let folder = tempdir().unwrap();
    let store = open(options(&folder), &clock()).await.unwrap();
    let one = store.prepare(&PartitionConfig::default()).await.unwrap();
    let two = store.prepare(&PartitionConfig::default()).await.unwrap();
    assert_eq!(one, two);
    assert_eq!(one.schema_version, 2);
    assert_eq!(one.store_id.get_version_num(), 4);
}

#[tokio::test]
async fn two_stores_have_two_identities() {
    let (one, two) = (tempdir().unwrap(), tempdir().unwrap());
    let one = open(options(&one), &clock()).await.unwrap().prepare(&PartitionConfig::default()).await.unwrap();
    let two = open(options(&two), &clock()).await.unwrap().prepare(&PartitionConfig::default()).await.unwrap();
    assert_ne!(one.store_id, two.store_id);
}

#[tokio::test]
async fn a_second_open_is_refused_and_names_the_owner() {
    let folder = tempdir().unwrap();
    let engine = engine(&folder).await;
    let message = refusal(open(options(&folder), &clock()).await);
    assert!(message.contains(&format!("pid {}", std::process::id())), "{message}");
    assert!(message.contains(&format!("node {}", engine.node)), "{message}");

    engine.store.close().await;
    open(options(&folder), &clock()).await.unwrap();
}

#[tokio::test]
async fn another_name_of_the_same_file_is_refused_too() {
    let folder = tempdir().unwrap();
    let _engine = engine(&folder).await;
    let mut other = options(&folder);
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&other.path, &link).unwrap();
    other.path = link;
    assert!(refusal(open(other, &clock()).await).contains("in use"));
}

#[tokio::test]
async fn a_closed_store_answers_with_an_error() {
    let folder = tempdir().unwrap();
    let engine = engine(&folder).await;
    engine.store.close().await;
    assert!(engine.store.ping().await.is_err());
    let node = NodeId::from_uuid(uuid::Uuid::from_u128(1));
    assert!(matches!(engine.store.register_node(node, 1).await, Err(StoreError::Permanent { .. })));
}

#[tokio::test]
async fn a_folder_that_is_missing_is_refused() {
    let folder = tempdir().unwrap();
    let mut options = options(&folder);
    options.path = folder.path().join("missing").join("store.db");
    assert!(refusal(open(options, &clock()).await).contains("missing"));
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let folder = tempdir().unwrap();
    engine(&folder).await.store.close().await;
    by_hand(&folder, "PRAGMA user_version = 99").await;
    let before = contents(&folder);
    let message = refusal(open(options(&folder), &clock()).await);
    assert!(message.contains("99"), "{message}");
    assert_eq!(contents(&folder), before);
}

#[tokio::test]
async fn a_newer_schema_that_is_still_in_the_log_is_refused() {
    let folder = tempdir().unwrap();
    engine(&folder).await.store.close().await;
    let mut raw = raw_options(&folder.path().join("store.db")).connect().await.unwrap();
    raw.execute("PRAGMA user_version = 99").await.unwrap();
    let store = open(options(&folder), &clock()).await.unwrap();
    let message = refusal(store.prepare(&PartitionConfig::default()).await);
    assert!(message.contains("99"), "{message}");
    assert_eq!(refusal(store.prepare(&PartitionConfig::default()).await), message);
}

#[tokio::test]
async fn other_partition_counts_are_refused_in_one_paragraph() {
    let folder = tempdir().unwrap();
    engine(&folder).await.store.close().await;
    let store = open(options(&folder), &clock()).await.unwrap();
    let other = PartitionConfig { num_flow_partitions: 16, ..PartitionConfig::default() };
    let message = refusal(store.prepare(&other).await);
    assert!(message.contains("256/32/32") && message.contains("16/32/32"), "{message}");
    assert!(!message.contains('\n'));
    store.prepare(&PartitionConfig::default()).await.unwrap();
}

#[tokio::test]
async fn counts_without_partitions_are_refused() {
    let folder = tempdir().unwrap();
    let store = open(options(&folder), &clock()).await.unwrap();
    let none = PartitionConfig { num_flow_partitions: 0, ..PartitionConfig::default() };
    assert!(refusal(store.prepare(&none).await).contains("num_flow_partitions"));
}

#[tokio::test]
async fn the_database_of_another_program_is_refused_and_left_alone() {
    let folder = tempdir().unwrap();
    for sql in ["CREATE TABLE theirs (x)", "INSERT INTO theirs VALUES (1); PRAGMA application_id = 7"] {
        by_hand(&folder, sql).await;
        let before = contents(&folder);
        assert!(refusal(open(options(&folder), &clock()).await).contains("another program"));
        assert_eq!(contents(&folder), before);
    }
}

#[tokio::test]
async fn tables_of_another_program_that_are_still_in_its_log_are_refused() {
    let folder = tempdir().unwrap();
    let mut raw = raw_options(&folder.path().join("store.db")).create_if_missing(true).connect().await.unwrap();
    raw.execute("PRAGMA journal_mode = WAL; CREATE TABLE theirs (x)").await.unwrap();
    let store = open(options(&folder), &clock()).await.unwrap();
    assert!(refusal(store.prepare(&PartitionConfig::default()).await).contains("another program"));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempdir().unwrap();
    std::fs::write(options(&folder).path, "certainly no database, and longer than a header would have to be".repeat(9))
        .unwrap();
    let before = contents(&folder);
    assert!(refusal(open(options(&folder), &clock()).await).contains("another program"));
    assert_eq!(contents(&folder), before);
}
