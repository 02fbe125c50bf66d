//! Counters, the log's size, and transactions kept for benches.

mod support;

use leasehold_backend::Backend;
use leasehold_backend_suite::engine_node;
use leasehold_sqlite::RecordedValue;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};
use support::{engine, engine_with, options, raw_options};
use tempfile::tempdir;

#[tokio::test]
async fn recorded_transactions_replay_to_the_same_rows() {
    let folder = tempdir().unwrap();
    let mut engine = engine(&folder).await;
    engine.created([1]).await;
    engine.store.close().await;
    let copy = folder.path().join("copy.db");
    std::fs::copy(folder.path().join("store.db"), &copy).unwrap();

    let batches = engine.batches;
    engine = engine_with(options(&folder), 2, &[]).await;
    assert_eq!(batches, 1);
    assert_eq!(engine.store.take_recorded(), []);
    engine.store.record_statements(true);
    engine.store.bury_node(engine_node(1), true).await.unwrap();
    engine.take(&[1, 2]).await;
    let ids = engine.created([1, 2]).await;
    let claims = ids.iter().map(|id| engine.claim(*id)).collect();
    engine.commit(claims).await;
    engine.store.record_statements(false);
    engine.created([1]).await;
    let recorded = engine.store.take_recorded();
    // The burial, the takeover and two batches.
    assert_eq!(recorded.len(), 4);
    assert_eq!(engine.store.take_recorded(), []);

    let mut raw = raw_options(&copy).connect().await.unwrap();
    let node = engine.node.as_uuid().as_bytes().to_vec();
    let register = sqlx::query("INSERT INTO nodes VALUES (?, 0, 0, 0, 0, NULL)").bind(node);
    register.execute(&mut raw).await.unwrap();
    for (sql, values) in recorded.into_iter().flat_map(|transaction| transaction.statements) {
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in values {
            query = match value {
                RecordedValue::Null => query.bind(None::<i64>),
                RecordedValue::Int(value) => query.bind(value),
                RecordedValue::Text(value) => query.bind(value),
                RecordedValue::Blob(value) => query.bind(value),
            };
        }
        raw.execute(query).await.unwrap();
    }
    let row = raw.fetch_one("SELECT count(*), sum(queue = 'active') FROM executions").await.unwrap();
    assert_eq!((row.get::<i64, _>(0), row.get::<i64, _>(1)), (3, 2));
    let row = raw.fetch_one("SELECT count(*) FROM events").await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 2);
    raw.close().await.unwrap();
}

#[tokio::test]
async fn the_log_has_its_size_from_the_start_and_is_read_after_a_crash() {
    let folder = tempdir().unwrap();
    let mut options = options(&folder);
    options.wal_reserve_bytes = 1 << 20;
    let mut engine = engine_with(options.clone(), 1, &[1]).await;
    assert_eq!(engine.store.wal_bytes(), 1 << 20);
    let ids = engine.created([1; 20]).await;
    assert_eq!(engine.store.wal_bytes(), 1 << 20);

    let crashed = tempdir().unwrap();
    for name in ["store.db", "store.db-wal"] {
        std::fs::copy(folder.path().join(name), crashed.path().join(name)).unwrap();
    }
    options.path = crashed.path().join("store.db");
    options.wal_reserve_bytes = 2 << 20;
    let mut engine = engine_with(options, 2, &[]).await;
    assert_eq!(engine.store.wal_bytes(), 2 << 20);
    engine.store.bury_node(engine_node(1), true).await.unwrap();
    engine.take(&[1]).await;
    engine.created([1]).await;
    for id in ids {
        assert!(engine.store.stored_index(id).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_log_beyond_its_limit_starts_over_with_the_next_commits() {
    let folder = tempdir().unwrap();
    let mut options = options(&folder);
    options.wal_limit_bytes = 100_000;
    options.checkpoint_pages = 1_000_000;
    let mut engine = engine_with(options, 1, &[1]).await;
    for _ in 0..20 {
        engine.created([1; 20]).await;
        engine.clock.advance(1000);
        assert!(engine.store.wal_bytes() <= 250_000, "{}", engine.store.wal_bytes());
        assert!(!engine.store.is_wal_over_limit());
    }
}

#[tokio::test]
async fn a_long_log_is_copied_beside_the_commits_and_starts_over() {
    let folder = tempdir().unwrap();
    let mut options = options(&folder);
    options.checkpoint_pages = 1000;
    let mut engine = engine_with(options, 1, &[1]).await;
    let log = folder.path().join("store.db-wal");
    for _ in 0..100 {
        engine.created([1; 20]).await;
        // A commit would copy the log itself at four times as many.
        assert!(engine.store.wal_bytes() < 4000 * 4096, "{}", engine.store.wal_bytes());
    }
    // SQLite counts in the log's header how often it has started over.
    let header = std::fs::read(log).unwrap();
    assert_ne!(header[12..16], [0; 4]);
}

#[tokio::test]
async fn a_log_that_a_reader_holds_is_over_its_limit_until_the_reader_ends() {
    let folder = tempdir().unwrap();
    let mut options = options(&folder);
    options.wal_limit_bytes = 100_000;
    let mut engine = engine_with(options, 1, &[1]).await;
    let mut reader = raw_options(&folder.path().join("store.db")).connect().await.unwrap();
    reader.execute("BEGIN; SELECT * FROM nodes").await.unwrap();
    while engine.store.wal_bytes() <= 100_000 {
        engine.created([1; 20]).await;
        engine.clock.advance(1000);
    }
    engine.created([1]).await;
    assert!(engine.store.is_wal_over_limit());
    reader.execute("COMMIT").await.unwrap();
    engine.clock.advance(1000);
    engine.created([1]).await;
    assert!(!engine.store.is_wal_over_limit());
    engine.created([1]).await;
    engine.created([1]).await;
    assert!(engine.store.wal_bytes() <= 100_000, "{}", engine.store.wal_bytes());
    reader.close().await.unwrap();
}
