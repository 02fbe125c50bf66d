//! Servers that are full, frozen, killed, cut off or wrongly configured. Each
//! test has servers of its own, since others would notice.

mod support;
#[path = "support/kept.rs"]
mod the;

use leasehold_backend::{Backend, Batch, PartOutcome, StoreError};
use leasehold_backend_suite::{START, TTL_MS};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::record::{KeptKind, Record, RecordKey};
use leasehold_redis::{Durability, RedisOptions};
use leasehold_services::{Flavour, Redis, RedisConfig, Reply, ServiceError, ValkeyCluster, wait_for};
use std::time::Duration;
use support::{Engine, engine_with, open};

fn server(flavour: Flavour, settings: &[(&str, &str)]) -> Redis {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Redis::start(&RedisConfig { flavour, durable: true, settings, ..RedisConfig::default() }).unwrap()
}

fn options(server: &Redis) -> RedisOptions {
    let mut options = RedisOptions::new(server.url());
    options.response_timeout = Duration::from_millis(500);
    options.durability_timeout = Duration::from_millis(100);
    options
}

async fn engine(server: &Redis) -> Engine {
    engine_with(options(server), 1, &(0..8).collect::<Vec<_>>()).await
}

fn has_waited_for_the_disk(server: &Redis) -> bool {
    let Reply::Text(counts) = server.command(&["INFO", "commandstats"]).unwrap() else { return false };
    counts.contains("cmdstat_waitaof:")
}

/// Leaves a server no room beyond what it uses.
fn fill(server: &Redis) {
    server.command(&["CONFIG", "SET", "maxmemory", "100kb"]).unwrap();
}

async fn a_full_server_refuses_new_work_and_lets_what_runs_end(flavour: Flavour) {
    let server = server(flavour, &[]);
    let mut engine = engine(&server).await;
    let ids = engine.created([1, 1, 2]).await;
    let claim = engine.claim(ids[0]);
    engine.commit(vec![claim]).await;
    fill(&server);

    let fresh = engine.id(3);
    let create = engine.create(fresh);
    let batch = engine.batch(vec![create]);
    let error = engine.send(&batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert!(!engine.exists(fresh).await);
    assert!(engine.store.is_full());
    let store = &engine.store;
    assert_eq!(store.scan_active(1, None, 10).await.unwrap().len(), 1);
    assert_eq!(store.list_executions(1, None, 10).await.unwrap().len(), 2);
    assert_eq!(store.ready_groups(1, None, 10).await.unwrap().len(), 1);
    assert_eq!(store.list_lanes(None, 10).await.unwrap().len(), 1);
    assert_eq!(store.read_events(1, None, 10).await.unwrap().len(), 1);
    let taken = store.take_partitions(engine.node, engine.nonce, &[5], 0).await.unwrap();
    assert_eq!(taken.len(), 1);

    let changes = vec![engine.complete(ids[0]), engine.claim(ids[1]), engine.claim(ids[2])];
    engine.commit(changes).await;
    assert_eq!(engine.store.stored_index(ids[0]).await.unwrap().unwrap().queue, "terminal");

    assert!(engine.store.heartbeat_node(engine.node, TTL_MS).await.unwrap().is_some());
    assert!(engine.store.is_full());
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    assert!(engine.store.heartbeat_node(engine.node, TTL_MS).await.unwrap().is_some());
    assert!(!engine.store.is_full());
    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Applied]);
}

#[tokio::test]
async fn a_full_redis_refuses_new_work_and_lets_what_runs_end() {
    a_full_server_refuses_new_work_and_lets_what_runs_end(Flavour::Redis).await;
}

#[tokio::test]
async fn a_full_valkey_refuses_new_work_and_lets_what_runs_end() {
    a_full_server_refuses_new_work_and_lets_what_runs_end(Flavour::Valkey).await;
}

