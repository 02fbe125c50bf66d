//! `GET /v1/executions/{execution_id}/attempts?cursor&limit`: attempts of one
//! execution, by index.

use super::PAGE_DEFAULT;
use crate::api::Api;
use crate::error::Refusal;
use crate::ids;
use crate::path::Target;
use crate::query::Query;
use axum::Json;
use axum::extract::State;
use leasehold_contract::AttemptView;
use leasehold_core::ids::AttemptIndex;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    attempts: Vec<AttemptView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<AttemptIndex>,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    Target(execution_id): Target,
    Query(request): Query<Request>,
) -> Result<Json<Answer>, Refusal> {
    let cursor = ids::parse_optional::<u32>("cursor", request.cursor.as_deref())?.map(AttemptIndex);
    let limit = request.limit.unwrap_or(PAGE_DEFAULT);
    let page = api.engine.list_attempts(execution_id, cursor, limit).await?;
    Ok(Json(Answer { attempts: page.attempts, next_cursor: page.next_cursor }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn attempts_are_paged_by_index() {
        let api = Harness::new().await;
        let policy = json!({"retry_policy": {"max_retries": 3, "backoff": {"type": "fixed", "delay_ms": 10}}});
        let id = api.create_with("mail", json!({"policy": policy})).await;
        for _ in 0..2 {
            let lease = api.lease(&id).await;
            let fail = json!({"handle": lease["handle"], "failure_reason": "broken", "failure_class": "transient"});
            let answer = api.post(&id, "fail", fail).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
            api.advance(10);
            assert_eq!(api.post(&id, "promote", json!({})).await.body, json!("Promoted"));
        }
        api.lease(&id).await;

        let path = format!("/v1/executions/{id}/attempts");
        let answer = api.send(Method::GET, &format!("{path}?limit=2"), None).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body["attempts"][0]["attempt_index"], 0);
        assert_eq!(answer.body["attempts"][0]["attempt_type"], "initial");
        assert_eq!(answer.body["attempts"][0]["lifecycle"], "ended_failure");
        assert_eq!(answer.body["attempts"][0]["failure_reason"], "broken");
        assert_eq!(answer.body["attempts"][1]["attempt_type"], "retry");
        assert_eq!(answer.body["next_cursor"], 1);
        let answer = api.send(Method::GET, &format!("{path}?limit=2&cursor=1"), None).await;
        assert_eq!(answer.body["attempts"].as_array().unwrap().len(), 1);
        assert_eq!(answer.body["attempts"][0]["lifecycle"], "started");
        assert!(answer.body.get("next_cursor").is_none());
    }

    #[tokio::test]
    async fn an_unknown_execution_and_a_bad_cursor_are_refused() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let answer = api.send(Method::GET, &format!("/v1/executions/{id}/attempts"), None).await;
        assert_eq!(answer.body, json!({"attempts": []}));
        let answer = api.send(Method::GET, &format!("/v1/executions/{}/attempts", Harness::UNKNOWN), None).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "execution_not_found"));
        let answer = api.send(Method::GET, &format!("/v1/executions/{id}/attempts?cursor=x"), None).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.error().starts_with("invalid_input: cursor: "), "{}", answer.body);
    }
}
