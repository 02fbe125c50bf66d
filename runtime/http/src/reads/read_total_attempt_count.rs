//! `GET /v1/executions/{execution_id}/total-attempt-count`: attempts ever,
//! which is the index of the next one.

use crate::api::Api;
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use serde::Serialize;

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Answer {
    total_attempt_count: u32,
}

pub(crate) async fn handle(State(api): State<Api>, Target(execution_id): Target) -> Result<Json<Answer>, Refusal> {
    let total_attempt_count = api.engine.read_total_attempt_count(execution_id).await?;
    Ok(Json(Answer { total_attempt_count }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn it_counts_claims_of_new_attempts() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let path = format!("/v1/executions/{id}/total-attempt-count");
        assert_eq!(api.send(Method::GET, &path, None).await.body, json!({"total_attempt_count": 0}));
        api.lease(&id).await;
        assert_eq!(api.send(Method::GET, &path, None).await.body, json!({"total_attempt_count": 1}));
    }

    #[tokio::test]
    async fn an_unknown_execution_is_not_found() {
        let api = Harness::new().await;
        let path = format!("/v1/executions/{}/total-attempt-count", Harness::UNKNOWN);
        let answer = api.send(Method::GET, &path, None).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "execution_not_found"));
    }
}
