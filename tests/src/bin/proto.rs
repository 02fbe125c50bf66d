//! Prototype of the throughput bench.
use bytes::Bytes;
use leasehold_actors::dispatcher::WorkerSpec;
use leasehold_actors::{EngineHandle, EngineOptions, Env};
use leasehold_backend::{Backend, Clock, SystemClock, SystemEntropy, Entropy};
use leasehold_contract::*;
use leasehold_core::command::{CommandSource, CreateExecution, Operation};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::ids::*;
use leasehold_core::record::Holder;
use leasehold_sqlite::{SqliteBackend, SqliteOptions};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let n: usize = args.get(1).map_or(10_000, |a| a.parse().unwrap());
    let workers: u32 = args.get(2).map_or(256, |a| a.parse().unwrap());
    let dir = tempfile::tempdir_in("/work").unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::default());
    let backend = Arc::new(SqliteBackend::open(SqliteOptions::new(dir.path().join("b.db")), clock.clone()).await.unwrap());
    let options = EngineOptions::default();
    let cfg = options.partitions;
    let t = Instant::now();
    let engine = EngineHandle::start(Env::new(backend.clone(), clock.clone(), entropy.clone(), options)).await.unwrap();
    println!("start {:?}", t.elapsed());
    let payload = Bytes::from(vec![7u8; 1024]);
    let lane = LaneId::new("bench");
    let ns = Namespace::try_new("bench").unwrap();
    let mk = |entropy: &Arc<dyn Entropy>| {
        let uuid = entropy.ordered_uuid(clock.now().0);
        CreateExecution { execution_id: ExecutionId::spread(uuid, &cfg), namespace: ns.clone(), lane_id: lane.clone(), execution_kind: "k".into(), input_payload: payload.clone(), payload_encoding: None, priority: 0, creator_identity: "b".into(), idempotency_key: None, tags: Default::default(), policy_json: None, delay_until: None, execution_deadline_at: None }
    };
    let s0 = backend.stats();
    let t = Instant::now();
    let mut hs = Vec::new();
    for _ in 0..4 {
        let router = engine.router().clone();
        let batches: Vec<Vec<_>> = (0..n/4/500).map(|_| (0..500).map(|_| (mk(&entropy).into_command(), true)).collect()).collect();
        hs.push(tokio::spawn(async move { for b in batches { for r in router.submit_bulk(b).await { r.unwrap(); } } }));
    }
    for h in hs { h.await.unwrap(); }
    let total = n/4/500*500*4;
    println!("bulk submit {:.0}/s", total as f64 / t.elapsed().as_secs_f64());
    let s1 = backend.stats();
    println!("{s0:?}\n{s1:?}");
    let t = Instant::now();
    let (tx, mut rx) = mpsc::channel(4096);
    let d = engine.dispatcher().get();
    let key = d.open(WorkerSpec { lanes: vec![lane.clone()], worker_id: WorkerId::try_new("w").unwrap(), worker_instance_id: WorkerInstanceId::try_new("i").unwrap(), holder: Holder::Node(engine.identity().unwrap()), capabilities: CapabilitySet::default(), lease_ttl_ms: 30_000, request_id: None }, tx, workers);
    let (dtx, mut drx) = mpsc::channel::<()>(100_000);
    let mut done = 0;
    while done < total {
        tokio::select! {
            Some(tasks) = rx.recv() => for task in tasks {
                let (router, d, dtx) = (engine.router().clone(), d.clone(), dtx.clone());
                tokio::spawn(async move {
                    let task: Task = task;
                    let sum: u32 = task.payload.iter().map(|b| u32::from(*b)).sum();
                    assert_eq!(sum, 7 * 1024);
                    router.submit(CompleteExecution { execution_id: task.claimed.execution_id, fence: task.claimed.fence().into(), attempt_index: None, result_payload: Some(Bytes::from_static(&[1; 16])), result_encoding: None, source: CommandSource::LeaseHolder }).await.unwrap();
                    d.credit(key, 1);
                    dtx.send(()).await.unwrap();
                });
            },
            Some(()) = drx.recv() => done += 1,
        }
    }
    let el = t.elapsed().as_secs_f64();
    let s2 = backend.stats();
    println!("drain {:.0}/s", total as f64 / el);
    println!("{s2:?}");
    println!("commits/exec {:.3} stmts/exec {:.3} rows/exec {:.2}", (s2.commits - s1.commits) as f64 / total as f64, (s2.statements - s1.statements) as f64 / total as f64, (s2.rows_written - s1.rows_written) as f64 / total as f64);
    engine.shutdown().await;
}
