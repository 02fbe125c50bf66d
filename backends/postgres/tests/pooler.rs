//! What a pooler in transaction mode leaves of a session: nothing. The calls
//! are the same, held together by a transaction each.

mod support;

use leasehold_backend::{Backend, ManualClock, PartOutcome};
use leasehold_backend_suite::START;
use leasehold_postgres::PostgresBackend;
use sqlx::Row;
use std::sync::Arc;
use support::{Engine, Place};

async fn pooled(place: &Place) -> Engine {
    let clock = Arc::new(ManualClock::new(START));
    let mut options = place.options(&clock);
    // A pooler of the test's own, where there is one.
    if let Ok(url) = std::env::var("LEASEHOLD_TEST_PGBOUNCER") {
        options.url = url;
    }
    options.pooler = true;
    let store = Arc::new(PostgresBackend::open(options).await.unwrap());
    Engine::on(store, clock, 1, &[0, 1, 2]).await
}

#[tokio::test]
async fn every_call_works_and_prepares_nothing_that_stays() {
    let place = Place::fresh();
    let mut engine = pooled(&place).await;
    for _ in 0..3 {
        let ids = engine.created([0, 1]).await;
        let claims = ids.iter().map(|id| engine.claim(*id)).collect();
        engine.commit(claims).await;
        assert!(engine.store.heartbeat_node(engine.node, 10_000).await.unwrap().is_some());
        let complete = engine.complete(ids[0]);
        engine.commit(vec![complete]).await;
        assert!(engine.store.stored_index(ids[1]).await.unwrap().is_some());
    }
    assert_eq!(engine.store.scan_active(1, None, 10).await.unwrap().len(), 3);
    let mut raw = place.raw().await;
    let row = sqlx::query("SELECT count(*) FROM pg_prepared_xacts").fetch_one(&mut raw).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 0);
}

#[tokio::test]
async fn a_call_takes_four_trips() {
    let place = Place::fresh();
    let mut engine = pooled(&place).await;
    engine.created([0]).await;
    let before = engine.store.stats();
    engine.created([0]).await;
    assert_eq!(engine.store.stats().round_trips - before.round_trips, 4);
}

#[tokio::test]
async fn a_refused_part_and_a_failed_batch_leave_the_connection_usable() {
    let place = Place::fresh();
    let mut engine = pooled(&place).await;
    let known = engine.created([1]).await[0];
    engine.forget_records();
    let again = engine.create(known);
    let batch = engine.batch(vec![again]);
    engine.send(&batch).await.unwrap_err();
    let id = engine.id(2);
    let create = engine.create(id);
    let batch = engine.batch(vec![create]);
    engine.store.take_partitions(engine.node, 99, &[2], 0).await.unwrap();
    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Refused]);
    engine.created([0]).await;
}
