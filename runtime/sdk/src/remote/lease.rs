//! The lease of a task that a remote worker runs.

use super::http::{Connection, RemoteError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use leasehold_actors::fleet::Pausing;
use leasehold_backend::{Clock, Entropy};
use leasehold_contract::Task;
use leasehold_core::ids::ExecutionId;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The pause before a word is said again.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads bytes out of an answer.
pub(super) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    STANDARD.decode(String::deserialize(deserializer)?).map(Bytes::from).map_err(D::Error::custom)
}

/// An execution's identifier as a segment of a path.
fn segment(id: ExecutionId) -> String {
    id.to_string().replace('{', "%7B").replace('}', "%7D").replace(':', "%3A")
}

/// A lease while its handler runs.
pub(crate) struct RemoteLease {
    connection: Arc<Connection>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) task: Task,
    handle: String,
    /// Cancelled when the lease is lost or given back, or the worker stops.
    pub(crate) token: CancellationToken,
    pub(super) pausing: Pausing,
    lost: AtomicBool,
    /// Until when it is sure to be held, on the monotonic clock.
    held_until: Mutex<Duration>,
}

impl RemoteLease {
    pub(super) fn new(
        connection: Arc<Connection>,
        (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>),
        task: Task,
        handle: String,
        stop: &CancellationToken,
    ) -> Self {
        let held_until = Mutex::new(clock.monotonic() + Duration::from_millis(task.claimed.lease_ttl_ms));
        let (token, pausing, lost) = (stop.child_token(), Pausing::default(), AtomicBool::new(false));
        Self { connection, clock, entropy, task, handle, token, pausing, lost, held_until }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::Release);
        self.token.cancel();
    }

    fn is_over(&self) -> bool {
        self.is_lost() || self.clock.monotonic() >= *self.held_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/executions/{}{rest}", segment(self.task.claimed.execution_id))
    }

    /// Asks for something.
    pub(super) async fn get(&self, rest: &str) -> Result<Value, RemoteError> {
        self.repeated(|| async { self.connection.get(&self.path(rest)).await }).await
    }

    /// The server's time.
    pub(super) async fn time(&self) -> Result<Value, RemoteError> {
        self.repeated(|| async { self.connection.get("/v1/time").await }).await
    }

    /// Says something under the lease, again while the server cannot answer
    /// and the lease is held; once more after that, since an earlier try may
    /// be what ended it.
    pub(super) async fn say(&self, rest: &str, mut body: Value) -> Result<Value, RemoteError> {
        body["handle"] = json!(self.handle);
        self.repeated(|| async { self.connection.post(&self.path(rest), &body).await }).await
    }

    /// Says something that needs no lease.
    pub(super) async fn say_freely(&self, rest: &str, body: &Value) -> Result<Value, RemoteError> {
        self.repeated(|| async { self.connection.post(&self.path(rest), body).await }).await
    }

    async fn repeated<F: Future<Output = Result<Value, RemoteError>>>(
        &self,
        call: impl Fn() -> F,
    ) -> Result<Value, RemoteError> {
        loop {
            let last = self.is_over();
            match call().await {
                Err(error) if error.is_retryable() && !last => self.clock.sleep(PAUSE).await,
                Err(error) => {
                    if error.means_lost() {
                        self.lose();
                    }
                    return Err(error);
                }
                Ok(answer) => return Ok(answer),
            }
        }
    }

    /// Renews it every third of its time, until it is lost.
    pub(super) async fn keep(&self) {
        let ttl = Duration::from_millis(self.task.claimed.lease_ttl_ms);
        while !self.is_lost() {
            self.clock.sleep(ttl / 3).await;
            let sent = self.clock.monotonic();
            let renewed = self.connection.post(&self.path("/renew"), &json!({"handle": self.handle})).await;
            match renewed {
                Ok(_) => *self.held_until.lock().unwrap_or_else(PoisonError::into_inner) = sent + ttl,
                Err(error) if error.means_lost() || self.is_over() => self.lose(),
                Err(error) => tracing::warn!(execution = %self.task.claimed.execution_id, %error, "not renewed"),
            }
        }
    }
}
