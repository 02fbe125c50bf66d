//! `GET /v1/executions/{execution_id}/context`: payload, kind and tags.

use crate::api::Api;
use crate::bytes::Base64;
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    input_payload: Base64,
    execution_kind: String,
    tags: BTreeMap<String, String>,
}

pub(crate) async fn handle(State(api): State<Api>, Target(execution_id): Target) -> Result<Json<Answer>, Refusal> {
    let context = api.engine.read_execution_context(execution_id).await?;
    Ok(Json(Answer {
        input_payload: context.input_payload.into(),
        execution_kind: context.execution_kind,
        tags: context.tags,
    }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, base64, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn it_is_what_the_execution_was_created_with() {
        let api = Harness::new().await;
        let more = json!({"input_payload": base64(b"\0payload\xff"), "tags": {"team.owner": "mail"}});
        let id = api.create_with("mail", more).await;
        let answer = api.send(Method::GET, &format!("/v1/executions/{id}/context"), None).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(
            answer.body,
            json!({
                "input_payload": base64(b"\0payload\xff"),
                "execution_kind": "send",
                "tags": {"team.owner": "mail"},
            })
        );
    }

    #[tokio::test]
    async fn of_an_unknown_execution_it_is_invalid_input() {
        let api = Harness::new().await;
        let answer = api.send(Method::GET, &format!("/v1/executions/{}/context", Harness::UNKNOWN), None).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.error().starts_with("invalid_input: "), "{}", answer.body);
    }
}
