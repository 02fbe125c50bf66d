//! `POST /v1/executions/{execution_id}/complete`: end an execution well.
//!
//! An empty result is a result; without `result_payload` there is none. With a
//! fence instead of a handle, `source` may say that an operator completes,
//! who needs no fence.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::bytes::Base64;
use crate::error::Refusal;
use crate::lease::{self, Fence, Proof};
use crate::options::BodyLimits;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::{CommandSource, CompleteExecution};
use leasehold_core::ids::{AttemptIndex, ExecutionId};
use leasehold_core::state::PublicState;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    handle: Option<Base64>,
    #[serde(default)]
    fence: Option<Fence>,
    #[serde(default)]
    attempt_index: Option<AttemptIndex>,
    #[serde(default)]
    result_payload: Option<Base64>,
    #[serde(default)]
    result_encoding: Option<String>,
    #[serde(default)]
    source: Option<String>,
}

impl Requested for Request {
    fn limit(limits: &BodyLimits) -> usize {
        limits.complete
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Completed { execution_id: ExecutionId, public_state: PublicState },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let proof = api.proof(execution_id, request.handle, request.fence.as_ref())?;
    let result_payload = request.result_payload.map(|bytes| bytes.decoded("result_payload")).transpose()?;
    let completed = match (proof, request.result_encoding) {
        (Proof::Handle(held), None) => api.engine.complete(&held.handle, result_payload).await?,
        (proof, result_encoding) => {
            // A handle has no room for an encoding; its fence says as much.
            let (fence, attempt_index, source) = match proof {
                Proof::Handle(held) => {
                    (held.payload.fence().into(), Some(held.payload.attempt_index), CommandSource::LeaseHolder)
                }
                Proof::Fence(fence) => (fence, request.attempt_index, lease::source(request.source.as_deref())),
            };
            let complete =
                CompleteExecution { execution_id, fence, attempt_index, result_payload, result_encoding, source };
            api.engine.complete_execution(complete).await?
        }
    };
    Ok(Json(Answer::Completed { execution_id: completed.execution_id, public_state: completed.public_state }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, base64, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_worker_completes_by_handle_or_by_fence_and_may_repeat_it() {
        let api = Harness::new().await;
        for proof in ["handle", "fence"] {
            let id = api.create("mail").await;
            let lease = api.lease(&id).await;
            let body = json!({proof: lease[proof], "result_payload": base64(b"done")});
            for _ in 0..2 {
                let answer = api.post(&id, "complete", body.clone()).await;
                assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
                assert_eq!(answer.body, json!({"Completed": {"execution_id": id, "public_state": "completed"}}));
            }
            assert_eq!(api.result(&id).await, &b"done"[..]);
        }
    }

    #[tokio::test]
    async fn an_encoding_goes_with_a_handle_too() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let lease = api.lease(&id).await;
        let body = json!({"handle": lease["handle"], "result_payload": base64(b"{}"), "result_encoding": "json"});
        let answer = api.post(&id, "complete", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(api.result(&id).await, &b"{}"[..]);
    }

    #[tokio::test]
    async fn an_operator_says_so_and_needs_no_fence() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        api.lease(&id).await;
        let answer = api.post(&id, "complete", json!({})).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.error().starts_with("fence_required: "), "{}", answer.body);
        let answer = api.post(&id, "complete", json!({"source": "operator_override"})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }

    #[tokio::test]
    async fn what_is_refused_leaves_the_execution_running() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let lease = api.lease(&id).await;
        let other = api.create("mail").await;
        let other_lease = api.lease(&other).await;
        let over = base64(&vec![0; (1 << 20) + 1]);
        for (body, status, error) in [
            (json!({"handle": other_lease["handle"]}), 400, "invalid_input: handle: it is for"),
            (json!({"fence": other_lease["fence"]}), 409, "already_satisfied"),
            (json!({"fence": {"lease_id": lease["lease_id"]}}), 400, "partial_fence_triple: "),
            (json!({"fence": lease["fence"], "attempt_index": 7}), 409, "already_satisfied"),
            (json!({"handle": lease["handle"], "result_payload": "?"}), 400, "invalid_input: result_payload"),
            (json!({"handle": lease["handle"], "result_payload": over}), 400, "payload_too_large: "),
            (json!({"handle": lease["handle"], "execution_id": other}), 400, "invalid_input: execution_id"),
        ] {
            let answer = api.post(&id, "complete", body).await;
            assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
            assert!(answer.error().starts_with(error), "{}", answer.body);
            assert_eq!(api.state(&id).await, "active");
        }
    }

    #[tokio::test]
    async fn a_result_of_the_largest_size_fits_and_a_larger_body_does_not() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let lease = api.lease(&id).await;
        let over = base64(&vec![0; 3 << 19]);
        let answer = api.post(&id, "complete", json!({"handle": lease["handle"], "result_payload": over})).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        let route = "/v1/executions/{execution_id}/complete";
        assert_eq!(answer.body, json!({"error": "payload_too_large", "limit_bytes": 3 << 19, "route": route}));
        let largest = vec![7_u8; 1 << 20];
        let body = json!({"handle": lease["handle"], "result_payload": base64(&largest)});
        let answer = api.post(&id, "complete", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(api.result(&id).await, largest);
    }

    #[tokio::test]
    async fn a_lapsed_lease_completes_nothing() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let lease = api.lease(&id).await;
        api.advance(Harness::LEASE_TTL_MS);
        let answer = api.post(&id, "complete", json!({"handle": lease["handle"]})).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "already_satisfied"));
        assert_eq!(answer.body["code"], "lease_expired");
        let answer = api.send(Method::GET, &format!("/v1/executions/{id}/result"), None).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
}
