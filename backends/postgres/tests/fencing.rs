//! What keeps two writers apart when they meet in the middle of a statement.
//!
//! A second connection holds a row, so that a call of the store gets stuck
//! behind it at a known place; the server says when it is.

mod support;

use leasehold_backend::{Backend, PartOutcome, StoreError};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor};
use std::sync::Arc;
use support::{Place, engine};

/// Waits until so many sessions of the store wait for somebody's row.
async fn stuck(place: &Place, sessions: i64) {
    let mut raw = place.raw().await;
    loop {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'",
        )
        .bind(&place.schema)
        .fetch_one(&mut raw)
        .await
        .unwrap();
        if waiting == sessions {
            return;
        }
    }
}

async fn run(raw: &mut PgConnection, sql: String) {
    raw.execute(AssertSqlSafe(sql)).await.unwrap();
}

#[tokio::test]
async fn a_commit_that_began_before_a_takeover_and_reaches_the_head_after_it_is_refused() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let (kept, lost) = (engine.id(1), engine.id(2));
    let changes = vec![engine.create(kept), engine.create(lost)];
    let batch = engine.batch(changes);
    // What a takeover does, held open.
    let mut raw = place.raw().await;
    let node = engine.node.as_uuid();
    run(
        &mut raw,
        format!(
            "BEGIN; UPDATE nodes SET fence = fence + 1 WHERE node = '{node}'; \
             UPDATE partitions SET epoch = epoch + 1, nonce = 7 WHERE partition = 2"
        ),
    )
    .await;
    let store = Arc::clone(&engine.store);
    let sent = batch.clone();
    let commit = tokio::spawn(async move { store.commit(&sent).await });
    stuck(&place, 1).await;
    run(&mut raw, "COMMIT".to_owned()).await;
    assert_eq!(commit.await.unwrap().unwrap(), [PartOutcome::Applied, PartOutcome::Refused]);
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [true, false]);
    assert_eq!(engine.store.list_executions(1, None, 10).await.unwrap().len(), 1);
    assert_eq!(engine.store.list_executions(2, None, 10).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_commit_that_waited_for_a_takeover_that_failed_goes_through() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let id = engine.id(2);
    let changes = vec![engine.create(id)];
    let batch = engine.batch(changes);
    let mut raw = place.raw().await;
    let node = engine.node.as_uuid();
    run(&mut raw, format!("BEGIN; UPDATE nodes SET fence = fence + 1 WHERE node = '{node}'")).await;
    let store = Arc::clone(&engine.store);
    let commit = tokio::spawn(async move { store.commit(&batch).await });
    stuck(&place, 1).await;
    run(&mut raw, "ROLLBACK".to_owned()).await;
    assert_eq!(commit.await.unwrap().unwrap(), [PartOutcome::Applied]);
}

#[tokio::test]
async fn a_commit_that_waited_for_its_nodes_burial_is_refused() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let id = engine.id(2);
    let changes = vec![engine.create(id)];
    let batch = engine.batch(changes);
    let mut raw = place.raw().await;
    let node = engine.node.as_uuid();
    run(&mut raw, format!("BEGIN; UPDATE nodes SET dead = true WHERE node = '{node}'")).await;
    let store = Arc::clone(&engine.store);
    let commit = tokio::spawn(async move { store.commit(&batch).await });
    stuck(&place, 1).await;
    run(&mut raw, "COMMIT".to_owned()).await;
    assert_eq!(commit.await.unwrap().unwrap(), [PartOutcome::Refused]);
    assert_eq!(engine.store.list_executions(2, None, 10).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_takeover_waits_for_a_commit_on_its_way_and_passes_its_time_on() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let ids = engine.created([1]).await;
    engine.clock.advance(500);
    let claim = engine.claim(ids[0]);
    let batch = engine.batch(vec![claim]);
    let part = &batch.parts[0];
    // The commit gets past its head and stuck at its event.
    let mut raw = place.raw().await;
    run(
        &mut raw,
        format!(
            "BEGIN; INSERT INTO events VALUES (1, {}, {}, gen_random_uuid(), 0, '')",
            part.expected.epoch, part.first_event
        ),
    )
    .await;
    let (store, sent) = (Arc::clone(&engine.store), batch.clone());
    let commit = tokio::spawn(async move { store.commit(&sent).await });
    stuck(&place, 1).await;
    let (store, node) = (Arc::clone(&engine.store), engine.node);
    let take = tokio::spawn(async move { store.take_partitions(node, 99, &[1], 0).await });
    stuck(&place, 2).await;
    run(&mut raw, "ROLLBACK".to_owned()).await;
    assert_eq!(commit.await.unwrap().unwrap(), [PartOutcome::Applied]);
    let taken = take.await.unwrap().unwrap();
    assert_eq!(taken[0].time, part.time);
    assert_eq!(engine.store.landed(&batch).await.unwrap(), [true]);
}

#[tokio::test]
async fn two_takeovers_at_once_give_a_partition_to_one() {
    let place = Place::fresh();
    let one = engine(&place).await;
    let two = one.neighbour(2, &[]).await;
    let other = Arc::new(place.open(&one.clock).await.unwrap());
    let all: Vec<u16> = (8..256).collect();
    let (mine, theirs) =
        tokio::join!(one.store.take_partitions(one.node, 1, &all, 0), other.take_partitions(two.node, 2, &all, 0));
    let (mine, theirs) = (mine.unwrap(), theirs.unwrap());
    assert_eq!(mine.len() + theirs.len(), all.len());
    assert!(mine.is_empty() || theirs.is_empty());
}

#[tokio::test]
async fn a_session_ended_by_an_operator_before_it_wrote_anything_is_busy_and_replaced() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let id = engine.id(2);
    let changes = vec![engine.create(id)];
    let batch = engine.batch(changes);
    let mut raw = place.raw().await;
    let node = engine.node.as_uuid();
    run(&mut raw, format!("BEGIN; UPDATE nodes SET fence = fence + 1 WHERE node = '{node}'")).await;
    let (store, sent) = (Arc::clone(&engine.store), batch.clone());
    let commit = tokio::spawn(async move { store.commit(&sent).await });
    stuck(&place, 1).await;
    let mut operator = place.raw().await;
    run(
        &mut operator,
        format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
             AND query LIKE '%{}%'",
            place.schema
        ),
    )
    .await;
    let error = commit.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error:?}");
    run(&mut raw, "ROLLBACK".to_owned()).await;
    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Applied]);
}

#[tokio::test]
async fn idle_connections_that_were_cut_cost_no_read_and_no_heartbeat() {
    let place = Place::fresh();
    let engine = engine(&place).await;
    engine.store.ping().await.unwrap();
    let mut operator = place.raw().await;
    run(
        &mut operator,
        format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leasehold' \
             AND query LIKE '%{}%'",
            place.schema
        ),
    )
    .await;
    assert!(engine.store.heartbeat_node(engine.node, 1000).await.unwrap().is_some());
    engine.store.list_executions(1, None, 1).await.unwrap();
    assert_eq!(engine.store.take_partitions(engine.node, 5, &[1], 0).await.unwrap().len(), 1);
}
