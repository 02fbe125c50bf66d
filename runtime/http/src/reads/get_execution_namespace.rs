//! `GET /v1/executions/{execution_id}/namespace`.

use crate::api::Api;
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_core::error::EngineError;
use leasehold_core::ids::Namespace;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    namespace: Namespace,
}

pub(crate) async fn handle(State(api): State<Api>, Target(execution_id): Target) -> Result<Json<Answer>, Refusal> {
    let namespace = api.engine.get_execution_namespace(execution_id).await?;
    Ok(Json(Answer { namespace: namespace.ok_or_else(EngineError::execution_not_found)? }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn an_execution_has_one_and_an_unknown_one_has_none() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let answer = api.send(Method::GET, &format!("/v1/executions/{id}/namespace"), None).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({"namespace": "tenant"})));
        let answer = api.send(Method::GET, &format!("/v1/executions/{}/namespace", Harness::UNKNOWN), None).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "execution_not_found"));
    }
}
