//! Keys that were lost, damaged or left half written.

#[path = "support/servers.rs"]
mod servers;
mod support;

use leasehold_backend::{Backend, StoreError};
use leasehold_core::record::RecordKey;
use support::{Raw, Server, engine};

fn corruption<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    let error = result.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    error.to_string()
}

async fn a_change_of_a_record_the_store_lost_is_corruption_and_leaves_nothing(server: Server) {
    let mut engine = engine(server).await;
    let ids = engine.created([1, 1]).await;
    let mut raw = Raw::of(&engine, 1).await;
    let key = raw.key(1, "execution");
    raw.run::<()>(redis::cmd("HDEL").arg(&key).arg(ids[1].uuid().as_bytes())).await;
    let changes = ids.iter().map(|id| engine.claim(*id)).collect();
    let batch = engine.batch(changes);
    let message = corruption(engine.send(&batch).await);
    assert!(message.contains(&ids[1].to_string()), "{message}");
    assert_eq!(engine.store.stored_index(ids[0]).await.unwrap().unwrap().queue, "ready");
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [false]);
}

async fn a_damaged_record_is_reported_with_its_kind_and_id(server: Server) {
    let mut engine = engine(server).await;
    let id = engine.created([1]).await[0];
    let mut raw = Raw::of(&engine, 1).await;
    let key = raw.key(1, "execution");
    raw.run::<()>(redis::cmd("HSET").arg(&key).arg(id.uuid().as_bytes()).arg(&[1u8, 255])).await;
    let message = corruption(engine.store.load(1, &[RecordKey::Execution(id.uuid())], &[]).await);
    assert!(message.contains("execution") && message.contains(&id.to_string()), "{message}");
    let message = corruption(engine.store.list_executions(1, None, 10).await);
    assert!(message.contains(&id.to_string()), "{message}");
}

async fn an_entry_without_a_record_is_corruption(server: Server) {
    let mut engine = engine(server).await;
    let id = engine.created([1]).await[0];
    let mut raw = Raw::of(&engine, 1).await;
    let key = raw.key(1, "execution");
    raw.run::<()>(redis::cmd("HDEL").arg(&key).arg(id.uuid().as_bytes())).await;
    corruption(engine.store.list_executions(1, None, 10).await);
}

async fn an_entry_that_should_not_be_there_shows_in_the_stored_index(server: Server) {
    let mut engine = engine(server).await;
    let ids = engine.created([1, 1]).await;
    let mut raw = Raw::of(&engine, 1).await;
    let key = raw.key(1, "index");
    let mut stray = b"a".to_vec();
    stray.extend(ids[0].uuid().as_bytes());
    raw.run::<()>(redis::cmd("ZADD").arg(&key).arg(0).arg(&stray)).await;
    assert_eq!(engine.store.stored_index(ids[0]).await.unwrap().unwrap().queue, "active+ready");
    raw.run::<()>(redis::cmd("DEL").arg(&key)).await;
    assert_eq!(engine.store.stored_index(ids[1]).await.unwrap().unwrap().queue, "none");
}

async fn a_partition_left_half_written_is_out_of_service_and_the_others_go_on(server: Server) {
    let mut engine = engine(server).await;
    let id = engine.created([1]).await[0];
    let mut raw = Raw::of(&engine, 1).await;
    // A key of another type makes a write fail after the head was advanced.
    let index = raw.key(1, "index");
    raw.run::<()>(redis::cmd("DEL").arg(&index)).await;
    raw.run::<()>(redis::cmd("SET").arg(&index).arg("not a sorted set")).await;
    let claim = engine.claim(id);
    let batch = engine.batch(vec![claim]);
    let message = corruption(engine.send(&batch).await);
    assert!(message.contains("half written"), "{message}");

    raw.run::<()>(redis::cmd("DEL").arg(&index)).await;
    let store = &engine.store;
    for message in [
        corruption(store.load(1, &[RecordKey::Execution(id.uuid())], &[]).await),
        corruption(store.scan_due(1, None, 10).await),
        corruption(store.scan_active(1, None, 10).await),
        corruption(store.list_executions(1, None, 10).await),
        corruption(store.read_events(1, None, 10).await),
        corruption(store.ready_groups(1, None, 10).await),
        corruption(store.list_lanes(None, 10).await),
    ] {
        assert!(message.contains("half written"), "{message}");
    }
    engine.take(&[1]).await;
    let fresh = engine.id(1);
    let create = engine.create(fresh);
    let batch = engine.batch(vec![create]);
    assert!(corruption(engine.send(&batch).await).contains("half written"));
    engine.created([2]).await;

    let head = raw.key(1, "head");
    raw.run::<()>(redis::cmd("HDEL").arg(&head).arg("broken")).await;
    engine.send(&batch).await.unwrap();
}

servers::on_every_server!(
    a_change_of_a_record_the_store_lost_is_corruption_and_leaves_nothing,
    a_damaged_record_is_reported_with_its_kind_and_id,
    an_entry_without_a_record_is_corruption,
    an_entry_that_should_not_be_there_shows_in_the_stored_index,
    a_partition_left_half_written_is_out_of_service_and_the_others_go_on,
);
