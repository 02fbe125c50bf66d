//! `POST /v1/executions/{execution_id}/wait-children`: give the lease back
//! until the children have ended.

use super::delay::Answer;
use crate::api::Api;
use crate::body::{Body, Requested};
use crate::bytes::Base64;
use crate::error::Refusal;
use crate::lease::Fence;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    handle: Option<Base64>,
    #[serde(default)]
    fence: Option<Fence>,
}

impl Requested for Request {}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let proof = api.proof(execution_id, request.handle, request.fence.as_ref())?;
    let handle = api.handle_of(execution_id, proof)?;
    let waiting = api.engine.wait_children(&handle).await?;
    Ok(Json(Answer::Delayed { execution_id: waiting.execution_id, public_state: waiting.public_state }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn without_children_the_attempt_can_go_on_at_once() {
        let api = Harness::new().await;
        for proof in ["handle", "fence"] {
            let id = api.create("mail").await;
            let lease = api.lease(&id).await;
            let answer = api.post(&id, "wait-children", json!({proof: lease[proof]})).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
            assert_eq!(answer.body, json!({"Delayed": {"execution_id": id, "public_state": "resumable"}}));
        }
    }

    #[tokio::test]
    async fn without_a_proof_nothing_is_given_back() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        api.lease(&id).await;
        let answer = api.post(&id, "wait-children", json!({})).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.error().starts_with("fence_required: "), "{}", answer.body);
        assert_eq!(api.state(&id).await, "active");
    }
}
