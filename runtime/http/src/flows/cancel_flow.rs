//! `POST /v1/flows/{flow_id}/cancel?wait&wait_ms`: cancel a flow and end the
//! members that the policy selects: `cancel_all` (unless the body says
//! otherwise), `cancel_pending` or `flow_only`. With `wait=true` or `wait=1`
//! the answer comes when they have ended, within five minutes at most; with
//! `wait_ms` within that time.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use crate::path::FlowTarget;
use crate::query::Query;
use axum::Json;
use axum::extract::State;
use leasehold_contract::{CancelFlow, CancelFlowOutcome, CancelWait};
use leasehold_core::command::flow::CANCEL_WAIT_MS_MAX;
use leasehold_core::ids::ExecutionId;
use leasehold_core::record::flow::CancellationPolicy;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Waiting {
    #[serde(default)]
    wait: Option<String>,
    #[serde(default)]
    wait_ms: Option<u64>,
}

impl Waiting {
    fn wait(&self) -> Result<CancelWait, Refusal> {
        let indefinite = match self.wait.as_deref() {
            Some("true" | "1") => true,
            None | Some("false" | "0") => false,
            Some(other) => {
                return Err(Refusal::invalid_input(format!(
                    "wait: {} is neither true nor false",
                    other.escape_debug()
                )));
            }
        };
        Ok(match self.wait_ms {
            Some(ms) => CancelWait::Timeout(ids::within("wait_ms", ms, 0, CANCEL_WAIT_MS_MAX)?),
            None if indefinite => CancelWait::Indefinite,
            None => CancelWait::NoWait,
        })
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    flow_id: Option<String>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    cancellation_policy: Option<String>,
}

impl Requested for Request {}

#[derive(Clone, Debug, Serialize)]
pub(crate) enum Answer {
    Cancelled {
        cancellation_policy: &'static str,
        member_execution_ids: Vec<ExecutionId>,
    },
    CancellationScheduled {
        cancellation_policy: &'static str,
        member_count: u32,
        member_execution_ids: Vec<ExecutionId>,
    },
    PartiallyCancelled {
        cancellation_policy: &'static str,
        member_execution_ids: Vec<ExecutionId>,
        failed_member_execution_ids: Vec<ExecutionId>,
    },
}

impl From<CancelFlowOutcome> for Answer {
    fn from(outcome: CancelFlowOutcome) -> Self {
        match outcome {
            CancelFlowOutcome::Cancelled { cancellation_policy, members } => {
                Self::Cancelled { cancellation_policy: cancellation_policy.as_str(), member_execution_ids: members }
            }
            CancelFlowOutcome::CancellationScheduled { cancellation_policy, member_count, members } => {
                Self::CancellationScheduled {
                    cancellation_policy: cancellation_policy.as_str(),
                    member_count,
                    member_execution_ids: members,
                }
            }
            CancelFlowOutcome::PartiallyCancelled { cancellation_policy, members, failed_members } => {
                Self::PartiallyCancelled {
                    cancellation_policy: cancellation_policy.as_str(),
                    member_execution_ids: members,
                    failed_member_execution_ids: failed_members,
                }
            }
        }
    }
}

/// The policy of a request; all members unless it says otherwise.
pub(super) fn policy(given: Option<&str>) -> Result<CancellationPolicy, Refusal> {
    Ok(given.map_or(Ok(CancellationPolicy::CancelAll), CancellationPolicy::parse)?)
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: FlowTarget,
    Query(waiting): Query<Waiting>,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let cancel = CancelFlow {
        flow_id: target.agreeing(request.flow_id.as_deref())?,
        reason: request.reason,
        cancellation_policy: policy(request.cancellation_policy.as_deref())?,
    };
    Ok(Json(api.engine.cancel_flow(cancel, waiting.wait()?).await?.into()))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn members_are_ended_as_the_policy_says() {
        let api = Harness::new().await;
        for (policy, waiting, active) in [
            ("cancel_all", "cancelled", "cancelled"),
            ("cancel_pending", "cancelled", "active"),
            ("flow_only", "waiting", "active"),
        ] {
            let flow = api.flow().await;
            let (first, second) = (api.member(&flow).await, api.member(&flow).await);
            api.lease(&second).await;
            let body = json!({"reason": "no longer wanted", "cancellation_policy": policy});
            let answer = api.post_flow(&flow, "cancel?wait=true", body.clone()).await;
            assert_eq!(answer.status, StatusCode::OK, "{policy}: {}", answer.body);
            let told = json!({"cancellation_policy": policy, "member_execution_ids": [first, second]});
            assert_eq!(answer.body, json!({"Cancelled": told}));
            assert_eq!((api.state(&first).await.as_str(), api.state(&second).await.as_str()), (waiting, active));
            let repeat = api.post_flow(&flow, "cancel", json!({"reason": "again"})).await;
            assert_eq!(repeat.body["Cancelled"]["cancellation_policy"], policy, "the stored one");
            let shown = api.describe_flow(&flow).await;
            assert_eq!((&shown["public_flow_state"], &shown["cancel_reason"]), (&json!("cancelled"), &body["reason"]));
        }
    }

    #[tokio::test]
    async fn who_does_not_wait_is_told_that_members_are_being_ended() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let member = api.member(&flow).await;
        let answer = api.post_flow(&flow, "cancel", json!({"reason": "x", "flow_id": flow, "now": 1})).await;
        let told = json!({"cancellation_policy": "cancel_all", "member_count": 1, "member_execution_ids": [member]});
        assert_eq!(answer.body, json!({"CancellationScheduled": told}));
    }

    #[tokio::test]
    async fn bad_arguments_and_unknown_flows_are_refused() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        for (query, body) in [
            ("cancel", json!({"cancellation_policy": "let_active_finish"})),
            ("cancel", json!({"reason": "x".repeat(5000)})),
            ("cancel?wait=maybe", json!({})),
            ("cancel?wait_ms=300001", json!({})),
        ] {
            let answer = api.post_flow(&flow, query, body).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
        }
        assert_eq!(api.describe_flow(&flow).await["public_flow_state"], "open");
        let answer = api.post_flow("00000000-0000-4000-8000-000000000001", "cancel", json!({})).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "flow_not_found"));
    }
}
