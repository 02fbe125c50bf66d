//! `GET /v1/time`: the store's clock.

use crate::api::Api;
use crate::error::Refusal;
use axum::Json;
use axum::extract::State;
use leasehold_core::time::TimestampMs;
use serde::Serialize;

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Answer {
    server_time_ms: TimestampMs,
}

pub(crate) async fn handle(State(api): State<Api>) -> Result<Json<Answer>, Refusal> {
    Ok(Json(Answer { server_time_ms: api.engine.server_time_ms().await? }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::Method;

    #[tokio::test]
    async fn it_is_the_stores() {
        let api = Harness::new().await;
        let before = api.now();
        api.advance(250);
        let answer = api.send(Method::GET, "/v1/time", None).await;
        assert_eq!(answer.body, json!({"server_time_ms": before + 250}));
    }
}
