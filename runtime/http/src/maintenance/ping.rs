//! `GET /v1/ping`: one round trip to the store, and which store it is.

use crate::api::Api;
use crate::error::Refusal;
use axum::Json;
use axum::extract::State;
use serde::Serialize;

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Answer {
    backend: &'static str,
}

pub(crate) async fn handle(State(api): State<Api>) -> Result<Json<Answer>, Refusal> {
    api.engine.ping().await?;
    Ok(Json(Answer { backend: api.engine.backend_label() }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_store_that_answers_is_named() {
        let api = Harness::new().await;
        let answer = api.send(Method::GET, "/v1/ping", None).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({"backend": "memory"})));
    }

    #[tokio::test]
    async fn a_store_that_is_gone_is_an_error_that_may_pass() {
        let api = Harness::new().await;
        api.break_store();
        let answer = api.send(Method::GET, "/v1/ping", None).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.body["code"], "retry_exhausted");
        assert_eq!(answer.body["kind"], "contention");
        assert_eq!(answer.body["retryable"], true);
    }
}