#[tokio::test]
async fn on_a_full_server_a_part_with_new_work_is_refused_as_a_whole_and_takes_no_other_along() {
    let server = server(Flavour::Valkey, &[]);
    let mut engine = engine(&server).await;
    let ids = engine.created([1, 2]).await;
    let claims = ids.iter().map(|id| engine.claim(*id)).collect();
    engine.commit(claims).await;
    fill(&server);
    let fresh = engine.id(1);
    let end = engine.complete(ids[0]);
    let create = engine.create(fresh);
    let batch = engine.batch(vec![end.clone(), create]);
    let error = engine.send(&batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert_eq!(engine.store.stored_index(ids[0]).await.unwrap().unwrap().queue, "active");

    let complete = engine.complete(ids[1]);
    let other = engine.batch(vec![complete]);
    let parts = batch.parts.into_iter().chain(other.parts).collect();
    let both = Batch { node: engine.node, seq: engine.batches, parts };
    let outcomes = engine.send(&both).await.unwrap();
    assert!(matches!(outcomes[0], PartOutcome::Failed(StoreError::Full { .. })), "{outcomes:?}");
    assert_eq!(outcomes[1], PartOutcome::Applied);
    assert_eq!(engine.store.stored_index(ids[1]).await.unwrap().unwrap().queue, "terminal");
    // Without the new work the first partition goes on.
    engine.commit(vec![end]).await;
    assert_eq!(engine.store.stored_index(ids[0]).await.unwrap().unwrap().queue, "terminal");
}

async fn a_full_server_refuses_new_flows_and_lets_what_runs_suspend_and_be_signalled(flavour: Flavour) {
    let server = server(flavour, &[]);
    let mut engine = engine(&server).await;
    let (one, two) = (the::flow(1, 1), the::flow(2, 1));
    let running = [&one, &two, &the::suspended(1, 1)].map(the::put);
    the::write(&mut engine, 1, running).await;
    fill(&server);

    let fresh = the::flow(3, 1);
    let batch = engine.batch(vec![(1, the::set([the::put(&fresh)]))]);
    let error = engine.send(&batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert!(engine.store.is_full());

    let left = [
        the::waits(1, 1),
        the::signal_bytes(1, vec![7; 1000]),
        the::signal_dedup("a"),
        the::suspended(2, 2),
        the::pending_cancels(1),
    ];
    let changed = [the::replace(&one, &the::flow(1, 2)), the::delete(&two), the::delete(&the::suspended(1, 1))];
    the::write(&mut engine, 1, left.iter().map(the::put).chain(changed)).await;
    let list = async |kind| engine.store.scan_kept(1, kind, None, 10).await.unwrap();
    assert_eq!(list(KeptKind::Flow).await, [the::flow(1, 2)]);
    assert_eq!(list(KeptKind::Suspended).await, [the::suspended(2, 2)]);
    let keys: Vec<RecordKey> = left.iter().map(Record::key).collect();
    let loaded = engine.store.load(1, &keys, &[]).await.unwrap();
    assert_eq!(loaded.records, left.map(Some));
}

#[tokio::test]
async fn a_full_redis_refuses_new_flows_and_lets_what_runs_suspend_and_be_signalled() {
    a_full_server_refuses_new_flows_and_lets_what_runs_suspend_and_be_signalled(Flavour::Redis).await;
}

#[tokio::test]
async fn a_full_valkey_refuses_new_flows_and_lets_what_runs_suspend_and_be_signalled() {
    a_full_server_refuses_new_flows_and_lets_what_runs_suspend_and_be_signalled(Flavour::Valkey).await;
}

#[tokio::test]
async fn a_server_that_evicts_is_refused_before_anything_is_written() {
    let server = server(Flavour::Valkey, &[("maxmemory-policy", "allkeys-lru")]);
    let clock = std::sync::Arc::new(leasehold_backend::ManualClock::new(START));
    let store = open(options(&server), &clock).await.unwrap();
    let error = store.prepare(&PartitionConfig::default()).await.unwrap_err();
    let StoreError::Refused { message } = error else { panic!("{error:?}") };
    assert!(message.contains("allkeys-lru") && message.contains("noeviction"), "{message}");
    assert!(matches!(server.command(&["DBSIZE"]).unwrap(), Reply::Integer(0)));
}

#[tokio::test]
async fn without_an_append_only_file_fsynced_is_refused() {
    let server = Redis::start(&RedisConfig::default()).unwrap();
    let mut options = options(&server);
    options.durability = Durability::Fsynced;
    let clock = std::sync::Arc::new(leasehold_backend::ManualClock::new(START));
    let store = open(options, &clock).await.unwrap();
    let error = store.prepare(&PartitionConfig::default()).await.unwrap_err();
    assert!(error.to_string().contains("appendonly"), "{error}");
}

#[tokio::test]
async fn a_redis_that_can_neither_wait_for_its_disk_nor_always_syncs_is_refused() {
    let server = server(Flavour::Redis, &[]);
    let mut options = options(&server);
    options.durability = Durability::Fsynced;
    let clock = std::sync::Arc::new(leasehold_backend::ManualClock::new(START));
    let store = open(options, &clock).await.unwrap();
    let error = store.prepare(&PartitionConfig::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("appendfsync is everysec"), "{error}");
}

#[tokio::test]
async fn a_redis_that_always_syncs_serves_fsynced_without_a_wait() {
    let server = server(Flavour::Redis, &[("appendfsync", "always")]);
    let mut options = options(&server);
    options.durability = Durability::Fsynced;
    let mut engine = engine_with(options, 1, &[1]).await;
    engine.created([1]).await;
}

#[tokio::test]
async fn a_commit_the_disk_has_survives_the_server_and_the_engine_goes_on() {
    let mut server = server(Flavour::Valkey, &[]);
    let mut options = options(&server);
    options.durability = Durability::Fsynced;
    options.durability_timeout = Duration::from_secs(2);
    let mut engine = engine_with(options, 1, &[1]).await;
    for _ in 0..3 {
        let id = engine.created([1]).await[0];
        assert!(has_waited_for_the_disk(&server));
        server.kill().unwrap();
        let claim = engine.claim(id);
        let batch = engine.batch(vec![claim.clone()]);
        let error = engine.send(&batch).await.unwrap_err();
        assert!(matches!(error, StoreError::Unknown { .. } | StoreError::Busy { .. }), "{error:?}");
        // Nobody listens: from now on nothing is sent at all.
        let error = engine.send(&batch).await.unwrap_err();
        assert!(matches!(error, StoreError::Busy { .. }), "{error:?}");
        assert!(matches!(engine.store.ping().await, Err(StoreError::Busy { .. })));
        server.restart().unwrap();
        engine.take(&[1]).await;
        assert_eq!(engine.store.landed(&batch).await.unwrap(), [false]);
        assert!(engine.exists(id).await);
        engine.commit(vec![claim]).await;
    }
}

#[tokio::test]
async fn a_server_that_was_started_again_ends_the_nodes_life_with_the_next_heartbeat() {
    let mut server = server(Flavour::Valkey, &[]);
    let engine = engine(&server).await;
    let store = &engine.store;
    server.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).unwrap();
    assert!(store.heartbeat_node(engine.node, TTL_MS).await.unwrap().is_some());
    server.restart().unwrap();
    assert!(store.heartbeat_node(engine.node, TTL_MS).await.unwrap().is_none());
    let dead = |rows: &[leasehold_backend::NodeRow]| rows.iter().all(|row| row.node == engine.node && row.dead);
    assert!(dead(&store.nodes().await.unwrap()));
    let heir = leasehold_core::ids::NodeId::from_uuid(uuid::Uuid::from_u128(77));
    store.register_node(heir, TTL_MS).await.unwrap();
    assert!(store.heartbeat_node(heir, TTL_MS).await.unwrap().is_some());
    assert_eq!(store.take_partitions(heir, 3, &[1], 0).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_commit_that_arrives_after_its_sender_gave_up_is_accounted_for() {
    let server = server(Flavour::Valkey, &[]);
    let mut engine = engine(&server).await;
    let id = engine.created([1]).await[0];
    server.pause().unwrap();
    let claim = engine.claim(id);
    let batch = engine.batch(vec![claim]);
    let error = engine.send(&batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Unknown { .. }), "{error:?}");
    server.resume().unwrap();
    engine.take(&[1]).await;
    let landed = engine.store.landed(&batch).await.unwrap()[0];
    let queue = engine.store.stored_index(id).await.unwrap().unwrap().queue;
    assert_eq!(queue, if landed { "active" } else { "ready" });
    // Whatever became of it, it is over.
    assert_eq!(engine.store.commit(&batch).await.unwrap(), [PartOutcome::Refused]);
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [landed]);
}

#[tokio::test]
async fn a_read_over_a_connection_that_was_cut_is_repeated_and_a_commit_is_not() {
    let server = server(Flavour::Redis, &[]);
    let mut engine = engine(&server).await;
    let id = engine.created([1]).await[0];
    for _ in 0..5 {
        server.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).unwrap();
        assert!(engine.exists(id).await);
        assert!(engine.store.heartbeat_node(engine.node, TTL_MS).await.unwrap().is_some());
        let fresh = engine.id(2);
        let create = engine.create(fresh);
        let batch = engine.batch(vec![create]);
        match engine.send(&batch).await {
            Ok(outcomes) => assert_eq!(outcomes, [PartOutcome::Applied]),
            Err(StoreError::Unknown { .. }) => engine.take(&[2]).await,
            Err(other) => panic!("{other:?}"),
        }
        let landed = engine.store.landed(&batch).await.unwrap()[0];
        assert_eq!(landed, engine.exists(fresh).await);
    }
}

