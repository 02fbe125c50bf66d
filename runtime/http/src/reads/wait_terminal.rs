//! `GET /v1/executions/{execution_id}/wait?timeout_ms`: wait until an execution
//! has ended; 204 when it has not ended in time.

use crate::api::Api;
use crate::error::Refusal;
use crate::ids;
use crate::path::Target;
use crate::query::Query;
use crate::serve::Closing;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use leasehold_core::ids::ExecutionId;
use leasehold_core::state::PublicState;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a request waits unless it says otherwise.
const WAIT_DEFAULT_MS: u64 = 30_000;

/// The longest a request waits.
const WAIT_MAX_MS: u64 = 60_000;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    timeout_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Answer {
    execution_id: ExecutionId,
    public_state: PublicState,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    Target(execution_id): Target,
    Query(request): Query<Request>,
    closing: Option<Extension<Closing>>,
) -> Result<Response, Refusal> {
    let wait_ms = ids::within("timeout_ms", request.timeout_ms.unwrap_or(WAIT_DEFAULT_MS), 0, WAIT_MAX_MS)?;
    let ended = tokio::select! {
        biased;
        ended = api.engine.wait_terminal(execution_id, Duration::from_millis(wait_ms)) => ended?,
        () = Closing::closed(closing) => None,
    };
    Ok(match ended {
        Some(public_state) => Json(Answer { execution_id, public_state }).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn it_answers_when_the_execution_has_ended() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let path = format!("/v1/executions/{id}/wait");
        let (answer, ()) = tokio::join!(api.send(Method::GET, &path, None), async {
            api.complete(&id).await;
        });
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body, json!({"execution_id": id, "public_state": "completed"}));
        let answer = api.send(Method::GET, &path, None).await;
        assert_eq!(answer.body["public_state"], "completed", "it had ended before");
    }

    #[tokio::test]
    async fn it_answers_with_nothing_when_the_time_is_over() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let answer = api.send(Method::GET, &format!("/v1/executions/{id}/wait?timeout_ms=0"), None).await;
        assert_eq!((answer.status, answer.bytes.len()), (StatusCode::NO_CONTENT, 0));
    }

    #[tokio::test]
    async fn an_unknown_execution_and_a_long_wait_are_refused() {
        let api = Harness::new().await;
        let answer = api.send(Method::GET, &format!("/v1/executions/{}/wait", Harness::UNKNOWN), None).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "execution_not_found"));
        let path = format!("/v1/executions/{}/wait?timeout_ms=60001", Harness::UNKNOWN);
        let answer = api.send(Method::GET, &path, None).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.error(), "invalid_input: timeout_ms: 60001, from 0 to 60000");
    }
}
