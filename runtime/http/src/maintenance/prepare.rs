//! `POST /v1/admin/prepare`: bring the store up to date. Idempotent; the body
//! is empty.

use crate::api::Api;
use crate::error::Refusal;
use axum::Json;
use axum::extract::State;
use leasehold_contract::Prepared;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub(crate) enum Answer {
    NoOp,
    Applied { description: String },
}

pub(crate) async fn handle(State(api): State<Api>) -> Result<Json<Answer>, Refusal> {
    Ok(Json(match api.engine.prepare().await? {
        Prepared::NoOp => Answer::NoOp,
        Prepared::Applied { description } => Answer::Applied { description },
    }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_running_engine_has_nothing_to_prepare() {
        let api = Harness::new().await;
        let answer = api.send(Method::POST, "/v1/admin/prepare", None).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!("NoOp")));
    }
}
