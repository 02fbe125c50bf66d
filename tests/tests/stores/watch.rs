//! Executions that an application leaves in the inbox of a PostgreSQL store
//! and that start without a sweep.

use crate::node::{NEVER, PATIENCE, claim, complete, create_args, id, postgres, soon, start};
use leasehold_actors::EngineHandle;
use leasehold_backend::SystemClock;
use leasehold_core::ids::ExecutionId;
use leasehold_postgres::{PostgresBackend, PostgresOptions, inbox};
use leasehold_services::Postgres;
use sqlx::{Connection, Executor, PgConnection};
use std::sync::Arc;

const SCHEMA: &str = "leasehold";

/// A node that never looks into the inbox without a hint.
async fn node(server: &Postgres) -> EngineHandle {
    let backend = Arc::new(PostgresBackend::open(PostgresOptions::new(server.url())).await.unwrap());
    start(backend, Arc::new(SystemClock::default()), |options| options.inbox_sweep_every = NEVER).await
}

async fn leave(connection: &mut PgConnection) -> ExecutionId {
    inbox::create(connection, SCHEMA, &create_args(id(1), b"payload".to_vec())).await.unwrap()
}

/// Waits until the execution runs, and ends it.
async fn runs(engine: &EngineHandle, id: ExecutionId) {
    let task = soon(claim(engine)).await;
    assert_eq!(task.claimed.execution_id, id);
    complete(engine, &task).await.unwrap();
}

#[tokio::test]
async fn what_another_process_commits_and_tells_starts_without_a_sweep() {
    let server = postgres();
    let engine = node(&server).await;
    let mut application = PgConnection::connect(&server.url()).await.unwrap();
    for round in 0..6 {
        let mut transaction = application.begin().await.unwrap();
        let id = leave(&mut transaction).await;
        if round % 2 == 0 {
            inbox::announce(&mut transaction, SCHEMA).await.unwrap();
        }
        transaction.commit().await.unwrap();
        if round % 2 == 1 {
            inbox::announce(&mut application, SCHEMA).await.unwrap();
        }
        runs(&engine, id).await;
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn what_is_announced_to_a_node_that_owns_nothing_starts_on_the_one_that_does() {
    let server = postgres();
    let engine = node(&server).await;
    let other = node(&server).await;
    assert_eq!(other.status().await.unwrap().served, 0);
    let mut application = PgConnection::connect(&server.url()).await.unwrap();
    for _ in 0..3 {
        let id = leave(&mut application).await;
        other.announce();
        runs(&engine, id).await;
    }
    other.shutdown().await;
    engine.shutdown().await;
}

#[tokio::test]
async fn what_is_told_while_nobody_can_hear_it_starts_when_somebody_can() {
    let server = postgres();
    let engine = node(&server).await;
    let mut application = PgConnection::connect(&server.url()).await.unwrap();
    // Word reaches the node, so it listens.
    let id = leave(&mut application).await;
    inbox::announce(&mut application, SCHEMA).await.unwrap();
    runs(&engine, id).await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";
    tokio::time::timeout(PATIENCE, application.execute(cut)).await.unwrap().unwrap();
    let id = leave(&mut application).await;
    inbox::announce(&mut application, SCHEMA).await.unwrap();
    runs(&engine, id).await;
    engine.shutdown().await;
}
