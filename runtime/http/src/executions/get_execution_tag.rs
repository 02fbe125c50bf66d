//! `GET /v1/executions/{execution_id}/tags/{key}`: read one label; 404 when
//! the execution or the label does not exist.

use crate::api::Api;
use crate::error::Refusal;
use crate::path::{Segments, Target};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    key: String,
    value: String,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    Target(execution_id): Target,
    Segments((_, key)): Segments<(String, String)>,
) -> Result<Json<Answer>, Refusal> {
    match api.engine.get_execution_tag(execution_id, &key).await? {
        Some(value) => Ok(Json(Answer { key, value })),
        None => Err(Refusal::plain(StatusCode::NOT_FOUND, "tag_not_found")),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_tag_given_at_creation_is_read() {
        let api = Harness::new().await;
        let id = api.create_with("mail", json!({"tags": {"team.owner": "mail"}})).await;
        let answer = api.send(Method::GET, &format!("/v1/executions/{id}/tags/team.owner"), None).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({"key": "team.owner", "value": "mail"})));
    }

    #[tokio::test]
    async fn a_tag_that_is_not_there_is_not_found() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        for id in [id.as_str(), Harness::UNKNOWN] {
            let answer = api.send(Method::GET, &format!("/v1/executions/{id}/tags/team.owner"), None).await;
            assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "tag_not_found"));
        }
    }
}
