//! A Valkey that runs out of memory while work is created and ended.

use crate::node::{PARTITIONS, claim, complete, create, id, soon, start, valkey};
use futures::future::join_all;
use leasehold_backend::{Backend, SystemClock};
use leasehold_contract::{EngineResult, Reads};
use leasehold_core::error::EngineError;
use leasehold_core::state::PublicState;
use leasehold_redis::{RedisBackend, RedisOptions};
use leasehold_services::Redis;
use std::sync::Arc;

const RUNNING: u16 = 24;

fn limit(server: &Redis, bytes: u64) {
    server.command(&["CONFIG", "SET", "maxmemory", &bytes.to_string()]).unwrap();
}

fn used(server: &Redis) -> u64 {
    server.info("used_memory").unwrap().unwrap().parse().unwrap()
}

fn refused_for_room(outcome: &EngineResult<()>) -> bool {
    matches!(outcome, Err(EngineError::ResourceExhausted { pool: "store", retry_after_ms: Some(_), .. }))
}

#[tokio::test]
async fn work_that_runs_ends_while_a_flood_of_creates_fills_the_memory() {
    let server = valkey();
    let backend = Arc::new(RedisBackend::open(RedisOptions::new(server.url())).await.unwrap());
    let engine = start(backend.clone(), Arc::new(SystemClock::default()), |_| {}).await;
    let mut tasks = Vec::new();
    for number in 0..RUNNING {
        create(&engine, id(number % PARTITIONS), b"payload".to_vec()).await.unwrap();
        tasks.push(soon(claim(&engine)).await);
    }
    limit(&server, used(&server) + (4 << 20));

    // Creates until each of many callers is refused; meanwhile work ends in
    // the same partitions, and so in the same commits.
    let flood = (0..PARTITIONS * 8).map(|caller| {
        let engine = engine.clone();
        async move {
            for created in 0_u32.. {
                let outcome = create(&engine, id(caller % PARTITIONS), vec![7; 32 << 10]).await;
                if outcome.is_err() {
                    return (created, outcome);
                }
            }
            unreachable!("memory is limited")
        }
    });
    let ends = tasks.iter().map(|task| async {
        while !backend.is_full() {
            tokio::task::yield_now().await;
        }
        complete(&engine, task).await
    });
    let (flood, ends) = soon(async { tokio::join!(join_all(flood), join_all(ends)) }).await;

    assert!(flood.iter().any(|(created, _)| *created > 0), "nothing could be created at all");
    for (_, outcome) in &flood {
        assert!(refused_for_room(outcome), "{outcome:?}");
    }
    for (task, end) in tasks.iter().zip(ends) {
        assert_eq!(end, Ok(()), "{}", task.claimed.execution_id);
        let state = engine.read_execution_state(task.claimed.execution_id).await.unwrap();
        assert_eq!(state, Some(PublicState::Completed));
    }

    limit(&server, 0);
    // The heartbeat looks for room.
    backend.heartbeat_node(engine.identity().unwrap(), 15_000).await.unwrap();
    create(&engine, id(0), b"payload".to_vec()).await.unwrap();
    engine.shutdown().await;
}

#[tokio::test]
async fn an_end_that_waits_behind_a_create_without_room_goes_through() {
    let server = valkey();
    let backend = Arc::new(RedisBackend::open(RedisOptions::new(server.url())).await.unwrap());
    let engine = start(backend.clone(), Arc::new(SystemClock::default()), |_| {}).await;
    create(&engine, id(0), b"payload".to_vec()).await.unwrap();
    create(&engine, id(1), b"payload".to_vec()).await.unwrap();
    let tasks = [soon(claim(&engine)).await, soon(claim(&engine)).await];
    limit(&server, 100 << 10);
    // The first create is on its way to a server that does not answer, and
    // everything else gathers behind it into the next commit.
    server.pause().unwrap();
    let first = tokio::spawn({
        let engine = engine.clone();
        async move { create(&engine, id(0), b"payload".to_vec()).await }
    });
    let rest = async {
        let ends = join_all(tasks.iter().map(|task| complete(&engine, task)));
        let creates = join_all([0, 1, 2].map(|partition| create(&engine, id(partition), b"payload".to_vec())));
        tokio::join!(ends, creates)
    };
    let resume = async {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        server.resume().unwrap();
    };
    let ((ends, creates), ()) = soon(async { tokio::join!(rest, resume) }).await;
    assert!(refused_for_room(&soon(first).await.unwrap()));
    assert_eq!(ends, [Ok(()), Ok(())]);
    for outcome in &creates {
        assert!(refused_for_room(outcome), "{outcome:?}");
    }
    engine.shutdown().await;
}
