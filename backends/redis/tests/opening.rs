//! The store as a whole: who may use it, and as what.

#[path = "support/servers.rs"]
mod servers;
mod support;

use leasehold_backend::{Backend, ManualClock, StoreError};
use leasehold_backend_suite::{START, engine_node};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::RecordKey;
use leasehold_redis::{Durability, RedisBackend, RedisOptions};
use std::sync::Arc;
use support::{Raw, Server, engine, open, options};

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(START))
}

fn refusal<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result.unwrap_err() {
        StoreError::Refused { message } => {
            assert!(!message.contains('\n'), "{message}");
            message
        }
        other => panic!("{other:?}"),
    }
}

async fn prepared(options: RedisOptions) -> Result<RedisBackend, StoreError> {
    let store = open(options, &clock()).await?;
    store.prepare(&PartitionConfig::default()).await?;
    Ok(store)
}

async fn a_store_that_was_closed_has_its_data_when_it_is_opened_again(server: Server) {
    let mut first = engine(server).await;
    let ids = first.created([1, 2]).await;
    let identity = first.store.prepare(&PartitionConfig::default()).await.unwrap();
    first.store.close().await;
    assert!(first.store.ping().await.is_err());

    let store = open(first.options.clone(), &clock()).await.unwrap();
    assert_eq!(store.prepare(&PartitionConfig::default()).await.unwrap(), identity);
    for id in ids {
        let loaded = store.load(id.partition(), &[RecordKey::Execution(id.uuid())], &[]).await.unwrap();
        assert_eq!(loaded.records[0].as_ref().unwrap().as_execution().unwrap(), &first.execution(id));
    }
}

async fn two_prefixes_are_two_stores(server: Server) {
    let (one, two) = (open(options(server), &clock()).await.unwrap(), open(options(server), &clock()).await.unwrap());
    let one = one.prepare(&PartitionConfig::default()).await.unwrap();
    let two = two.prepare(&PartitionConfig::default()).await.unwrap();
    assert_ne!(one.store_id, two.store_id);
    assert_eq!((one.schema_version, one.store_id.get_version_num()), (1, 4));
}

async fn other_partition_counts_are_refused_and_change_nothing(server: Server) {
    let engine = engine(server).await;
    let other = PartitionConfig { num_flow_partitions: 16, ..PartitionConfig::default() };
    let message = refusal(engine.store.prepare(&other).await);
    assert!(message.contains("256/32/32") && message.contains("16/32/32"), "{message}");
    engine.store.prepare(&PartitionConfig::default()).await.unwrap();
    let none = PartitionConfig { num_flow_partitions: 0, ..PartitionConfig::default() };
    assert!(refusal(engine.store.prepare(&none).await).contains("num_flow_partitions"));
}

async fn a_newer_schema_is_refused_and_left_alone(server: Server) {
    let engine = engine(server).await;
    let mut raw = Raw::to(&engine.options, "s").await;
    let meta = raw.system_key("meta");
    raw.run::<()>(redis::cmd("HSET").arg(&meta).arg("schema").arg(99)).await;
    let message = refusal(prepared(engine.options.clone()).await);
    assert!(message.contains("99"), "{message}");
    assert_eq!(raw.run::<u32>(redis::cmd("HGET").arg(&meta).arg("schema")).await, 99);
}

async fn keys_of_another_program_are_refused_and_left_alone(server: Server) {
    let options = options(server);
    let mut raw = Raw::to(&options, "s").await;
    let meta = raw.system_key("meta");
    raw.run::<()>(redis::cmd("SET").arg(&meta).arg("theirs")).await;
    let message = refusal(prepared(options).await);
    assert!(message.contains("another program"), "{message}");
    assert_eq!(raw.run::<String>(redis::cmd("GET").arg(&meta)).await, "theirs");
}

async fn a_prefix_with_braces_is_refused(server: Server) {
    let mut options = options(server);
    "a{b}".clone_into(&mut options.prefix);
    assert!(refusal(open(options, &clock()).await).contains("a{b}"));
}

