//! A signal as it is filled in.

use super::Client;
use crate::waits::Issued;
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use leasehold_contract::{DeliverSignal, EngineResult, SignalOutcome, Suspension};
use leasehold_core::command::{
    DEFAULT_MAX_SIGNALS_PER_EXECUTION, DEFAULT_SIGNAL_DEDUP_TTL_MS, DEFAULT_SIGNAL_ENCODING,
};
use leasehold_core::error::EngineError;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A signal that is not sent yet; await it.
#[must_use = "a signal does nothing until it is awaited"]
#[derive(Clone, Debug)]
pub struct Signal {
    client: Client,
    args: DeliverSignal,
    /// The first refused argument.
    refused: Option<EngineError>,
    /// Whether it, or a clone of it, was sent.
    sent: Arc<AtomicBool>,
}

impl Client {
    /// A signal to a waitpoint somebody was told of, to be filled in and
    /// awaited.
    pub fn signal(&self, to: &Issued, name: impl Into<String>) -> Signal {
        let args = DeliverSignal {
            execution_id: to.execution_id,
            waitpoint_id: to.waitpoint_id,
            signal_id: self.inner.engine.env().entropy.uuid().into(),
            signal_name: name.into(),
            signal_category: String::new(),
            source_type: "client".to_owned(),
            source_identity: self.inner.creator.to_string(),
            payload: None,
            payload_encoding: DEFAULT_SIGNAL_ENCODING.to_owned(),
            correlation_id: None,
            idempotency_key: None,
            target_scope: "waitpoint".to_owned(),
            created_at: None,
            dedup_ttl_ms: DEFAULT_SIGNAL_DEDUP_TTL_MS,
            resume_delay_ms: 0,
            max_signals_per_execution: DEFAULT_MAX_SIGNALS_PER_EXECUTION,
            waitpoint_token: to.token.clone(),
        };
        Signal { client: self.clone(), args, refused: None, sent: Arc::default() }
    }
}

impl Signal {
    /// Who sends it: the kind of sender, and the sender.
    pub fn from(mut self, source_type: impl Into<String>, source_identity: impl Into<String>) -> Self {
        self.args.source_type = source_type.into();
        self.args.source_identity = source_identity.into();
        self
    }

    /// What kind of signal it is.
    pub fn category(mut self, category: impl Into<String>) -> Self {
        self.args.signal_category = category.into();
        self
    }

    /// What it carries, at most 64 KiB.
    pub fn payload(mut self, payload: impl Into<Bytes>) -> Self {
        self.args.payload = Some(payload.into());
        self
    }

    /// What it carries, as JSON.
    pub fn json(self, payload: &impl Serialize) -> Self {
        match serde_json::to_vec(payload) {
            Ok(json) => self.payload(json),
            Err(error) => {
                let refused = self.refused.or_else(|| Some(EngineError::invalid_input(format!("payload: {error}"))));
                Self { refused, ..self }
            }
        }
    }

    /// The sender's own reference.
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.args.correlation_id = Some(id.into());
        self
    }

    /// Makes a repeat a duplicate.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.args.idempotency_key = Some(key.into());
        self
    }

    /// Lets the execution rest for a while, if this signal resumes it.
    pub fn resume_delay(mut self, delay: Duration) -> Self {
        self.args.resume_delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Sends it.
    ///
    /// # Errors
    ///
    /// `invalid_token`, `target_not_signalable`, `waitpoint_closed`,
    /// `signal_limit_exceeded`, `payload_too_large`, and the retryable errors
    /// of the machinery.
    pub async fn send(self) -> EngineResult<SignalOutcome> {
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        // What a clone has sent may be stored under the same id.
        if self.sent.swap(true, Ordering::Relaxed) {
            return self.client.inner.engine.deliver_signal(self.args).await;
        }
        self.client.inner.engine.deliver_new_signal(self.args).await
    }
}

impl IntoFuture for Signal {
    type Output = EngineResult<SignalOutcome>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.send().boxed()
    }
}
