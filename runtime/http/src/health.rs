//! `GET /healthz`: whether the node can do its work. Asks nobody for a token.

use crate::api::Api;
use crate::error::Refusal;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::time::Duration;

/// How long the store may take to answer.
const PING_MAX: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    status: &'static str,
}

pub(crate) async fn handle(State(api): State<Api>) -> Result<Json<Answer>, Refusal> {
    // Who is not asked for a token learns no more than which part is unwell.
    match tokio::time::timeout(PING_MAX, api.engine.ping()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, "the store does not answer the health check");
            return Err(Refusal::unhealthy("the store"));
        }
        Err(_) => return Err(Refusal::unhealthy("the store does not answer")),
    }
    match (api.health)().await {
        Ok(()) => Ok(Json(Answer { status: "ok" })),
        Err(reason) => Err(Refusal::unhealthy(&reason)),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};
    use std::sync::Arc;

    #[tokio::test]
    async fn a_node_that_is_well_says_so() {
        let api = Harness::new().await;
        let answer = api.send(Method::GET, "/healthz", None).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({"status": "ok"})));
    }

    #[tokio::test]
    async fn a_node_that_is_not_well_says_why() {
        let api = Harness::with(|options| {
            options.health = Arc::new(|| Box::pin(async { Err("fleet mail has stopped".to_owned()) }));
        })
        .await;
        let answer = api.send(Method::GET, "/healthz", None).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            answer.body,
            json!({"error": "unhealthy: fleet mail has stopped", "kind": "unhealthy", "retryable": true})
        );
    }

    #[tokio::test]
    async fn a_store_that_is_gone_is_unhealthy() {
        let api = Harness::new().await;
        api.break_store();
        let answer = api.send(Method::GET, "/healthz", None).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.error(), "unhealthy: the store");
    }
}
