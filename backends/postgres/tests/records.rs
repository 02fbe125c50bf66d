//! Rows as others see them: columns for operators, and damage.

mod support;

use leasehold_backend::{Backend, Clock, StoreError};
use leasehold_core::ids::LaneId;
use leasehold_core::record::RecordKey;
use sqlx::{Connection, Executor};
use support::{Place, engine};

#[tokio::test]
async fn a_damaged_record_is_reported_with_its_table_and_id() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let id = engine.created([1]).await[0];
    let mut raw = place.raw().await;
    raw.execute("UPDATE executions SET record = '\\x01ff'; UPDATE lanes SET state = 'odd'").await.unwrap();
    raw.close().await.unwrap();
    let error = engine.store.load(1, &[RecordKey::Execution(id.uuid())], &[]).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)));
    assert!(error.to_string().contains("executions") && error.to_string().contains(&id.to_string()), "{error}");
    let error = engine.store.list_executions(1, None, 10).await.unwrap_err();
    assert!(error.to_string().contains(&id.to_string()), "{error}");
    let error = engine.store.load(1, &[RecordKey::Lane(LaneId::new("default"))], &[]).await.unwrap_err();
    assert!(error.to_string().contains("lanes") && error.to_string().contains("odd"), "{error}");
}

#[tokio::test]
async fn operators_find_their_columns_filled() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let id = engine.created([1]).await[0];
    let claim = engine.claim(id);
    engine.commit(vec![claim]).await;
    let mut raw = place.raw().await;
    let row: (String, String, String, String, String, i64, String) = sqlx::query_as(
        "SELECT namespace, kind, lane, lifecycle_phase, public_state, lease_expires_at, worker_instance FROM executions",
    )
    .fetch_one(&mut raw)
    .await
    .unwrap();
    let expires_at = engine.clock.now().plus(30_000).0;
    let expected = ("tests", "send_mail", "default", "active", "active", expires_at, "worker-1/0001");
    assert_eq!((&*row.0, &*row.1, &*row.2, &*row.3, &*row.4, row.5, &*row.6), expected);
}
