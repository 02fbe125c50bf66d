//! `POST /v1/executions/{execution_id}/waitpoints`: make a waitpoint before
//! suspending, so that its token can be handed out first.

use super::unstored;
use crate::api::Api;
use crate::body::{Body, Requested};
use crate::bytes::Base64;
use crate::error::Refusal;
use crate::lease::Fence;
use crate::path::Target;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use leasehold_core::ids::WaitpointId;
use leasehold_core::token::WaitpointToken;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    handle: Option<Base64>,
    #[serde(default)]
    fence: Option<Fence>,
    waitpoint_key: String,
    expires_in_ms: u64,
}

impl Requested for Request {}

#[derive(Clone, Debug, Serialize)]
enum Answer {
    Created { waitpoint_id: WaitpointId, waitpoint_token: WaitpointToken },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Response, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let proof = api.proof(execution_id, request.handle, request.fence.as_ref())?;
    let handle = api.handle_of_attempt(execution_id, proof).await?;
    let pending = api.engine.create_waitpoint(&handle, request.waitpoint_key, request.expires_in_ms).await?;
    let answer = Answer::Created { waitpoint_id: pending.waitpoint_id, waitpoint_token: pending.hmac_token };
    Ok(unstored(StatusCode::CREATED, answer))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn a_worker_is_given_a_token_before_it_suspends() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let lease = api.lease(&id).await;
        for proof in ["handle", "fence"] {
            let body = json!({proof: lease[proof], "waitpoint_key": "callback", "expires_in_ms": 1000});
            let answer = api.post(&id, "waitpoints", body).await;
            assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert!(answer.body["Created"]["waitpoint_token"].as_str().unwrap().starts_with("k1:"));
        }
        assert_eq!(api.pending_waitpoints(&id).await.as_array().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn nobody_else_is() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let lease = api.lease(&id).await;
        for (body, status, error) in [
            (json!({"waitpoint_key": "a", "expires_in_ms": 1}), 400, "fence_required: "),
            (json!({"handle": lease["handle"], "waitpoint_key": "", "expires_in_ms": 1}), 400, "invalid_input: "),
            (json!({"handle": lease["handle"], "waitpoint_key": "a"}), 422, "invalid JSON: "),
        ] {
            let answer = api.post(&id, "waitpoints", body).await;
            assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
            assert!(answer.error().starts_with(error), "{}", answer.body);
        }
        api.advance(2 * Harness::LEASE_TTL_MS);
        let body = json!({"handle": lease["handle"], "waitpoint_key": "a", "expires_in_ms": 1});
        let answer = api.post(&id, "waitpoints", body).await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (StatusCode::CONFLICT, Some("lease_expired")));
        assert_eq!(api.pending_waitpoints(&id).await, json!([]));
    }
}
