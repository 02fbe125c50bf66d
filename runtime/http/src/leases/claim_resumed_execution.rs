//! `POST /v1/executions/{execution_id}/claim-resumed`: use a claim grant and
//! continue an interrupted attempt. The lease's id is minted unless given.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use crate::lease::ClaimAnswer;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::ClaimResumedExecution;
use leasehold_core::ids::AttemptIndex;
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    worker_id: String,
    worker_instance_id: String,
    lane_id: String,
    #[serde(default)]
    lease_id: Option<String>,
    lease_ttl_ms: u64,
    #[serde(default)]
    current_attempt_index: Option<AttemptIndex>,
    #[serde(default)]
    remaining_attempt_timeout_ms: Option<u64>,
}

impl Requested for Request {}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<ClaimAnswer>, Refusal> {
    let claim = ClaimResumedExecution {
        execution_id: target.agreeing(request.execution_id.as_deref())?,
        worker_id: ids::worker("worker_id", &request.worker_id)?,
        worker_instance_id: ids::worker("worker_instance_id", &request.worker_instance_id)?,
        lane_id: ids::parse("lane_id", &request.lane_id)?,
        lease_id: api.lease_id(request.lease_id.as_deref())?,
        lease_ttl_ms: request.lease_ttl_ms,
        current_attempt_index: request.current_attempt_index,
        remaining_attempt_timeout_ms: request.remaining_attempt_timeout_ms,
    };
    let claimed = api.engine.claim_resumed_execution(claim).await?;
    Ok(Json(ClaimAnswer::Claimed(claimed.into())))
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;
    use axum::http::StatusCode;

    #[tokio::test]
    async fn an_interrupted_attempt_goes_on_under_a_new_lease() {
        let api = Harness::new().await;
        let id = api.interrupted("mail").await;
        api.post(&id, "claim-grant", Harness::grant_body("mail")).await;
        let answer = api.post(&id, "claim-resumed", Harness::claim_body("mail")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let lease = &answer.body["Claimed"];
        assert_eq!(lease["kind"], "resumed");
        assert_eq!(lease["attempt_index"], 0);
        assert_eq!(lease["lease_epoch"], 2);
    }

    #[tokio::test]
    async fn a_fresh_execution_is_not_resumed() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        api.post(&id, "claim-grant", Harness::grant_body("mail")).await;
        let answer = api.post(&id, "claim-resumed", Harness::claim_body("mail")).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "not_a_resumed_execution"));
        assert_eq!(api.state(&id).await, "waiting");
    }
}
