//! `POST /v1/admin/shutdown-prepare`: take no new work and wait for what is
//! under way; `timeout` when it takes longer than `grace_ms`, 15 seconds
//! unless said otherwise. The body may be empty.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long is waited unless the caller says otherwise.
const GRACE_DEFAULT_MS: u64 = 15_000;

/// The longest that is waited.
const GRACE_MAX_MS: u64 = 60_000;

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    grace_ms: Option<u64>,
}

impl Requested for Request {
    fn when_empty() -> Option<Self> {
        Some(Self::default())
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Ok,
}

pub(crate) async fn handle(State(api): State<Api>, Body(request): Body<Request>) -> Result<Json<Answer>, Refusal> {
    let grace_ms = ids::within("grace_ms", request.grace_ms.unwrap_or(GRACE_DEFAULT_MS), 0, GRACE_MAX_MS)?;
    api.engine.shutdown_prepare(Duration::from_millis(grace_ms)).await?;
    Ok(Json(Answer::Ok))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn afterwards_nothing_new_is_taken() {
        let api = Harness::new().await;
        let answer = api.send(Method::POST, "/v1/admin/shutdown-prepare", None).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!("Ok")));
        let answer = api.try_create("mail", json!({})).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.body["kind"], "partition_unavailable");
        assert_eq!(answer.body["retryable"], true);
        assert_eq!(answer.body["retry_after_ms"], 1000);
        assert_eq!(answer.header("retry-after"), Some("1"));
    }

    #[tokio::test]
    async fn a_grace_has_a_bound() {
        let api = Harness::new().await;
        let answer = api.send(Method::POST, "/v1/admin/shutdown-prepare", Some(json!({"grace_ms": 60_001}))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.error(), "invalid_input: grace_ms: 60001, from 0 to 60000");
    }
}
