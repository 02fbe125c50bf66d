//! `POST /v1/flows/{flow_id}/cancel-header`: mark a flow as cancelled and note
//! whom the caller ends; the engine ends them once the grace is over.

use super::cancel_flow::policy;
use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::path::FlowTarget;
use axum::Json;
use axum::extract::State;
use leasehold_contract::{CancelFlowHeader, CancelHeaderOutcome};
use leasehold_core::command::flow::CANCEL_GRACE_MS;
use leasehold_core::ids::ExecutionId;
use leasehold_core::record::flow::CancellationPolicy;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    flow_id: Option<String>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    cancellation_policy: Option<String>,
    #[serde(default)]
    grace_ms: Option<u64>,
}

impl Requested for Request {}

#[derive(Clone, Debug, Serialize)]
pub(crate) enum Answer {
    Cancelled {
        cancellation_policy: &'static str,
        member_execution_ids: Vec<ExecutionId>,
        selected_execution_ids: Vec<ExecutionId>,
    },
    AlreadyTerminal {
        stored_cancellation_policy: Option<&'static str>,
        stored_cancel_reason: Option<String>,
        member_execution_ids: Vec<ExecutionId>,
    },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: FlowTarget,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let cancel = CancelFlowHeader {
        flow_id: target.agreeing(request.flow_id.as_deref())?,
        reason: request.reason,
        cancellation_policy: policy(request.cancellation_policy.as_deref())?,
        grace_ms: request.grace_ms.unwrap_or(CANCEL_GRACE_MS),
    };
    Ok(Json(match api.engine.cancel_flow_header(cancel).await? {
        CancelHeaderOutcome::Cancelled { cancellation_policy, members, selected } => Answer::Cancelled {
            cancellation_policy: cancellation_policy.as_str(),
            member_execution_ids: members,
            selected_execution_ids: selected,
        },
        CancelHeaderOutcome::AlreadyTerminal { stored_cancellation_policy, stored_cancel_reason, members } => {
            Answer::AlreadyTerminal {
                stored_cancellation_policy: stored_cancellation_policy.map(CancellationPolicy::as_str),
                stored_cancel_reason,
                member_execution_ids: members,
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn a_header_names_whom_the_caller_ends() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let (first, second) = (api.member(&flow).await, api.member(&flow).await);
        api.complete(&first).await;
        let answer = api.post_flow(&flow, "cancel-header", json!({"reason": "x"})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body["Cancelled"]["selected_execution_ids"], json!([second]));
        assert_eq!(api.state(&second).await, "waiting");
        let answer = api.post_flow(&flow, "cancel-header", json!({"reason": "y"})).await;
        assert_eq!(answer.body["AlreadyTerminal"]["stored_cancel_reason"], "x");
        assert_eq!(answer.body["AlreadyTerminal"]["member_execution_ids"], json!([first, second]));
    }

    #[tokio::test]
    async fn a_grace_beyond_all_bounds_is_refused() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let answer = api.post_flow(&flow, "cancel-header", json!({"grace_ms": u64::MAX})).await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (StatusCode::BAD_REQUEST, Some("invalid_grace_ms")));
    }
}
