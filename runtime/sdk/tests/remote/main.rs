//! Remote workers against a server on a real socket.

use leasehold_actors::{EngineHandle, EngineOptions, Env};
use leasehold_backend::{SystemClock, SystemEntropy};
use leasehold_contract::{Reads, Suspension};
use leasehold_core::event::{Fact, LeaseFact};
use leasehold_core::ids::ExecutionId;
use leasehold_core::partition::PartitionConfig;
use leasehold_core::state::PublicState;
use leasehold_http::{HttpOptions, router, serve};
use leasehold_memory::{MemoryBackend, MemoryStore};
use leasehold_sdk::{
    Cancel, Client, Context, Data, HandlerError, Issued, Json, Payload, Received, RemoteError, RemoteWorker, Resumed,
    Subscription, Wait, Waits,
};
use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(30);

/// An engine behind HTTP.
struct Rig {
    engine: EngineHandle,
    client: Client,
    url: String,
}

impl Rig {
    async fn start() -> Self {
        let clock = Arc::new(SystemClock::default());
        let entropy = Arc::new(SystemEntropy::default());
        let backend = MemoryBackend::new(MemoryStore::new(), clock.clone()).exclusively();
        let partitions = PartitionConfig { num_flow_partitions: 4, ..PartitionConfig::default() };
        let options = EngineOptions { partitions, ..EngineOptions::default() };
        let engine = EngineHandle::start(Env::new(Arc::new(backend), clock, entropy.clone(), options)).await.unwrap();
        let router = router(Arc::new(engine.clone()), HttpOptions::new(partitions, entropy));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, router, std::future::pending()));
        Self { client: Client::new(engine.clone()), engine, url }
    }

    fn worker(&self) -> RemoteWorker {
        RemoteWorker::new(&self.url, None).unwrap().lease_ttl(Duration::from_secs(5))
    }

    /// Waits until an execution is suspended.
    async fn suspended(&self, events: &mut Subscription, id: ExecutionId) {
        loop {
            let Received::Event(event) = events.next().await else { panic!("the events ended") };
            let of_it = event.execution_id == id;
            if of_it
                && event.facts.iter().any(|fact| matches!(fact, Fact::Lease { what: LeaseFact::Released { .. }, .. }))
            {
                return;
            }
        }
    }
}

/// Where handlers send their letters.
struct Desk(mpsc::UnboundedSender<Vec<Issued>>);

impl Desk {
    fn mail(&self, issued: Vec<Issued>) -> Ready<Result<(), HandlerError>> {
        ready(self.0.send(issued).map_err(Into::into))
    }
}

async fn release(
    Payload(version): Payload<u32>,
    desk: Data<Desk>,
    mut waits: Waits,
) -> Result<Json<(u32, String, Resumed)>, HandlerError> {
    let quorum = Wait::quorum(2, ["ann", "ben", "cleo"]).telling(|issued| desk.mail(issued));
    let by = waits.step("approval", quorum, |vote| vote.signals.iter().map(|one| one.key.clone()).collect::<String>());
    let by = by.await?;
    waits.wait("cool off", Wait::pause(Duration::from_millis(50))).await?;
    let built = waits.wait("build", Wait::callback().telling(|issued| desk.mail(issued))).await?;
    Ok(Json((version, by, built)))
}

