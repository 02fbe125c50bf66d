//! `GET /v1/executions/{execution_id}/state`: the public state, as a string.

use crate::api::Api;
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_core::error::EngineError;
use leasehold_core::state::PublicState;

pub(crate) async fn handle(State(api): State<Api>, Target(execution_id): Target) -> Result<Json<PublicState>, Refusal> {
    let state = api.engine.read_execution_state(execution_id).await?;
    Ok(Json(state.ok_or_else(EngineError::execution_not_found)?))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn the_state_is_a_string() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let answer = api.send(Method::GET, &format!("/v1/executions/{id}/state"), None).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!("waiting")));
    }

    #[tokio::test]
    async fn an_unknown_execution_has_none() {
        let api = Harness::new().await;
        let answer = api.send(Method::GET, &format!("/v1/executions/{}/state", Harness::UNKNOWN), None).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "execution_not_found"));
    }
}
