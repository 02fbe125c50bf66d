//! `POST /v1/executions/{execution_id}/delay`: give the lease back until a
//! time; the same attempt goes on then.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::bytes::Base64;
use crate::error::Refusal;
use crate::lease::Fence;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_core::ids::ExecutionId;
use leasehold_core::state::PublicState;
use leasehold_core::time::TimestampMs;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    handle: Option<Base64>,
    #[serde(default)]
    fence: Option<Fence>,
    delay_until: TimestampMs,
}

impl Requested for Request {}

/// Also the answer of `wait-children`.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Delayed { execution_id: ExecutionId, public_state: PublicState },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let proof = api.proof(execution_id, request.handle, request.fence.as_ref())?;
    let handle = api.handle_of(execution_id, proof)?;
    let delayed = api.engine.delay(&handle, request.delay_until).await?;
    Ok(Json(Answer::Delayed { execution_id: delayed.execution_id, public_state: delayed.public_state }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn a_worker_gives_its_lease_back_until_later() {
        let api = Harness::new().await;
        for proof in ["handle", "fence"] {
            let id = api.create("mail").await;
            let lease = api.lease(&id).await;
            let body = json!({proof: lease[proof], "delay_until": api.now() + 1000});
            let answer = api.post(&id, "delay", body.clone()).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
            assert_eq!(answer.body, json!({"Delayed": {"execution_id": id, "public_state": "delayed"}}));
            let answer = api.post(&id, "delay", body).await;
            assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "execution_not_active"));
        }
    }

    #[tokio::test]
    async fn without_a_proof_nothing_is_given_back() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        api.lease(&id).await;
        let answer = api.post(&id, "delay", json!({"delay_until": 5})).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.error().starts_with("fence_required: "), "{}", answer.body);
        assert_eq!(api.state(&id).await, "active");
    }
}
