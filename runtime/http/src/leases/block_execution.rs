//! `POST /v1/executions/{execution_id}/block`: put an eligible execution aside
//! for a reason of admission; without a reason because no worker fits. The
//! body may be empty.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::{AdmissionBlock, BlockExecution, BlockOutcome};
use leasehold_core::ids::ExecutionId;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    detail: Option<String>,
}

impl Requested for Request {
    fn when_empty() -> Option<Self> {
        Some(Self::default())
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Blocked { execution_id: ExecutionId, reason: &'static str },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let outcome = match request.reason {
        None => api.engine.block_route(execution_id, request.detail).await?,
        Some(reason) => {
            let reason = AdmissionBlock::parse(&reason)?;
            let block = BlockExecution { execution_id, reason, detail: request.detail };
            api.engine.block_execution_for_admission(block).await?
        }
    };
    let BlockOutcome::Blocked { execution_id, reason } = outcome;
    Ok(Json(Answer::Blocked { execution_id, reason: reason.as_str() }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn an_eligible_execution_is_put_aside_for_each_reason() {
        let api = Harness::new().await;
        for (reason, state) in [
            ("waiting_for_budget", "rate_limited"),
            ("waiting_for_quota", "rate_limited"),
            ("waiting_for_capable_worker", "waiting"),
            ("paused_by_operator", "waiting"),
            ("paused_by_policy", "waiting"),
        ] {
            let id = api.create("mail").await;
            let answer = api.post(&id, "block", json!({"reason": reason, "detail": "because"})).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
            assert_eq!(answer.body, json!({"Blocked": {"execution_id": id, "reason": reason}}));
            let info = api.info(&id).await;
            assert_eq!(info["state_vector"]["blocking_reason"], reason);
            assert_eq!(info["blocking_detail"], "because");
            assert_eq!(info["public_state"], state);
        }
    }

    #[tokio::test]
    async fn without_a_reason_no_worker_fits() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let answer = api.send(Method::POST, &format!("/v1/executions/{id}/block"), None).await;
        let blocked = json!({"execution_id": id, "reason": "waiting_for_capable_worker"});
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({"Blocked": blocked})));
    }

    #[tokio::test]
    async fn what_cannot_be_put_aside_stays() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let answer = api.post(&id, "block", json!({"reason": "waiting_for_godot"})).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.error(), "invalid_blocking_reason: waiting_for_godot");
        assert_eq!(api.info(&id).await["state_vector"]["eligibility_state"], "eligible_now");
        api.lease(&id).await;
        let answer = api.post(&id, "block", json!({})).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "execution_not_eligible"));
    }
}
