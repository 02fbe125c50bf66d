//! `GET /v1/executions/{execution_id}/snapshot`: an execution with its current
//! attempt, its lease as its owner promises it, and its tags.

use crate::api::Api;
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::ExecutionSnapshot;
use leasehold_core::error::EngineError;

pub(crate) async fn handle(
    State(api): State<Api>,
    Target(execution_id): Target,
) -> Result<Json<ExecutionSnapshot>, Refusal> {
    let snapshot = api.engine.describe_execution(execution_id).await?;
    Ok(Json(snapshot.ok_or_else(EngineError::execution_not_found)?))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_running_execution_shows_its_attempt_and_its_lease() {
        let api = Harness::new().await;
        let id = api.create_with("mail", json!({"tags": {"team.owner": "mail"}})).await;
        let lease = api.lease(&id).await;
        let answer = api.send(Method::GET, &format!("/v1/executions/{id}/snapshot"), None).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body["public_state"], "active");
        assert_eq!(answer.body["tags"], json!({"team.owner": "mail"}));
        assert_eq!(answer.body["total_attempt_count"], 1);
        assert_eq!(answer.body["current_attempt"]["attempt_id"], lease["attempt_id"]);
        assert_eq!(answer.body["current_lease"]["lease_id"], lease["lease_id"]);
        assert_eq!(answer.body["current_lease"]["expires_at"], lease["lease_expires_at"]);
    }

    #[tokio::test]
    async fn an_unknown_execution_is_not_found() {
        let api = Harness::new().await;
        let answer = api.send(Method::GET, &format!("/v1/executions/{}/snapshot", Harness::UNKNOWN), None).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "execution_not_found"));
    }
}
