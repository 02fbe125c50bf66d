//! `GET /v1/executions/{execution_id}/suspension`: the suspension that goes
//! on, or the last that ended, with what resumed it; 404 when the execution
//! never waited.

use super::observe_signals::Signal;
use crate::api::Api;
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use leasehold_contract::{ClosedView, KeyedSignal, SuspensionView};
use leasehold_core::ids::{AttemptIndex, SuspensionId};
use leasehold_core::record::{CloseReason, Requester, ResumeTrigger, TimeoutBehavior};
use leasehold_core::time::TimestampMs;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
struct Closed {
    at: TimestampMs,
    reason: CloseReason,
    #[serde(skip_serializing_if = "Option::is_none")]
    resume_trigger: Option<ResumeTrigger>,
}

impl From<ClosedView> for Closed {
    fn from(closed: ClosedView) -> Self {
        Self { at: closed.at, reason: closed.reason, resume_trigger: closed.resume_trigger }
    }
}

#[derive(Clone, Debug, Serialize)]
struct Keyed {
    waitpoint_key: String,
    #[serde(flatten)]
    signal: Signal,
}

impl From<KeyedSignal> for Keyed {
    fn from(keyed: KeyedSignal) -> Self {
        Self { waitpoint_key: keyed.waitpoint_key, signal: keyed.signal.into() }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    suspension_id: SuspensionId,
    attempt_index: AttemptIndex,
    reason_code: String,
    requested_by: Requester,
    created_at: TimestampMs,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_at: Option<TimestampMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_behavior: Option<TimeoutBehavior>,
    #[serde(skip_serializing_if = "Option::is_none")]
    continuation_metadata_pointer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    satisfied_at: Option<TimestampMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<Closed>,
    signals: Vec<Keyed>,
}

impl From<SuspensionView> for Answer {
    fn from(view: SuspensionView) -> Self {
        Self {
            suspension_id: view.suspension_id,
            attempt_index: view.attempt_index,
            reason_code: view.reason.as_str().to_owned(),
            requested_by: view.requested_by,
            created_at: view.created_at,
            timeout_at: view.timeout.map(|timeout| timeout.at),
            timeout_behavior: view.timeout.map(|timeout| timeout.behavior),
            continuation_metadata_pointer: view.continuation_metadata_pointer,
            satisfied_at: view.satisfied_at,
            closed: view.closed.map(Into::into),
            signals: view.signals.into_iter().map(Into::into).collect(),
        }
    }
}

pub(crate) async fn handle(State(api): State<Api>, Target(execution_id): Target) -> Result<Json<Answer>, Refusal> {
    let view = api.engine.read_suspension(execution_id).await?;
    let view = view.ok_or_else(|| Refusal::plain(StatusCode::NOT_FOUND, "suspension_not_found"))?;
    Ok(Json(view.into()))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_suspension_is_shown_with_what_resumed_it_and_without_its_tokens() {
        let api = Harness::new().await;
        let never = api.create("mail").await;
        let answer = api.send(Method::GET, &format!("/v1/executions/{never}/suspension"), None).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "suspension_not_found"));

        let waiting = api.suspended("mail").await;
        let path = format!("/v1/executions/{}/suspension", waiting.id);
        let open = api.send(Method::GET, &path, None).await;
        assert_eq!(open.status, StatusCode::OK, "{}", open.body);
        assert_eq!((&open.body["closed"], &open.body["signals"]), (&json!(null), &json!([])));
        assert_eq!(api.post(&waiting.id, "signal", waiting.signal("approved")).await.status, StatusCode::OK);
        let closed = api.send(Method::GET, &path, None).await;
        assert_eq!(closed.body["closed"]["reason"], "resumed");
        assert_eq!(closed.body["signals"][0]["signal_name"], "approved");
        assert!(closed.body["signals"][0]["waitpoint_key"].is_string(), "{}", closed.body);
        assert!(!closed.body.to_string().contains("token"), "{}", closed.body);
    }
}
