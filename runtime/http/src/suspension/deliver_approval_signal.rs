//! `POST /v1/executions/{execution_id}/approval-signal`: a signal on behalf of
//! somebody whom the caller has authenticated; no token is asked for. Without
//! a lane the execution's own stands for it.

use super::deliver_signal::Answer;
use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::DeliverApprovalSignal;
use leasehold_core::command::{DEFAULT_MAX_SIGNALS_PER_EXECUTION, DEFAULT_SIGNAL_DEDUP_TTL_MS};
use leasehold_core::error::EngineError;
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    lane_id: Option<String>,
    waitpoint_id: String,
    #[serde(default)]
    signal_id: Option<String>,
    signal_name: String,
    idempotency_suffix: String,
    #[serde(default)]
    signal_dedup_ttl_ms: Option<u64>,
    #[serde(default)]
    max_signals_per_execution: Option<u64>,
}

impl Requested for Request {}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let lane_id = match &request.lane_id {
        Some(text) => ids::parse("lane_id", text)?,
        None => {
            let info = api.engine.read_execution_info(execution_id).await?;
            info.ok_or_else(EngineError::execution_not_found)?.lane_id
        }
    };
    let signal = DeliverApprovalSignal {
        execution_id,
        lane_id,
        waitpoint_id: ids::parse("waitpoint_id", &request.waitpoint_id)?,
        signal_id: api.signal_id(request.signal_id.as_deref())?,
        signal_name: request.signal_name,
        idempotency_suffix: request.idempotency_suffix,
        signal_dedup_ttl_ms: request.signal_dedup_ttl_ms.unwrap_or(DEFAULT_SIGNAL_DEDUP_TTL_MS),
        max_signals_per_execution: request.max_signals_per_execution.unwrap_or(DEFAULT_MAX_SIGNALS_PER_EXECUTION),
    };
    Ok(Json(api.engine.deliver_approval_signal(signal).await?.into()))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn an_approval_needs_no_token_and_counts_once() {
        let api = Harness::new().await;
        let waiting = api.suspended("mail").await;
        let body =
            json!({"waitpoint_id": waiting.waitpoint_id, "signal_name": "approved", "idempotency_suffix": "ann"});
        let answer = api.post(&waiting.id, "approval-signal", body.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body["Accepted"]["effect"], "resume_condition_satisfied");
        let again = api.post(&waiting.id, "approval-signal", body).await;
        assert_eq!(again.body["Duplicate"]["existing_signal_id"], answer.body["Accepted"]["signal_id"]);
        assert_eq!(api.state(&waiting.id).await, "resumable");
    }

    #[tokio::test]
    async fn another_lane_and_what_does_not_exist_are_refused() {
        let api = Harness::new().await;
        let waiting = api.suspended("mail").await;
        let mut body = json!({
            "waitpoint_id": waiting.waitpoint_id, "signal_name": "approved", "idempotency_suffix": "", "lane_id": "post",
        });
        let answer = api.post(&waiting.id, "approval-signal", body.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.error(), "invalid_input: lane_mismatch: args.lane_id=post exec_core.lane_id=mail");
        body["waitpoint_id"] = json!("00000000-0000-4000-8000-000000000001");
        let answer = api.post(&waiting.id, "approval-signal", body.clone()).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "waitpoint_not_found"));
        body["lane_id"] = json!(null);
        let answer = api.post(Harness::UNKNOWN, "approval-signal", body).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "execution_not_found"));
        assert_eq!(api.state(&waiting.id).await, "suspended");
    }
}
