//! `GET /v1/executions/{execution_id}/flow-eligibility`: whether its
//! dependencies let an execution run.

use crate::api::Api;
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use serde::Serialize;

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Answer {
    status: &'static str,
}

pub(crate) async fn handle(State(api): State<Api>, Target(execution_id): Target) -> Result<Json<Answer>, Refusal> {
    let eligibility = api.engine.evaluate_flow_eligibility(execution_id).await?;
    Ok(Json(Answer { status: eligibility.as_str() }))
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;
    use axum::http::{Method, StatusCode};

    async fn status(api: &Harness, id: &str) -> String {
        let answer = api.send(Method::GET, &format!("/v1/executions/{id}/flow-eligibility"), None).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body["status"].as_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn the_first_thing_that_holds_is_told() {
        let api = Harness::new().await;
        assert_eq!(status(&api, Harness::UNKNOWN).await, "not_found");
        let alone = api.create("mail").await;
        assert_eq!(status(&api, &alone).await, "eligible");
        let flow = api.flow().await;
        let (first, second) = (api.member(&flow).await, api.member(&flow).await);
        assert_eq!(status(&api, &second).await, "eligible");
        api.depend(&flow, &first, &second).await;
        assert_eq!(status(&api, &second).await, "blocked_by_dependencies");
        api.lease(&first).await;
        assert_eq!(status(&api, &first).await, "not_runnable");
        let done = api.member(&flow).await;
        let third = api.member(&flow).await;
        api.depend(&flow, &done, &third).await;
        api.complete(&done).await;
        assert_eq!(status(&api, &third).await, "eligible");
    }
}
