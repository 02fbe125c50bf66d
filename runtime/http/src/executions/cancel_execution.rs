//! `POST /v1/executions/{execution_id}/cancel`: end an execution that has not
//! ended.
//!
//! With a `handle` the worker that holds the lease cancels. Otherwise `source`
//! says who asks, by default an operator, and the fence (whole, in `fence` or
//! beside it) is what a lease holder needs.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::bytes::Base64;
use crate::error::Refusal;
use crate::lease::{Fence, Proof};
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::CancelExecution;
use leasehold_core::command::CommandSource;
use leasehold_core::ids::ExecutionId;
use leasehold_core::state::PublicState;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    handle: Option<Base64>,
    #[serde(default)]
    fence: Option<Fence>,
    #[serde(default)]
    lease_id: Option<String>,
    #[serde(default)]
    lease_epoch: Option<u64>,
    #[serde(default)]
    attempt_id: Option<String>,
}

impl Requested for Request {}

impl Request {
    /// The fence, where the request has it in either place.
    fn fence(&mut self) -> Option<Fence> {
        let beside =
            Fence { lease_id: self.lease_id.take(), lease_epoch: self.lease_epoch, attempt_id: self.attempt_id.take() };
        self.fence.take().or_else(|| (!beside.is_empty()).then_some(beside))
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Cancelled { execution_id: ExecutionId, public_state: PublicState },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(mut request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let fence = request.fence();
    let cancelled = match api.proof(execution_id, request.handle, fence.as_ref())? {
        Proof::Handle(held) => api.engine.cancel(&held.handle, request.reason).await?,
        Proof::Fence(fence) => {
            let source = CommandSource::parse(&request.source);
            let cancel = CancelExecution { execution_id, reason: request.reason, source, fence };
            api.engine.cancel_execution(cancel).await?
        }
    };
    Ok(Json(Answer::Cancelled { execution_id: cancelled.execution_id, public_state: cancelled.public_state }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn an_operator_cancels_with_a_reason() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let body = json!({"execution_id": id, "reason": "no longer wanted", "source": "operator_override", "now": 1});
        let answer = api.post(&id, "cancel", body.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body, json!({"Cancelled": {"execution_id": id, "public_state": "cancelled"}}));
        assert_eq!(api.state(&id).await, "cancelled");
        assert_eq!(api.post(&id, "cancel", body).await.status, StatusCode::OK, "a repeat");
    }

    #[tokio::test]
    async fn a_worker_cancels_what_it_holds_by_handle_or_by_fence() {
        let api = Harness::new().await;
        for proof in ["handle", "fence", "beside"] {
            let id = api.create("mail").await;
            let lease = api.lease(&id).await;
            let mut body = json!({"reason": "stop", "source": "lease_holder"});
            match proof {
                "beside" => {
                    for field in ["lease_id", "lease_epoch", "attempt_id"] {
                        body[field] = lease[field].clone();
                    }
                }
                other => body[other] = lease[other].clone(),
            }
            let answer = api.post(&id, "cancel", body).await;
            assert_eq!(answer.status, StatusCode::OK, "{proof}: {}", answer.body);
            assert_eq!(api.state(&id).await, "cancelled");
        }
    }

    #[tokio::test]
    async fn what_a_worker_cannot_prove_changes_nothing() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let lease = api.lease(&id).await;
        let other = api.create("mail").await;
        let other_lease = api.lease(&other).await;
        for (body, status, error) in [
            (json!({"source": "lease_holder"}), 400, "fence_required"),
            (json!({"source": "lease_holder", "lease_id": lease["lease_id"]}), 400, "partial_fence_triple"),
            (json!({"source": "lease_holder", "fence": other_lease["fence"]}), 409, "already_satisfied"),
            (json!({"handle": other_lease["handle"]}), 400, "invalid_input: handle"),
            (json!({"handle": "AAAA"}), 400, "validation_error: handle_codec"),
            (json!({"handle": "?"}), 400, "invalid_input: handle: not base64"),
            (json!({"handle": lease["handle"], "fence": lease["fence"]}), 400, "invalid_input: handle and fence"),
            (json!({"lease_id": "x"}), 400, "invalid_input: lease_id"),
            (json!({"execution_id": other}), 400, "invalid_input: execution_id: the body names"),
            (json!({"execution_id": "x"}), 400, "invalid_input: execution_id"),
            (json!({"reason": "x".repeat(5000)}), 400, "invalid_input: "),
        ] {
            let answer = api.post(&id, "cancel", body.clone()).await;
            assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.body);
            assert!(answer.error().starts_with(error), "{body}: {}", answer.body);
            assert_eq!(api.state(&id).await, "active");
        }
    }

    #[tokio::test]
    async fn what_has_ended_otherwise_cannot_be_cancelled() {
        let api = Harness::new().await;
        let id = api.completed("mail").await;
        let answer = api.post(&id, "cancel", json!({"reason": "late"})).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert_eq!(answer.error(), "execution_not_active");
        assert_eq!(answer.body["kind"], "contention");
        assert_eq!(answer.body["retryable"], false);
        assert_eq!(answer.body["details"]["terminal_outcome"], "success");
        assert_eq!(answer.body["details"]["lease_epoch"], 1);
    }
}
