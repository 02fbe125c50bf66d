//! `POST /v1/executions/{execution_id}/expire-suspension`: let the deadline of
//! a suspension act, if it is reached. The engine does so by itself. The body
//! is empty.

use crate::api::Api;
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use serde::Serialize;

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Answer {
    outcome: &'static str,
}

pub(crate) async fn handle(State(api): State<Api>, Target(execution_id): Target) -> Result<Json<Answer>, Refusal> {
    let outcome = api.engine.expire_suspension(execution_id).await?;
    Ok(Json(Answer { outcome: outcome.as_str() }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_deadline_acts_once_it_is_reached_and_only_once() {
        let api = Harness::new().await;
        let more = json!({"timeout_at": api.now() + 500, "timeout_behavior": "cancel"});
        let waiting = api.suspended_as("mail", json!({}), more).await;
        let path = format!("/v1/executions/{}/expire-suspension", waiting.id);
        let expire = || api.send(Method::POST, &path, None);
        assert_eq!(expire().await.body, json!({"outcome": "not_yet_due"}));
        api.advance(500);
        let answer = expire().await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({"outcome": "cancel"})));
        assert_eq!(api.state(&waiting.id).await, "cancelled");
        assert_eq!(expire().await.body, json!({"outcome": "not_suspended_cleaned"}));
    }

    #[tokio::test]
    async fn what_does_not_exist_is_an_outcome() {
        let api = Harness::new().await;
        for id in [Harness::UNKNOWN, "{fp:9}:00000000-0000-0000-0000-000000000001"] {
            let answer = api.send(Method::POST, &format!("/v1/executions/{id}/expire-suspension"), None).await;
            assert_eq!(answer.body, json!({"outcome": "not_found_cleaned"}));
        }
    }
}