#[tokio::test]
async fn flushed_functions_are_loaded_again_for_reads_commits_and_takeovers() {
    let server = server(Flavour::Redis, &[]);
    let mut engine = engine(&server).await;
    let flush = || server.command(&["FUNCTION", "FLUSH"]).unwrap();
    flush();
    let ids = engine.created(0..8).await;
    flush();
    assert_eq!(engine.store.list_executions(1, None, 10).await.unwrap().len(), 1);
    flush();
    engine.take(&(0..8).collect::<Vec<_>>()).await;
    assert_eq!(engine.epochs.len(), 8);
    flush();
    assert!(engine.store.heartbeat_node(engine.node, TTL_MS).await.unwrap().is_some());
    let claims = ids.iter().map(|id| engine.claim(*id)).collect();
    engine.commit(claims).await;
    assert_eq!(engine.store.stats().libraries_loaded, 5);
}

#[tokio::test]
async fn a_primary_that_dies_is_replaced_and_what_a_replica_had_is_there() {
    let config = RedisConfig { durable: true, ..RedisConfig::default() };
    let mut cluster = ValkeyCluster::start(&config).unwrap();
    let mut options = RedisOptions::new(String::new());
    options.urls = cluster.primary_urls();
    options.durability = Durability::Replicated(1);
    let all: Vec<u16> = (0..8).collect();
    let mut engine = engine_with(options, 1, &all).await;
    let ids = engine.created(0..8).await;
    let mut fsynced = engine.options.clone();
    "fsynced".clone_into(&mut fsynced.prefix);
    fsynced.durability = Durability::Fsynced;
    engine_with(fsynced, 2, &all).await.created(0..8).await;

    cluster.node(0).kill().unwrap();
    let replaced = || Ok::<_, ServiceError>((cluster.primaries().len() == 3).then_some(()));
    wait_for(Duration::from_secs(60), replaced).unwrap().expect("no replica was promoted");
    cluster.wait_until_whole().unwrap();

    // The primary that took over has no replica left to wait for.
    let mut options = engine.options.clone();
    options.durability = Durability::Acknowledged;
    let store = open(options, &engine.clock).await.unwrap();
    store.prepare(&PartitionConfig::default()).await.unwrap();
    for id in &ids {
        assert!(engine.exists(*id).await, "{id}");
    }
    engine.store = std::sync::Arc::new(store);
    engine.take(&all).await;
    assert_eq!(engine.epochs.len(), 8);
    let claims = ids.iter().map(|id| engine.claim(*id)).collect();
    engine.commit(claims).await;
}

