//! `POST /v1/executions/{execution_id}/claim`: use a claim grant and start a
//! new attempt. The lease's and the attempt's ids are minted unless given.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use crate::lease::ClaimAnswer;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::ClaimExecution;
use leasehold_core::ids::AttemptIndex;
use leasehold_core::time::TimestampMs;
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
    attempt_id: Option<String>,
    #[serde(default)]
    expected_attempt_index: Option<AttemptIndex>,
    #[serde(default)]
    attempt_policy_json: Option<String>,
    #[serde(default)]
    attempt_timeout_ms: Option<u64>,
    #[serde(default)]
    execution_deadline_at: Option<TimestampMs>,
}

impl Requested for Request {}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<ClaimAnswer>, Refusal> {
    let claim = ClaimExecution {
        execution_id: target.agreeing(request.execution_id.as_deref())?,
        worker_id: ids::worker("worker_id", &request.worker_id)?,
        worker_instance_id: ids::worker("worker_instance_id", &request.worker_instance_id)?,
        lane_id: ids::parse("lane_id", &request.lane_id)?,
        lease_id: api.lease_id(request.lease_id.as_deref())?,
        lease_ttl_ms: request.lease_ttl_ms,
        attempt_id: api.attempt_id(request.attempt_id.as_deref())?,
        expected_attempt_index: request.expected_attempt_index,
        attempt_policy_json: request.attempt_policy_json,
        attempt_timeout_ms: request.attempt_timeout_ms,
        execution_deadline_at: request.execution_deadline_at,
    };
    let claimed = api.engine.claim_execution(claim).await?;
    Ok(Json(ClaimAnswer::Claimed(claimed.into())))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn a_promised_execution_is_claimed() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        api.post(&id, "claim-grant", Harness::grant_body("mail")).await;
        let mut body = Harness::claim_body("mail");
        body["lease_id"] = json!("00000000-0000-0000-0000-00000000000a");
        body["expected_attempt_index"] = json!(0);
        let answer = api.post(&id, "claim", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let lease = &answer.body["Claimed"];
        assert_eq!(lease["execution_id"], id);
        assert_eq!(lease["kind"], "fresh");
        assert_eq!(lease["lease_id"], "00000000-0000-0000-0000-00000000000a");
        assert_eq!(lease["attempt_index"], 0);
        assert_eq!(lease["attempt_type"], "initial");
        assert_eq!(lease["lease_expires_at"], api.now() + Harness::LEASE_TTL_MS);
        let answer = api.post(&id, "complete", json!({"handle": lease["handle"]})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }

    #[tokio::test]
    async fn without_the_promise_there_is_no_claim() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let answer = api.post(&id, "claim", Harness::claim_body("mail")).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "invalid_claim_grant"));
        assert_eq!(answer.body["kind"], "contention");
        assert_eq!(answer.body["retryable"], true);
        api.post(&id, "claim-grant", Harness::grant_body("mail")).await;
        for (field, value, status, error) in [
            ("worker_instance_id", json!("other"), 409, "invalid_claim_grant"),
            ("expected_attempt_index", json!(4), 409, "execution_not_leaseable"),
            ("lease_ttl_ms", json!(0), 400, "invalid_input: lease_ttl_ms: 0, from 1 to 2073600000"),
            (
                "attempt_id",
                json!("x"),
                400,
                "invalid_input: attempt_id: attempt id \"x\" is not a hyphenated lower-case uuid",
            ),
        ] {
            let mut body = Harness::claim_body("mail");
            body[field] = value;
            let answer = api.post(&id, "claim", body).await;
            assert_eq!((answer.status.as_u16(), answer.error()), (status, error));
            assert_eq!(api.state(&id).await, "waiting");
        }
        api.advance(5001);
        let answer = api.post(&id, "claim", Harness::claim_body("mail")).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "claim_grant_expired"));
    }

    #[tokio::test]
    async fn an_interrupted_execution_has_to_be_claimed_as_resumed() {
        let api = Harness::new().await;
        let id = api.interrupted("mail").await;
        api.post(&id, "claim-grant", Harness::grant_body("mail")).await;
        let answer = api.post(&id, "claim", Harness::claim_body("mail")).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "use_claim_resumed_execution"));
    }
}
