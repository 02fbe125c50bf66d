//! `POST /v1/executions/{execution_id}/operator-claim`: an operator takes one
//! execution, without regard to capabilities. The lease's and the attempt's
//! ids are minted unless given.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use crate::lease::ClaimAnswer;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::IssueGrantAndClaim;
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    lane_id: String,
    #[serde(default)]
    lease_id: Option<String>,
    #[serde(default)]
    attempt_id: Option<String>,
    lease_duration_ms: u64,
}

impl Requested for Request {}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<ClaimAnswer>, Refusal> {
    let claim = IssueGrantAndClaim {
        execution_id: target.agreeing(request.execution_id.as_deref())?,
        lane_id: ids::parse("lane_id", &request.lane_id)?,
        lease_id: api.lease_id(request.lease_id.as_deref())?,
        attempt_id: api.attempt_id(request.attempt_id.as_deref())?,
        lease_duration_ms: request.lease_duration_ms,
    };
    let claimed = api.engine.issue_grant_and_claim(claim).await?;
    Ok(Json(ClaimAnswer::Claimed(claimed.into())))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn an_operator_takes_what_no_worker_fits() {
        let api = Harness::new().await;
        let policy = json!({"routing_requirements": {"required_capabilities": ["gpu"]}});
        let id = api.create_with("mail", json!({"policy": policy})).await;
        let body = json!({"lane_id": "mail", "lease_duration_ms": 1000});
        let answer = api.post(&id, "operator-claim", body.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body["Claimed"]["worker_instance_id"], "operator");
        assert_eq!(answer.body["Claimed"]["lease_epoch"], 1);
        let answer = api.post(&id, "operator-claim", body).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "execution_not_eligible"));
    }

    #[tokio::test]
    async fn bad_arguments_take_nothing() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        for (body, status, error) in [
            (json!({"lane_id": "mail", "lease_duration_ms": 0}), 400, "invalid_input: lease_duration_ms: 0"),
            (json!({"lane_id": "post", "lease_duration_ms": 9}), 409, "execution_not_in_eligible_set"),
            (json!({"lane_id": "ü", "lease_duration_ms": 9}), 400, "invalid_input: lane_id: "),
        ] {
            let answer = api.post(&id, "operator-claim", body).await;
            assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
            assert!(answer.error().starts_with(error), "{}", answer.body);
            assert_eq!(api.state(&id).await, "waiting");
        }
    }
}
