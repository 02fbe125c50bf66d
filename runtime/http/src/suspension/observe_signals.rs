//! `POST /v1/executions/{execution_id}/observe-signals`: what resumed the
//! attempt, for the worker that goes on with it.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::bytes::Base64;
use crate::error::Refusal;
use crate::lease::Fence;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::ResumeSignal;
use leasehold_core::ids::SignalId;
use leasehold_core::time::TimestampMs;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    handle: Option<Base64>,
    #[serde(default)]
    fence: Option<Fence>,
}

impl Requested for Request {}

/// A signal with what it carries.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Signal {
    signal_id: SignalId,
    signal_name: String,
    signal_category: String,
    source_type: String,
    source_identity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    accepted_at: TimestampMs,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Base64>,
}

impl From<ResumeSignal> for Signal {
    fn from(signal: ResumeSignal) -> Self {
        Self {
            signal_id: signal.signal_id,
            signal_name: signal.signal_name,
            signal_category: signal.signal_category,
            source_type: signal.source_type,
            source_identity: signal.source_identity,
            correlation_id: signal.correlation_id,
            accepted_at: signal.accepted_at,
            payload: signal.payload.map(Into::into),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    signals: Vec<Signal>,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let proof = api.proof(execution_id, request.handle, request.fence.as_ref())?;
    let handle = api.handle_of_attempt(execution_id, proof).await?;
    let signals = api.engine.observe_signals(&handle).await?;
    Ok(Json(Answer { signals: signals.into_iter().map(Into::into).collect() }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, base64, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn the_signals_that_resumed_an_attempt_are_shown_with_what_they_carry() {
        let api = Harness::new().await;
        let waiting = api.suspended("mail").await;
        let body = json!({"handle": waiting.handle});
        assert_eq!(api.post(&waiting.id, "observe-signals", body.clone()).await.body, json!({"signals": []}));
        let large = vec![7; 4000];
        let mut signal = waiting.signal("approved");
        signal["payload"] = json!(base64(&large));
        signal["source_identity"] = json!("ann");
        assert_eq!(api.post(&waiting.id, "signal", signal).await.status, StatusCode::OK);
        let answer = api.post(&waiting.id, "observe-signals", body).await;
        let signals = answer.body["signals"].as_array().unwrap();
        assert_eq!(signals.len(), 1, "{}", answer.body);
        assert_eq!((&signals[0]["signal_name"], &signals[0]["source_identity"]), (&json!("approved"), &json!("ann")));
        assert_eq!(signals[0]["payload"], base64(&large));
    }

    #[tokio::test]
    async fn without_a_proof_nothing_is_shown() {
        let api = Harness::new().await;
        let waiting = api.suspended("mail").await;
        let answer = api.post(&waiting.id, "observe-signals", json!({})).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.error().starts_with("fence_required: "), "{}", answer.body);
    }
}
