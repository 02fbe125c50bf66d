//! `PUT /v1/executions/{execution_id}/priority`: move an eligible execution
//! within its queue.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::ChangePriority;
use leasehold_core::ids::ExecutionId;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    new_priority: i32,
}

impl Requested for Request {}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Changed {
        execution_id: ExecutionId,
        /// As stored, within 0 to 9000.
        priority: i32,
    },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let change = ChangePriority { execution_id, new_priority: request.new_priority };
    let changed = api.engine.change_priority(change).await?;
    Ok(Json(Answer::Changed { execution_id: changed.execution_id, priority: changed.priority }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_waiting_execution_takes_a_priority_within_bounds() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        for (asked, stored) in [(7, 7), (10_000, 9000), (-5, 0)] {
            let path = format!("/v1/executions/{id}/priority");
            let answer = api.send(Method::PUT, &path, Some(json!({"new_priority": asked}))).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
            assert_eq!(answer.body, json!({"Changed": {"execution_id": id, "priority": stored}}));
            assert_eq!(api.info(&id).await["priority"], stored);
        }
    }

    #[tokio::test]
    async fn a_running_one_does_not() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        api.lease(&id).await;
        let path = format!("/v1/executions/{id}/priority");
        let answer = api.send(Method::PUT, &path, Some(json!({"new_priority": 7}))).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "execution_not_eligible"));
        assert_eq!(api.info(&id).await["priority"], 0);
    }

    #[tokio::test]
    async fn a_missing_execution_and_a_missing_number_are_told_apart() {
        let api = Harness::new().await;
        let path = format!("/v1/executions/{}/priority", Harness::UNKNOWN);
        let answer = api.send(Method::PUT, &path, Some(json!({"new_priority": 7}))).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "execution_not_found"));
        let answer = api.send(Method::PUT, &path, Some(json!({}))).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.error().starts_with("invalid JSON: "), "{}", answer.body);
    }
}