#[tokio::test]
async fn a_handler_waits_at_several_steps_over_http() {
    let rig = Rig::start().await;
    let (desk, mut letters) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let worker = rig.worker().slots(1).data(Desk(desk)).on("release", release).run(stop.clone());
    let worker = tokio::spawn(worker);
    let id = rig.client.submit_json("release", &7).await.unwrap().execution_id;

    let votes = letters.recv().await.unwrap();
    for vote in [&votes[0], &votes[2]] {
        rig.client.signal(vote, "approved").send().await.unwrap();
    }
    let build = letters.recv().await.unwrap();
    rig.client.signal(&build[0], "built").from("service", "ci").payload(b"\xff\0".to_vec()).send().await.unwrap();
    let outcome = rig.client.wait(id, PATIENCE).await.unwrap();
    let (version, by, built) = outcome.json::<(u32, String, Resumed)>().unwrap();
    assert_eq!((version, by.as_str(), built.signals[0].name.as_str()), (7, "anncleo", "built"));
    assert_eq!(built.signals[0].payload.as_deref(), Some(&b"\xff\0"[..]));
    let attempts = rig.engine.list_attempts(id, None, 10).await.unwrap().attempts;
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    assert!(letters.try_recv().is_err(), "told once for each wait");
    stop.cancel();
    worker.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_wait_over_http_frees_the_slot_and_nothing_behind_it_happens() {
    let rig = Rig::start().await;
    let mut events = rig.client.subscribe().unwrap();
    let waits_for_ever = |mut waits: Waits| async move {
        drop(waits.wait_for_approval("step").await);
        "behind"
    };
    let stop = CancellationToken::new();
    let worker = rig.worker().slots(1).on("waits", waits_for_ever).on("quick", || async { "quick" });
    let worker = tokio::spawn(worker.run(stop.clone()));
    let id = rig.client.submit("waits", "").await.unwrap().execution_id;
    rig.suspended(&mut events, id).await;
    let quick = rig.client.submit("quick", "").await.unwrap().execution_id;
    assert!(rig.client.wait(quick, PATIENCE).await.unwrap().is_success());
    stop.cancel();
    worker.await.unwrap().unwrap();
    assert_eq!(rig.engine.read_execution_state(id).await.unwrap(), Some(PublicState::Suspended));
    let last = rig.engine.read_suspension(id).await.unwrap().unwrap();
    assert_eq!(last.continuation_metadata_pointer.as_deref(), Some(r#"{"step":"step"}"#));
}

#[tokio::test]
async fn a_signal_before_the_suspension_lets_a_remote_wait_return_in_the_same_run() {
    let rig = Rig::start().await;
    let client = rig.client.clone();
    let early = move |mut waits: Waits| {
        let client = client.clone();
        async move {
            let tell = |issued: Vec<Issued>| async move { client.signal(&issued[0], "early").send().await.map(drop) };
            let resumed = waits.wait("step", Wait::signal().telling(tell)).await?;
            Ok::<_, HandlerError>(resumed.signals[0].name.clone())
        }
    };
    tokio::spawn(rig.worker().on("early", early).run(CancellationToken::new()));
    let id = rig.client.submit("early", "").await.unwrap().execution_id;
    assert_eq!(rig.client.wait(id, PATIENCE).await.unwrap().result.as_deref(), Some(&b"early"[..]));
    let attempts = rig.engine.list_attempts(id, None, 10).await.unwrap().attempts;
    assert_eq!(attempts[0].lease_epoch.0, 1);
}

#[tokio::test]
async fn handlers_fail_remotely_under_the_same_categories() {
    let rig = Rig::start().await;
    let panics = || async { assert_eq!(1, 2) };
    let fails = || async { Err::<(), _>(HandlerError::permanent("no such account").with_category("no_account")) };
    let local = |_: Context| async {};
    let large = || async { vec![0u8; (1 << 20) + 1] };
    let spawned = |mut waits: Waits| async move {
        tokio::spawn(async move { waits.wait_for_approval("step").await.map(drop) }).await??;
        Ok::<_, HandlerError>(())
    };
    let worker = rig.worker().on("panics", panics).on("fails", fails).on("local", local).on("large", large);
    tokio::spawn(worker.on("spawned", spawned).run(CancellationToken::new()));
    for (kind, category) in [
        ("panics", "handler_panic"),
        ("fails", "no_account"),
        ("local", "extractor_not_remote"),
        ("large", "handler_result"),
        ("spawned", "wait_misused"),
        ("unknown", "runtime_no_handler"),
    ] {
        let id = rig.client.submit(kind, "").await.unwrap().execution_id;
        assert_eq!(rig.client.wait(id, PATIENCE).await.unwrap().public_state, PublicState::Failed, "{kind}");
        let attempts = rig.engine.list_attempts(id, None, 10).await.unwrap().attempts;
        assert_eq!(attempts[0].failure_category.as_deref(), Some(category), "{kind}");
    }
}

#[tokio::test]
async fn a_worker_that_stops_cancels_its_handlers_and_gives_back_what_does_not_end() {
    let rig = Rig::start().await;
    let (began, mut begins) = mpsc::unbounded_channel();
    let held = move |Cancel(token): Cancel| {
        let began = began.clone();
        async move {
            began.send(token.clone()).unwrap();
            token.cancelled().await;
            std::future::pending::<()>().await;
        }
    };
    let stop = CancellationToken::new();
    let worker = rig.worker().cancel_grace(Duration::from_millis(20)).on("held", held);
    let worker = tokio::spawn(worker.run(stop.clone()));
    let id = rig.client.submit("held", "").await.unwrap().execution_id;
    let token = begins.recv().await.unwrap();
    stop.cancel();
    worker.await.unwrap().unwrap();
    assert!(token.is_cancelled());
    tokio::spawn(rig.worker().on("held", || async { "again" }).run(CancellationToken::new()));
    assert_eq!(rig.client.wait(id, PATIENCE).await.unwrap().result.as_deref(), Some(&b"again"[..]));
    assert_eq!(rig.engine.list_attempts(id, None, 10).await.unwrap().attempts.len(), 1);
}

#[tokio::test]
async fn a_claim_that_the_server_refuses_for_good_ends_the_worker() {
    let rig = Rig::start().await;
    let error = rig.worker().lanes(Vec::<String>::new()).run(CancellationToken::new()).await.unwrap_err();
    assert!(matches!(&error, RemoteError::Refused { status: 400, .. }), "{error}");
}
