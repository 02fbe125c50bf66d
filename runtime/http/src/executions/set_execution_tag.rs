//! `PUT /v1/executions/{execution_id}/tags/{key}`: set one label.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::path::{Segments, Target};
use axum::Json;
use axum::extract::State;
use leasehold_contract::SetExecutionTag;
use leasehold_core::ids::ExecutionId;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    value: String,
}

impl Requested for Request {}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    TagSet { execution_id: ExecutionId },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Segments((_, key)): Segments<(String, String)>,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let tag = SetExecutionTag { execution_id, key, value: request.value };
    let set = api.engine.set_execution_tag(tag).await?;
    Ok(Json(Answer::TagSet { execution_id: set.execution_id }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_tag_is_set_and_set_again() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let path = format!("/v1/executions/{id}/tags/team.owner");
        for value in ["mail", "post", ""] {
            let answer = api.send(Method::PUT, &path, Some(json!({"value": value}))).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
            assert_eq!(answer.body, json!({"TagSet": {"execution_id": id}}));
            let answer = api.send(Method::GET, &path, None).await;
            assert_eq!(answer.body, json!({"key": "team.owner", "value": value}));
        }
    }

    #[tokio::test]
    async fn a_bad_tag_changes_nothing() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let long = "x".repeat(1025);
        for (key, value, error) in [
            ("NoNamespace", "x", "invalid_tag_key: NoNamespace"),
            ("team.", "x", "invalid_tag_key: team."),
            ("team.owner", long.as_str(), "invalid_input: "),
            ("team.owner", "a\0b", "invalid_input: "),
        ] {
            let path = format!("/v1/executions/{id}/tags/{key}");
            let answer = api.send(Method::PUT, &path, Some(json!({"value": value}))).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{key}");
            assert!(answer.error().starts_with(error), "{}", answer.body);
        }
        assert_eq!(api.snapshot(&id).await["tags"], json!({}));
    }

    #[tokio::test]
    async fn an_unknown_execution_takes_no_tag() {
        let api = Harness::new().await;
        let path = format!("/v1/executions/{}/tags/team.owner", Harness::UNKNOWN);
        let answer = api.send(Method::PUT, &path, Some(json!({"value": "x"}))).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "execution_not_found"));
    }
}
