//! A router over a real engine on the memory store, for tests.
//!
//! Time stands still until it is advanced, and no timer fires by itself: each
//! step is driven by a request.

use crate::options::HttpOptions;
use crate::router::router;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use bytes::Bytes;
use http_body_util::BodyExt;
use leasehold_actors::{EngineHandle, EngineOptions, Env};
use leasehold_backend::{Clock, ManualClock, SeededEntropy};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::time::TimestampMs;
use leasehold_memory::{CallFault, FaultPlan, MemoryBackend, MemoryStore};
use serde_json::Value;
pub(crate) use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

/// Partitions of the engine under test.
pub(crate) const PARTITIONS: u16 = 4;

/// Bytes as requests carry them.
pub(crate) fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// What a request was answered with. The body is null where it is no JSON.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
    pub bytes: Bytes,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }

    async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Self { status: parts.status, headers: parts.headers, body, bytes }
    }
}

/// A suspended execution, and what a sender to its waitpoint is told.
pub(crate) struct Waiting {
    pub id: String,
    pub waitpoint_id: String,
    pub handle: Value,
    token: Value,
}

impl Waiting {
    /// A signal that its waitpoint takes.
    pub fn signal(&self, name: &str) -> Value {
        json!({"waitpoint_id": self.waitpoint_id, "waitpoint_token": self.token, "signal_name": name})
    }
}

/// A router over an engine of its own, and the clock of both.
pub(crate) struct Harness {
    pub router: Router,
    clock: Arc<ManualClock>,
    faults: FaultPlan,
}

impl Harness {
    /// Names no execution.
    pub const UNKNOWN: &str = "{fp:0}:00000000-0000-0000-0000-000000000001";

