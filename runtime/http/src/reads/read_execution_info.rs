//! `GET /v1/executions/{execution_id}`: all dimensions of an execution.

use crate::api::Api;
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::ExecutionInfo;
use leasehold_core::error::EngineError;

pub(crate) async fn handle(
    State(api): State<Api>,
    Target(execution_id): Target,
) -> Result<Json<ExecutionInfo>, Refusal> {
    let info = api.engine.read_execution_info(execution_id).await?;
    Ok(Json(info.ok_or_else(EngineError::execution_not_found)?))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_new_execution_shows_what_it_is() {
        let api = Harness::new().await;
        let id = api.create_with("mail", json!({"priority": 5})).await;
        let answer = api.send(Method::GET, &format!("/v1/executions/{id}"), None).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(
            answer.body,
            json!({
                "execution_id": id,
                "namespace": "tenant",
                "lane_id": "mail",
                "priority": 5,
                "execution_kind": "send",
                "state_vector": {
                    "lifecycle_phase": "runnable",
                    "ownership_state": "unowned",
                    "eligibility_state": "eligible_now",
                    "blocking_reason": "waiting_for_worker",
                    "terminal_outcome": "none",
                    "attempt_state": "pending_first_attempt",
                },
                "public_state": "waiting",
                "created_at": api.now().to_string(),
                "current_attempt_index": 0,
                "flow_id": null,
                "blocking_detail": "",
            })
        );
    }

    #[tokio::test]
    async fn an_unknown_execution_is_not_found() {
        let api = Harness::new().await;
        let answer = api.send(Method::GET, &format!("/v1/executions/{}", Harness::UNKNOWN), None).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(
            answer.body,
            json!({
                "error": "execution_not_found",
                "code": "execution_not_found",
                "message": "execution_not_found: no such execution",
            })
        );
    }
}
