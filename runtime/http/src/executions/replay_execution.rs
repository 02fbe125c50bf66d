//! `POST /v1/executions/{execution_id}/replay`: run an ended execution once
//! more. The body may be empty.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::ReplayExecution;
use leasehold_core::ids::ExecutionId;
use leasehold_core::state::PublicState;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    requested_by: Option<String>,
    #[serde(default)]
    reason: Option<String>,
}

impl Requested for Request {
    fn when_empty() -> Option<Self> {
        Some(Self::default())
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Replayed { execution_id: ExecutionId, public_state: PublicState },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let replay = ReplayExecution { execution_id, requested_by: request.requested_by, reason: request.reason };
    let replayed = api.engine.replay_execution(replay).await?;
    Ok(Json(Answer::Replayed { execution_id: replayed.execution_id, public_state: replayed.public_state }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn an_ended_execution_waits_again() {
        let api = Harness::new().await;
        let id = api.completed("mail").await;
        let answer = api.send(Method::POST, &format!("/v1/executions/{id}/replay"), None).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body, json!({"Replayed": {"execution_id": id, "public_state": "waiting"}}));
    }

    #[tokio::test]
    async fn one_that_has_not_ended_cannot_be_replayed() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let answer = api.post(&id, "replay", json!({"reason": "again", "requested_by": "me"})).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "execution_not_terminal"));
    }

    #[tokio::test]
    async fn replays_are_counted() {
        let api = Harness::new().await;
        let policy = json!({"max_replay_count": 0});
        let id = api.create_with("mail", json!({"policy": policy})).await;
        api.complete(&id).await;
        let answer = api.post(&id, "replay", json!({})).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "max_replays_exhausted"));
        assert_eq!(api.state(&id).await, "completed");
    }
}
