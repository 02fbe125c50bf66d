//! Two nodes on one store, each with time of its own in the test's hand.
//!
//! A node whose time stands still is one that was stopped: nothing of it wakes.
//! When its time goes on it is a node that was continued.

use crate::node::{PARTITIONS, claim, complete, create, id, postgres, soon, start, valkey};
use leasehold_actors::EngineHandle;
use leasehold_backend::{Backend, ManualClock};
use leasehold_contract::{EngineResult, Leases, Reads, RenewLease, Task};
use leasehold_core::error::EngineError;
use leasehold_core::state::PublicState;
use leasehold_core::time::TimestampMs;
use leasehold_postgres::{PostgresBackend, PostgresOptions};
use leasehold_redis::{RedisBackend, RedisOptions};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

const START: TimestampMs = TimestampMs(1_800_000_000_000);

/// Between heartbeats, and how long a node lives without one.
const BEAT_MS: u64 = 5000;
const LEASE_MS: u64 = 15_000;

/// A node with a clock of its own.
struct Node {
    engine: EngineHandle,
    clock: Arc<ManualClock>,
}

impl Node {
    async fn start(backend: Arc<dyn Backend>, clock: Arc<ManualClock>) -> Self {
        let engine = start(backend, clock.clone(), |_| {}).await;
        Self { engine, clock }
    }

    /// Lets time pass until the next heartbeat, and waits until it is answered:
    /// only then the time of the one after it is set.
    async fn beat(&self) {
        self.clock.advance(BEAT_MS);
        let lease = Duration::from_millis(LEASE_MS);
        soon(async {
            while self.engine.status().await.unwrap().lease_left < lease {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Waits until it serves so many partitions.
    async fn serves(&self, partitions: u16) {
        soon(async {
            while self.served().await != partitions {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    async fn served(&self) -> u16 {
        self.engine.status().await.unwrap().served
    }

    /// What it says of a new execution in each partition.
    async fn creates(&self) -> Vec<EngineResult<()>> {
        let mut outcomes = Vec::new();
        for partition in 0..PARTITIONS {
            outcomes.push(soon(create(&self.engine, id(partition), b"payload".to_vec())).await);
        }
        outcomes
    }

    async fn is_refused_everywhere(&self) {
        for (partition, outcome) in (0..).zip(self.creates().await) {
            let unavailable = matches!(
                &outcome,
                Err(error @ EngineError::PartitionUnavailable { partition: named, .. })
                    if *named == partition && error.is_retryable()
            );
            assert!(unavailable, "{outcome:?}");
        }
    }

    async fn serves_everything(&self) {
        for outcome in self.creates().await {
            outcome.unwrap();
        }
    }

    async fn renew(&self, task: &Task) -> EngineResult<()> {
        let args = RenewLease {
            execution_id: task.claimed.execution_id,
            attempt_index: task.claimed.attempt_index,
            fence: task.claimed.fence().into(),
            lease_ttl_ms: 60_000,
        };
        self.engine.renew_lease(args).await.map(drop)
    }
}

/// The whole story, on a store that `open` connects to.
async fn a_second_node_takes_over_from_one_that_stopped_and_fences_it_off<O, F>(open: O)
where
    O: Fn(Arc<ManualClock>) -> F,
    F: Future<Output = Arc<dyn Backend>>,
{
    let clocks = [(); 2].map(|()| Arc::new(ManualClock::new(START)));
    let first = Node::start(open(clocks[0].clone()).await, clocks[0].clone()).await;
    first.serves_everything().await;
    let tasks = [soon(claim(&first.engine)).await, soon(claim(&first.engine)).await];

    let second = Node::start(open(clocks[1].clone()).await, clocks[1].clone()).await;
    let first_identity = first.engine.identity();
    // Longer than a lease: what keeps the first one is its heartbeats.
    for _ in 0..4 {
        assert_eq!(second.served().await, 0);
        second.is_refused_everywhere().await;
        // Reads need no owner.
        let state = second.engine.read_execution_state(tasks[0].claimed.execution_id).await.unwrap();
        assert_eq!(state, Some(PublicState::Active));
        first.beat().await;
        second.beat().await;
        first.serves_everything().await;
    }
    assert_eq!((first.engine.identity(), first.served().await), (first_identity, PARTITIONS));

    // The first one stops. Until its lease has lapsed it keeps what it has.
    second.beat().await;
    second.beat().await;
    second.is_refused_everywhere().await;
    second.beat().await;
    second.serves(PARTITIONS).await;
    second.serves_everything().await;
    complete(&second.engine, &tasks[0]).await.unwrap();

    // The first one goes on before anything in it has noticed. What it had
    // under its hands is refused by the store.
    let late = id(0);
    let outcome = soon(create(&first.engine, late, b"late".to_vec())).await;
    assert!(outcome.as_ref().is_err_and(EngineError::is_retryable), "{outcome:?}");
    assert_eq!(second.engine.read_execution_state(late).await.unwrap(), None);
    first.clock.advance(3 * BEAT_MS);
    let renewal = soon(first.renew(&tasks[1])).await;
    assert!(renewal.is_err(), "a fenced node promised {renewal:?}");
    soon(async {
        while first.engine.identity() == first_identity {
            tokio::task::yield_now().await;
        }
    })
    .await;
    first.serves(0).await;
    first.is_refused_everywhere().await;
    second.serves_everything().await;
    complete(&second.engine, &tasks[1]).await.unwrap();
    for task in &tasks {
        let state = first.engine.read_execution_state(task.claimed.execution_id).await.unwrap();
        assert_eq!(state, Some(PublicState::Completed));
    }

    // One that leaves in order leaves nothing to wait for.
    second.engine.shutdown().await;
    first.beat().await;
    first.serves(PARTITIONS).await;
    first.serves_everything().await;
    first.engine.shutdown().await;
}

#[tokio::test]
async fn on_postgres_a_second_node_takes_over_from_one_that_stopped_and_fences_it_off() {
    let server = postgres();
    a_second_node_takes_over_from_one_that_stopped_and_fences_it_off(async |clock| {
        let options = PostgresOptions { clock: Some(clock), ..PostgresOptions::new(server.url()) };
        Arc::new(PostgresBackend::open(options).await.unwrap()) as Arc<dyn Backend>
    })
    .await;
}

#[tokio::test]
async fn on_valkey_a_second_node_takes_over_from_one_that_stopped_and_fences_it_off() {
    let server = valkey();
    a_second_node_takes_over_from_one_that_stopped_and_fences_it_off(async |clock| {
        let options = RedisOptions { clock: Some(clock), ..RedisOptions::new(server.url()) };
        Arc::new(RedisBackend::open(options).await.unwrap()) as Arc<dyn Backend>
    })
    .await;
}
