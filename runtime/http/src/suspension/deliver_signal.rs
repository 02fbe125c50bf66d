//! `POST /v1/executions/{execution_id}/signal`: send a signal to a waitpoint.
//! Nothing is revealed before the token is verified. The signal's id is minted
//! where it is left out; then an idempotency key makes a repeat a duplicate.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::bytes::Base64;
use crate::error::Refusal;
use crate::ids;
use crate::options::BodyLimits;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::{DeliverSignal, SignalOutcome};
use leasehold_core::command::{
    DEFAULT_MAX_SIGNALS_PER_EXECUTION, DEFAULT_SIGNAL_DEDUP_TTL_MS, DEFAULT_SIGNAL_ENCODING,
};
use leasehold_core::ids::SignalId;
use leasehold_core::time::TimestampMs;
use leasehold_core::token::WaitpointToken;
use serde::{Deserialize, Serialize};

/// What the sender aims at, unless it says so.
const SCOPE_DEFAULT: &str = "waitpoint";

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    waitpoint_id: String,
    #[serde(default)]
    signal_id: Option<String>,
    signal_name: String,
    #[serde(default)]
    signal_category: String,
    #[serde(default)]
    source_type: String,
    #[serde(default)]
    source_identity: String,
    #[serde(default)]
    target_scope: Option<String>,
    #[serde(default)]
    waitpoint_token: Option<WaitpointToken>,
    #[serde(default)]
    payload: Option<Base64>,
    #[serde(default)]
    payload_encoding: Option<String>,
    #[serde(default)]
    correlation_id: Option<String>,
    #[serde(default)]
    idempotency_key: Option<String>,
    #[serde(default)]
    created_at: Option<TimestampMs>,
    #[serde(default)]
    dedup_ttl_ms: Option<u64>,
    #[serde(default)]
    resume_delay_ms: u64,
    #[serde(default)]
    max_signals_per_execution: Option<u64>,
}

impl Requested for Request {
    fn limit(limits: &BodyLimits) -> usize {
        limits.signal
    }
}

/// Also the answer of `approval-signal`.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Accepted { signal_id: SignalId, effect: &'static str },
    Duplicate { existing_signal_id: SignalId },
}

impl From<SignalOutcome> for Answer {
    fn from(outcome: SignalOutcome) -> Self {
        match outcome {
            SignalOutcome::Accepted { signal_id, effect } => Self::Accepted { signal_id, effect: effect.as_str() },
            SignalOutcome::Duplicate { existing_signal_id } => Self::Duplicate { existing_signal_id },
        }
    }
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let signal = DeliverSignal {
        execution_id: target.agreeing(request.execution_id.as_deref())?,
        waitpoint_id: ids::parse("waitpoint_id", &request.waitpoint_id)?,
        signal_id: api.signal_id(request.signal_id.as_deref())?,
        signal_name: request.signal_name,
        signal_category: request.signal_category,
        source_type: request.source_type,
        source_identity: request.source_identity,
        payload: request.payload.map(|payload| payload.decoded("payload")).transpose()?,
        payload_encoding: request.payload_encoding.unwrap_or_else(|| DEFAULT_SIGNAL_ENCODING.to_owned()),
        correlation_id: request.correlation_id,
        idempotency_key: request.idempotency_key,
        target_scope: request.target_scope.unwrap_or_else(|| SCOPE_DEFAULT.to_owned()),
        created_at: request.created_at,
        dedup_ttl_ms: request.dedup_ttl_ms.unwrap_or(DEFAULT_SIGNAL_DEDUP_TTL_MS),
        resume_delay_ms: request.resume_delay_ms,
        max_signals_per_execution: request.max_signals_per_execution.unwrap_or(DEFAULT_MAX_SIGNALS_PER_EXECUTION),
        waitpoint_token: request.waitpoint_token.unwrap_or_else(|| WaitpointToken::new("")),
    };
    Ok(Json(api.engine.deliver_signal(signal).await?.into()))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, base64, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn a_signal_resumes_and_a_repeat_is_a_duplicate() {
        let api = Harness::new().await;
        let waiting = api.suspended("mail").await;
        let mut signal = waiting.signal("approved");
        signal["idempotency_key"] = json!("once");
        let answer = api.post(&waiting.id, "signal", signal.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body["Accepted"]["effect"], "resume_condition_satisfied");
        assert_eq!(api.state(&waiting.id).await, "resumable");
        let again = api.post(&waiting.id, "signal", signal).await;
        let first = &answer.body["Accepted"]["signal_id"];
        assert_eq!(again.body, json!({"Duplicate": {"existing_signal_id": first}}));
    }

    #[tokio::test]
    async fn a_signal_may_hold_what_it_resumes_back() {
        let api = Harness::new().await;
        let waiting = api.suspended("mail").await;
        let mut signal = waiting.signal("approved");
        signal["resume_delay_ms"] = json!(5000);
        assert_eq!(api.post(&waiting.id, "signal", signal).await.status, StatusCode::OK);
        assert_eq!(api.state(&waiting.id).await, "delayed");
    }

    #[tokio::test]
    async fn who_was_not_told_of_the_waitpoint_learns_nothing() {
        let api = Harness::new().await;
        let waiting = api.suspended("mail").await;
        let other = api.suspended("mail").await;
        let unknown = "00000000-0000-4000-8000-000000000001";
        for (field, value, error) in [
            ("waitpoint_token", json!(""), "missing_token: "),
            ("waitpoint_token", json!("k1"), "invalid_token: "),
            ("waitpoint_token", other.signal("x")["waitpoint_token"].clone(), "invalid_token: "),
            ("waitpoint_id", json!(unknown), "invalid_token: "),
            ("waitpoint_id", json!("x"), "invalid_input: waitpoint_id"),
            ("signal_name", json!("__timeout__"), "invalid_input: reserved_signal_name: __timeout__"),
            ("payload", json!(base64(&vec![0; 65_537])), "payload_too_large: "),
        ] {
            let mut signal = waiting.signal("approved");
            signal[field] = value;
            let answer = api.post(&waiting.id, "signal", signal).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{error}: {}", answer.body);
            assert!(answer.error().starts_with(error), "{error}: {}", answer.body);
        }
        assert_eq!(api.state(&waiting.id).await, "suspended");
    }

    #[tokio::test]
    async fn its_body_has_a_limit_of_its_own() {
        let api = Harness::new().await;
        let waiting = api.suspended("mail").await;
        let mut signal = waiting.signal("approved");
        signal["payload"] = json!("A".repeat(256 << 10));
        let answer = api.post(&waiting.id, "signal", signal).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"));
        assert_eq!(answer.body["limit_bytes"], 256 << 10);
    }
}