async fn a_wrong_address_is_refused(server: Server) {
    let mut wrong = options(server);
    // Nobody listens on the port for reserved use.
    wrong.urls = vec!["redis://127.0.0.1:1".to_owned()];
    let message = refusal(open(wrong.clone(), &clock()).await);
    assert!(message.contains("127.0.0.1:1"), "{message}");
    wrong.urls = vec!["somewhere".to_owned()];
    assert!(refusal(open(wrong, &clock()).await).contains("redis://"));
}

async fn a_wrong_password_is_refused_and_not_shown(server: Server) {
    let mut wrong = options(server);
    let secret = "not-the-password";
    wrong.urls = wrong.urls.iter().map(|url| url.replace("redis://", &format!("redis://nobody:{secret}@"))).collect();
    let message = refusal(open(wrong, &clock()).await);
    assert!(message.contains("credentials") && !message.contains(secret), "{message}");
}

async fn functions_that_were_flushed_are_loaded_again_and_no_call_is_lost(server: Server) {
    let mut engine = engine(server).await;
    for partition in 0..8 {
        let loads = engine.store.stats().libraries_loaded;
        let mut raw = Raw::of(&engine, partition).await;
        raw.run::<()>(redis::cmd("FUNCTION").arg("DELETE").arg("leasehold_v2")).await;
        let ids = engine.created([partition, (partition + 1) % 8]).await;
        for id in ids {
            let queue = engine.store.stored_index(id).await.unwrap().unwrap().queue;
            assert_eq!(queue, "ready");
        }
        // Another test may have been faster.
        assert!(engine.store.stats().libraries_loaded >= loads);
    }
}

async fn the_server_s_clock_counts_where_none_is_given(server: Server) {
    let store = RedisBackend::open(options(server)).await.unwrap();
    store.prepare(&PartitionConfig::default()).await.unwrap();
    let node = engine_node(5);
    let before = store.now().await.unwrap();
    assert!(before > START.minus(1 << 40));
    store.register_node(node, 60_000).await.unwrap();
    let beat = store.heartbeat_node(node, 90_000).await.unwrap().unwrap();
    let after = store.now().await.unwrap();
    assert!(before <= beat && beat <= after);
    assert_eq!(store.nodes().await.unwrap()[0].expires_at, beat.plus(90_000));
    assert!(!store.bury_node(node, false).await.unwrap());
}

async fn too_few_replicas_are_refused_at_the_start(server: Server) {
    let mut options = options(server);
    options.durability = Durability::Replicated(9);
    let store = RedisBackend::open(options).await.unwrap();
    let error = store.prepare(&PartitionConfig::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("`replicated` waits for 9 replicas"), "{error}");
}

#[tokio::test]
async fn a_commit_waits_for_a_replica_of_the_cluster() {
    let mut options = options(Server::ValkeyCluster);
    options.durability = Durability::Replicated(1);
    let mut engine = support::engine_with(options, 1, &(0..8).collect::<Vec<_>>()).await;
    assert!(engine.store.is_cluster());
    let ids = engine.created(0..8).await;
    for id in ids {
        assert_eq!(engine.store.stored_index(id).await.unwrap().unwrap().queue, "ready");
    }
}

servers::on_every_server!(
    a_store_that_was_closed_has_its_data_when_it_is_opened_again,
    two_prefixes_are_two_stores,
    other_partition_counts_are_refused_and_change_nothing,
    a_newer_schema_is_refused_and_left_alone,
    keys_of_another_program_are_refused_and_left_alone,
    a_prefix_with_braces_is_refused,
    a_wrong_address_is_refused,
    a_wrong_password_is_refused_and_not_shown,
    functions_that_were_flushed_are_loaded_again_and_no_call_is_lost,
    the_server_s_clock_counts_where_none_is_given,
    too_few_replicas_are_refused_at_the_start,
);
