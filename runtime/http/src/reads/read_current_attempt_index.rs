//! `GET /v1/executions/{execution_id}/current-attempt-index`: the index of the
//! live or last attempt; 0 before the first claim.

use crate::api::Api;
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_core::ids::AttemptIndex;
use serde::Serialize;

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Answer {
    current_attempt_index: AttemptIndex,
}

pub(crate) async fn handle(State(api): State<Api>, Target(execution_id): Target) -> Result<Json<Answer>, Refusal> {
    let current_attempt_index = api.engine.read_current_attempt_index(execution_id).await?;
    Ok(Json(Answer { current_attempt_index }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn it_is_zero_before_and_after_the_first_claim() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let path = format!("/v1/executions/{id}/current-attempt-index");
        assert_eq!(api.send(Method::GET, &path, None).await.body, json!({"current_attempt_index": 0}));
        api.lease(&id).await;
        assert_eq!(api.send(Method::GET, &path, None).await.body, json!({"current_attempt_index": 0}));
    }

    #[tokio::test]
    async fn an_unknown_execution_is_not_found() {
        let api = Harness::new().await;
        let path = format!("/v1/executions/{}/current-attempt-index", Harness::UNKNOWN);
        let answer = api.send(Method::GET, &path, None).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "execution_not_found"));
    }
}
