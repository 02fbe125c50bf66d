//! `POST /v1/executions/{execution_id}/unblock`: make an execution that was
//! put aside eligible again. The body may be empty.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::UnblockExecution;
use leasehold_core::error::{EngineError, ValidationKind};
use leasehold_core::ids::ExecutionId;
use leasehold_core::state::{BlockingReason, PublicState};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    /// Refused when it was put aside for another reason.
    #[serde(default)]
    expected_reason: Option<String>,
}

impl Requested for Request {
    fn when_empty() -> Option<Self> {
        Some(Self::default())
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Unblocked { execution_id: ExecutionId, public_state: PublicState },
}

fn reason(text: &str) -> Result<BlockingReason, EngineError> {
    BlockingReason::parse(text).ok_or_else(|| {
        let shown: String = text.chars().take(64).collect();
        EngineError::validation(ValidationKind::InvalidBlockingReason, shown)
    })
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let expected_reason = request.expected_reason.as_deref().map(reason).transpose()?;
    let unblocked = api.engine.unblock_execution(UnblockExecution { execution_id, expected_reason }).await?;
    Ok(Json(Answer::Unblocked { execution_id: unblocked.execution_id, public_state: unblocked.public_state }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn an_execution_that_was_put_aside_comes_back() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let answer = api.post(&id, "unblock", json!({})).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "execution_not_eligible"));
        api.post(&id, "block", json!({"reason": "paused_by_operator"})).await;
        let answer = api.post(&id, "unblock", json!({"expected_reason": "waiting_for_budget"})).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "execution_not_eligible"));
        let answer = api.post(&id, "unblock", json!({"expected_reason": "lunch"})).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::BAD_REQUEST, "invalid_blocking_reason: lunch"));
        let answer = api.post(&id, "unblock", json!({"expected_reason": "paused_by_operator"})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body, json!({"Unblocked": {"execution_id": id, "public_state": "waiting"}}));
    }
}