    /// How long the leases of [`Harness::lease`] last.
    pub const LEASE_TTL_MS: i64 = 1000;

    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut HttpOptions)) -> Self {
        let clock = Arc::new(ManualClock::new(TimestampMs(1_700_000_000_000)));
        let faults = FaultPlan::new();
        let backend = MemoryBackend::with_faults(MemoryStore::new(), clock.clone(), faults.clone());
        let partitions = PartitionConfig { num_flow_partitions: PARTITIONS, ..PartitionConfig::default() };
        let options = EngineOptions {
            partitions,
            automatic: false,
            // The clock is moved in leaps, which must not cost the node its lease.
            node_lease: Duration::from_hours(24),
            heartbeat_every: Duration::from_hours(1),
            ..EngineOptions::default()
        };
        let entropy = Arc::new(SeededEntropy::new(7));
        let env = Env::new(Arc::new(backend), clock.clone(), entropy.clone(), options);
        let engine = EngineHandle::start(env).await.unwrap();
        let mut options = HttpOptions::new(partitions, entropy);
        change(&mut options);
        let router = router(Arc::new(engine), options);
        Self { router, clock, faults }
    }

    /// Store time, in ms.
    pub fn now(&self) -> i64 {
        self.clock.now().0
    }

    pub fn advance(&self, ms: i64) {
        self.clock.advance(ms.unsigned_abs());
    }

    /// Lets the next read fail.
    pub fn break_store(&self) {
        self.faults.next_read(CallFault::Busy);
    }

    pub async fn raw(&self, request: Request<Body>) -> Answer {
        Answer::read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.send_with(method, path, &[], body).await
    }

    pub async fn send_with(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.raw(request.body(body).unwrap()).await
    }

    /// Posts to an action of an execution.
    pub async fn post(&self, id: &str, action: &str, body: Value) -> Answer {
        self.send(Method::POST, &format!("/v1/executions/{id}/{action}"), Some(body)).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.send(Method::GET, path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.body
    }

    /// Creates an execution in a lane, with or in spite of `more`.
    pub async fn try_create(&self, lane: &str, more: Value) -> Answer {
        let mut body = json!({"namespace": "tenant", "lane_id": lane, "execution_kind": "send"});
        for (field, value) in more.as_object().unwrap() {
            body[field] = value.clone();
        }
        self.send(Method::POST, "/v1/executions", Some(body)).await
    }

    pub async fn create_with(&self, lane: &str, more: Value) -> String {
        let answer = self.try_create(lane, more).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.body["Created"]["execution_id"].as_str().unwrap().to_owned()
    }

    pub async fn create(&self, lane: &str) -> String {
        self.create_with(lane, json!({})).await
    }

    /// An operator's lease on an execution.
    pub async fn lease(&self, id: &str) -> Value {
        let lane = self.info(id).await["lane_id"].clone();
        let body = json!({"lane_id": lane, "lease_duration_ms": Self::LEASE_TTL_MS});
        let answer = self.post(id, "operator-claim", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body["Claimed"].clone()
    }

    pub async fn complete(&self, id: &str) {
        let lease = self.lease(id).await;
        let answer = self.post(id, "complete", json!({"handle": lease["handle"]})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }

    /// An execution that has ended well.
    pub async fn completed(&self, lane: &str) -> String {
        let id = self.create(lane).await;
        self.complete(&id).await;
        id
    }

    /// An execution whose attempt gave its lease back and may go on.
    pub async fn interrupted(&self, lane: &str) -> String {
        let id = self.create(lane).await;
        let lease = self.lease(&id).await;
        let answer = self.post(&id, "wait-children", json!({"handle": lease["handle"]})).await;
        assert_eq!(answer.body["Delayed"]["public_state"], "resumable", "{}", answer.body);
        id
    }

    /// Installs the key that mints tokens.
    pub async fn seed(&self) {
        let body = json!({"kid": "k1", "secret_hex": "5e".repeat(32)});
        let answer = self.send(Method::POST, "/v1/admin/seed-waitpoint-secret", Some(body)).await;
        assert!(matches!(answer.status, StatusCode::CREATED | StatusCode::OK), "{}", answer.body);
    }

    /// An execution that waits for any signal.
    pub async fn suspended(&self, lane: &str) -> Waiting {
        self.suspended_with(lane, json!({})).await
    }

    /// The same, created with `more`.
    pub async fn suspended_with(&self, lane: &str, more: Value) -> Waiting {
        self.suspended_as(lane, more, json!({})).await
    }

    /// The same, suspended with `how`.
    pub async fn suspended_as(&self, lane: &str, more: Value, how: Value) -> Waiting {
        let id = self.create_with(lane, more).await;
        let lease = self.lease(&id).await;
        let mut body = json!({
            "handle": lease["handle"],
            "waitpoints": [{"fresh": {"waitpoint_key": "approval"}}],
            "resume_condition": {"single": {"waitpoint_key": "approval", "matcher": "wildcard"}},
        });
        for (field, value) in how.as_object().unwrap() {
            body[field] = value.clone();
        }
        let answer = self.post(&id, "suspend", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let told = &answer.body["Suspended"];
        Waiting {
            id,
            waitpoint_id: told["waitpoint_id"].as_str().unwrap().to_owned(),
            handle: lease["handle"].clone(),
            token: told["waitpoint_token"].clone(),
        }
    }

    /// Where an execution takes signals.
    pub async fn pending_waitpoints(&self, id: &str) -> Value {
        self.get(&format!("/v1/executions/{id}/pending-waitpoints")).await["waitpoints"].clone()
    }

    /// A flow without members.
    pub async fn flow(&self) -> String {
        let body = json!({"flow_kind": "deploy", "namespace": "tenant"});
        let answer = self.send(Method::POST, "/v1/flows", Some(body)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.body["Created"]["flow_id"].as_str().unwrap().to_owned()
    }

    /// A new member of a flow.
    pub async fn member(&self, flow: &str) -> String {
        let id = self.create_with("mail", json!({"partition_id": self.home(flow)})).await;
        let answer = self.post_flow(flow, "members", json!({"execution_id": id})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        id
    }

    /// The partition of a flow.
    pub fn home(&self, flow: &str) -> u16 {
        let flow: leasehold_core::ids::FlowId = flow.parse().unwrap();
        leasehold_core::partition::crc16(flow.as_uuid().as_bytes()) % PARTITIONS
    }

    /// Posts to an action of a flow.
    pub async fn post_flow(&self, flow: &str, action: &str, body: Value) -> Answer {
        self.send(Method::POST, &format!("/v1/flows/{flow}/{action}"), Some(body)).await
    }

    pub async fn describe_flow(&self, flow: &str) -> Value {
        self.get(&format!("/v1/flows/{flow}")).await
    }

    /// Stages a dependency and makes the downstream wait for it.
    pub async fn depend(&self, flow: &str, upstream: &str, downstream: &str) -> String {
        let revision = self.describe_flow(flow).await["graph_revision"].clone();
        let mut edge = json!({
            "upstream_execution_id": upstream, "downstream_execution_id": downstream,
            "expected_graph_revision": revision,
        });
        let answer = self.post_flow(flow, "edges", edge.clone()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        let id = answer.body["Staged"]["edge_id"].as_str().unwrap().to_owned();
        edge["edge_id"] = json!(id);
        edge["graph_revision"] = answer.body["Staged"]["new_graph_revision"].clone();
        let answer = self.post_flow(flow, "edges/apply", edge).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        id
    }

    /// An execution whose lease was taken away.
    pub async fn lost(&self, lane: &str, more: Value) -> String {
        let id = self.create_with(lane, more).await;
        self.lease(&id).await;
        let answer = self.post(&id, "revoke-lease", json!({})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        id
    }

    /// What `worker-1` asks a grant for.
    pub fn grant_body(lane: &str) -> Value {
        json!({
            "lane_id": lane, "worker_id": "worker", "worker_instance_id": "worker-1",
            "worker_capabilities": [], "grant_ttl_ms": 5000,
        })
    }

    /// What `worker-1` uses a grant with.
    pub fn claim_body(lane: &str) -> Value {
        json!({
            "lane_id": lane, "worker_id": "worker", "worker_instance_id": "worker-1",
            "lease_ttl_ms": Self::LEASE_TTL_MS,
        })
    }

    pub async fn info(&self, id: &str) -> Value {
        self.get(&format!("/v1/executions/{id}")).await
    }

    pub async fn snapshot(&self, id: &str) -> Value {
        self.get(&format!("/v1/executions/{id}/snapshot")).await
    }

    pub async fn fields(&self, id: &str, names: &str) -> Value {
        self.get(&format!("/v1/executions/{id}/fields?names={names}")).await
    }

    pub async fn attempts(&self, id: &str) -> Value {
        self.get(&format!("/v1/executions/{id}/attempts")).await["attempts"].clone()
    }

    pub async fn state(&self, id: &str) -> String {
        self.get(&format!("/v1/executions/{id}/state")).await.as_str().unwrap().to_owned()
    }

    pub async fn result(&self, id: &str) -> Bytes {
        let answer = self.send(Method::GET, &format!("/v1/executions/{id}/result"), None).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.bytes
    }

    /// Every execution there is.
    pub async fn all(&self) -> Vec<String> {
        let mut ids = Vec::new();
        for partition in 0..PARTITIONS {
            let page = self.get(&format!("/v1/executions?partition={partition}&limit=1000")).await;
            let page = page["executions"].as_array().unwrap();
            ids.extend(page.iter().map(|id| id.as_str().unwrap().to_owned()));
        }
        ids
    }
}
