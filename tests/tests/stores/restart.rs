//! Servers that are killed and started again under a node that goes on.

use crate::node::{PARTITIONS, claim, complete, create, id, postgres, soon, start, valkey};
use leasehold_actors::{EngineHandle, EngineOptions};
use leasehold_backend::{Backend, SystemClock};
use leasehold_contract::Reads;
use leasehold_core::error::EngineError;
use leasehold_core::ids::{ExecutionId, NodeId};
use leasehold_core::state::PublicState;
use leasehold_postgres::{PostgresBackend, PostgresOptions};
use leasehold_redis::{RedisBackend, RedisOptions};
use leasehold_services::{Postgres, Redis};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// A server that can be killed and comes back where it was.
trait Mortal {
    fn kill(&mut self);
    fn revive(&mut self);
}

impl Mortal for Postgres {
    fn kill(&mut self) {
        Self::kill(self).unwrap();
    }

    fn revive(&mut self) {
        self.restart().unwrap();
    }
}

impl Mortal for Redis {
    fn kill(&mut self) {
        Self::kill(self).unwrap();
    }

    fn revive(&mut self) {
        self.restart().unwrap();
    }
}

/// Times short enough that an outage can be longer than the node's lease.
fn impatient(options: &mut EngineOptions) {
    options.node_lease = Duration::from_secs(2);
    options.heartbeat_every = Duration::from_millis(300);
    options.inbox_sweep_every = Duration::from_millis(300);
    options.command_deadline = Duration::from_secs(5);
}

/// Creates one execution after the other until it is told to stop; what was
/// acknowledged.
async fn create_meanwhile(engine: EngineHandle, stop: Arc<AtomicBool>) -> Vec<ExecutionId> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if stop.load(Relaxed) {
            break;
        }
        let id = id(number % PARTITIONS);
        match soon(create(&engine, id, b"payload".to_vec())).await {
            Ok(()) => acknowledged.push(id),
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
        tokio::task::yield_now().await;
    }
    acknowledged
}

/// Creates something in each partition, as often as it takes.
async fn is_served_again(engine: &EngineHandle) {
    soon(async {
        for partition in 0..PARTITIONS {
            while let Err(error) = create(engine, id(partition), b"payload".to_vec()).await {
                assert!(error.is_retryable(), "{error}");
                tokio::task::yield_now().await;
            }
        }
    })
    .await;
}

/// Waits until a heartbeat of a life other than `before` is answered. By then
/// the node has found out all it has to know about its server.
async fn has_begun_anew(engine: &EngineHandle, before: Option<NodeId>) {
    soon(async {
        loop {
            let node = engine.identity();
            let mut left = Duration::MAX;
            loop {
                let now = engine.status().await.unwrap().lease_left;
                if now > left {
                    break;
                }
                left = now;
                tokio::task::yield_now().await;
            }
            if engine.identity() == node && node != before {
                break;
            }
        }
    })
    .await;
}

/// Kills the server several times under load, once for longer than the node's
/// lease, and asks for everything that was acknowledged.
async fn a_node_goes_on(mut server: impl Mortal, engine: EngineHandle) {
    create(&engine, id(0), b"payload".to_vec()).await.unwrap();
    let task = soon(claim(&engine)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let creating: Vec<_> = (0..4).map(|_| tokio::spawn(create_meanwhile(engine.clone(), stop.clone()))).collect();
    let mut lives = Vec::new();
    for outlasts_the_lease in [false, true, false] {
        is_served_again(&engine).await;
        lives.push(engine.identity());
        server.kill();
        // A call ends whether or not there is a server.
        let outcome = soon(create(&engine, id(0), b"payload".to_vec())).await;
        assert!(outcome.as_ref().is_err_and(EngineError::is_retryable), "{outcome:?}");
        while outlasts_the_lease && engine.status().await.unwrap().lease_holds {
            tokio::task::yield_now().await;
        }
        server.revive();
    }
    // A lapsed lease is never renewed.
    has_begun_anew(&engine, lives[1]).await;
    is_served_again(&engine).await;
    stop.store(true, Relaxed);

    let mut acknowledged = 0;
    for creating in creating {
        for id in soon(creating).await.unwrap() {
            let state = engine.read_execution_state(id).await.unwrap();
            assert_eq!(state, Some(PublicState::Waiting), "{id}");
            acknowledged += 1;
        }
    }
    assert!(acknowledged > 0);
    // What ran before the first outage still holds its lease.
    complete(&engine, &task).await.unwrap();
    let next = soon(claim(&engine)).await;
    complete(&engine, &next).await.unwrap();
    engine.shutdown().await;
}

#[tokio::test]
async fn a_node_goes_on_when_its_postgres_was_killed_and_came_back() {
    let server = postgres();
    let backend = PostgresBackend::open(PostgresOptions::new(server.url())).await.unwrap();
    let backend: Arc<dyn Backend> = Arc::new(backend);
    let engine = start(backend, Arc::new(SystemClock::default()), impatient).await;
    a_node_goes_on(server, engine).await;
}

#[tokio::test]
async fn a_node_goes_on_when_its_valkey_was_killed_and_came_back() {
    let server = valkey();
    let backend: Arc<dyn Backend> = Arc::new(RedisBackend::open(RedisOptions::new(server.url())).await.unwrap());
    let engine = start(backend, Arc::new(SystemClock::default()), impatient).await;
    a_node_goes_on(server, engine).await;
}
