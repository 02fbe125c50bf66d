//! The store as a whole: who may use it, and as what.

mod support;

use leasehold_backend::{Backend, ManualClock, StoreError};
use leasehold_backend_suite::START;
use leasehold_core::ids::NodeId;
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::RecordKey;
use leasehold_postgres::{PostgresBackend, PostgresOptions};
use sqlx::{AssertSqlSafe, Executor};
use std::sync::Arc;
use support::{Place, engine};

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(START))
}

async fn by_hand(place: &Place, sql: &str) {
    place.raw().await.execute(AssertSqlSafe(sql)).await.unwrap();
}

fn refusal<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result.unwrap_err() {
        StoreError::Refused { message } => {
            assert!(!message.contains('\n'), "one paragraph: {message}");
            message
        }
        other => panic!("{other:?}"),
    }
}

async fn prepare(place: &Place) -> Result<leasehold_backend::StoreIdentity, StoreError> {
    place.open(&clock()).await.unwrap().prepare(&PartitionConfig::default()).await
}

#[tokio::test]
async fn a_store_that_was_closed_has_its_data_when_it_is_opened_again() {
    let place = Place::fresh();
    let mut first = engine(&place).await;
    let ids = first.created([1, 2]).await;
    let identity = first.store.prepare(&PartitionConfig::default()).await.unwrap();
    first.store.close().await;

    let store = place.open(&clock()).await.unwrap();
    assert_eq!(store.prepare(&PartitionConfig::default()).await.unwrap(), identity);
    for id in ids {
        let loaded = store.load(id.partition(), &[RecordKey::Execution(id.uuid())], &[]).await.unwrap();
        assert_eq!(loaded.records[0].as_ref().unwrap().as_execution().unwrap(), &first.execution(id));
    }
}

#[tokio::test]
async fn preparing_twice_gives_the_same_identity() {
    let place = Place::fresh();
    let one = prepare(&place).await.unwrap();
    assert_eq!(prepare(&place).await.unwrap(), one);
    assert_eq!(one.schema_version, 2);
    assert_eq!(one.store_id.get_version_num(), 4);
    assert_ne!(prepare(&Place::fresh()).await.unwrap().store_id, one.store_id);
}

#[tokio::test]
async fn nodes_that_prepare_at_the_same_time_find_one_store() {
    let place = Place::fresh();
    let stores = futures::future::join_all((0..4).map(|_| prepare(&place))).await;
    let first = stores[0].clone().unwrap();
    for store in stores {
        assert_eq!(store.unwrap(), first);
    }
}

#[tokio::test]
async fn a_schema_made_beforehand_is_used() {
    let place = Place::fresh();
    by_hand(&place, &format!("CREATE SCHEMA {}", place.schema)).await;
    prepare(&place).await.unwrap();
}

#[tokio::test]
async fn a_closed_store_answers_with_an_error() {
    let place = Place::fresh();
    let engine = engine(&place).await;
    engine.store.close().await;
    assert!(engine.store.ping().await.is_err());
    let node = NodeId::from_uuid(uuid::Uuid::from_u128(1));
    assert!(matches!(engine.store.register_node(node, 1).await, Err(StoreError::Permanent { .. })));
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let place = Place::fresh();
    prepare(&place).await.unwrap();
    by_hand(&place, "INSERT INTO migrations VALUES (99)").await;
    let message = refusal(prepare(&place).await);
    assert!(message.contains("99"), "{message}");
    assert_eq!(refusal(prepare(&place).await), message);
}

#[tokio::test]
async fn other_partition_counts_are_refused_and_the_stored_ones_stay() {
    let place = Place::fresh();
    prepare(&place).await.unwrap();
    let store = place.open(&clock()).await.unwrap();
    let other = PartitionConfig { num_flow_partitions: 16, ..PartitionConfig::default() };
    let message = refusal(store.prepare(&other).await);
    assert!(message.contains("256/32/32") && message.contains("16/32/32"), "{message}");
    prepare(&place).await.unwrap();
    let none = PartitionConfig { num_flow_partitions: 0, ..PartitionConfig::default() };
    assert!(refusal(store.prepare(&none).await).contains("num_flow_partitions"));
}