async fn a_replica_that_goes_leaves_the_outcome_unknown(flavour: Flavour) {
    let (primary, mut replica) = (server(flavour, &[("repl-diskless-sync-delay", "0")]), server(flavour, &[]));
    replica.command(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]).unwrap();
    let followed = || Ok::<_, ServiceError>((primary.info("connected_slaves")?.as_deref() == Some("1")).then_some(()));
    wait_for(Duration::from_secs(30), followed).unwrap().expect("no replica followed");
    let mut replicated = options(&primary);
    replicated.durability = Durability::Replicated(1);
    replicated.durability_timeout = Duration::from_secs(10);
    // The first of its commits also waits until the replica has everything.
    let mut engine = engine_with(replicated.clone(), 1, &[1]).await;
    engine.created([1]).await;

    replicated.durability_timeout = Duration::from_millis(50);
    let hasty = open(replicated, &engine.clock).await.unwrap();
    hasty.prepare(&PartitionConfig::default()).await.unwrap();
    replica.kill().unwrap();
    let id = engine.id(1);
    let changes = vec![engine.create(id)];
    let batch = engine.batch(changes);
    let error = hasty.commit(&batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Unknown { .. }), "{error:?}");
    // The takeover must not promise what the commit did not.
    let taken = hasty.take_partitions(engine.node, 3, &[1], 0).await;
    assert!(matches!(taken, Err(StoreError::Unknown { .. })), "{taken:?}");

    let store = open(options(&primary), &engine.clock).await.unwrap();
    store.prepare(&PartitionConfig::default()).await.unwrap();
    engine.store = std::sync::Arc::new(store);
    engine.take(&[1]).await;
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [true]);
}

#[tokio::test]
async fn a_replica_that_goes_leaves_the_outcome_unknown_on_redis() {
    a_replica_that_goes_leaves_the_outcome_unknown(Flavour::Redis).await;
}

#[tokio::test]
async fn a_replica_that_goes_leaves_the_outcome_unknown_on_valkey() {
    a_replica_that_goes_leaves_the_outcome_unknown(Flavour::Valkey).await;
}