#[tokio::test]
async fn the_schema_of_another_program_is_refused_and_left_alone() {
    let place = Place::fresh();
    by_hand(&place, &format!("CREATE SCHEMA {0}; CREATE TABLE {0}.executions (theirs int)", place.schema)).await;
    assert!(refusal(prepare(&place).await).contains("another program"));
    by_hand(&place, "INSERT INTO executions (theirs) VALUES (1)").await;
    let mut raw = place.raw().await;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = $1")
        .bind(&place.schema)
        .fetch_one(&mut raw)
        .await
        .unwrap();
    assert_eq!(tables, 1);
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_refused() {
    let place = Place::fresh();
    let mut options = place.options(&clock());
    let separator = if options.url.contains('?') { '&' } else { '?' };
    options.url = format!("{}{separator}options=-c%20default_transaction_read_only=on", options.url);
    let store = PostgresBackend::open(options).await.unwrap();
    assert!(refusal(store.prepare(&PartitionConfig::default()).await).contains("no writes"));
}

#[tokio::test]
async fn a_role_that_may_not_create_a_schema_is_told_how_to_mend_it() {
    let place = Place::fresh();
    let role = format!("r_{}", &place.schema[2..]);
    by_hand(&place, &format!("CREATE ROLE {role} LOGIN PASSWORD 'secret'")).await;
    let mut options = place.options(&clock());
    let (_, host) = options.url.rsplit_once('@').expect("the URL names a role");
    options.url = format!("postgres://{role}:secret@{host}");
    let store = PostgresBackend::open(options).await.unwrap();
    let message = refusal(store.prepare(&PartitionConfig::default()).await);
    assert!(message.contains("CREATE on the database"), "{message}");
}

#[tokio::test]
async fn what_cannot_be_entered_is_refused_without_showing_the_password() {
    let url = support::server();
    let (_, host) = url.rsplit_once('@').expect("the URL names a role");
    let (server, _) = host.split_once('/').unwrap_or((host, ""));
    for (url, part) in [
        (format!("postgres://nobody_here:geheim@{host}"), "role"),
        (format!("postgres://nobody_here:geheim@{server}/nowhere"), "cannot be used"),
        ("postgres://me:geheim@127.0.0.1:1/db".to_owned(), "port"),
        ("postgres://me:geheim@127.0.0.1:notaport/db".to_owned(), "cannot be read"),
        ("mysql://me:geheim@127.0.0.1/db".to_owned(), "none of a PostgreSQL server"),
    ] {
        let message = refusal(PostgresBackend::open(PostgresOptions::new(url)).await);
        assert!(message.contains(part) && !message.contains("geheim"), "{message}");
    }
}

#[tokio::test]
async fn without_a_clock_the_server_tells_the_time() {
    let place = Place::fresh();
    let mut options = place.options(&clock());
    options.clock = None;
    let store = PostgresBackend::open(options).await.unwrap();
    store.prepare(&PartitionConfig::default()).await.unwrap();
    let mut raw = place.raw().await;
    let mut server = async || -> i64 {
        sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8")
            .fetch_one(&mut raw)
            .await
            .unwrap()
    };
    let before = server().await;
    let node = NodeId::from_uuid(uuid::Uuid::from_u128(1));
    store.register_node(node, 10_000).await.unwrap();
    let renewed = store.heartbeat_node(node, 10_000).await.unwrap().unwrap();
    let after = server().await;
    assert!((before - 1..=after).contains(&renewed.0), "{before} {renewed} {after}");
    assert_eq!(store.nodes().await.unwrap()[0].expires_at, renewed.plus(10_000));
}
