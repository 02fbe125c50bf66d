//! `POST /v1/executions/{execution_id}/claim-grant`: promise one execution to
//! one worker for a short time.

use super::GRANT_TTL_MS_MAX;
use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::IssueClaimGrant;
use leasehold_core::ids::ExecutionId;
use leasehold_core::time::TimestampMs;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    lane_id: String,
    worker_id: String,
    worker_instance_id: String,
    #[serde(default)]
    worker_capabilities: Vec<String>,
    #[serde(default)]
    capability_hash: Option<String>,
    #[serde(default)]
    route_snapshot_json: Option<String>,
    #[serde(default)]
    admission_summary: Option<String>,
    grant_ttl_ms: u64,
}

impl Requested for Request {}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Granted { execution_id: ExecutionId, expires_at_ms: TimestampMs },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let grant = IssueClaimGrant {
        execution_id: target.agreeing(request.execution_id.as_deref())?,
        lane_id: ids::parse("lane_id", &request.lane_id)?,
        worker_id: ids::worker("worker_id", &request.worker_id)?,
        worker_instance_id: ids::worker("worker_instance_id", &request.worker_instance_id)?,
        capabilities: ids::offered(&request.worker_capabilities)?,
        capability_hash: request.capability_hash,
        route_snapshot_json: request.route_snapshot_json,
        admission_summary: request.admission_summary,
        grant_ttl_ms: ids::within("grant_ttl_ms", request.grant_ttl_ms, 1, GRANT_TTL_MS_MAX)?,
    };
    let issued = api.engine.issue_claim_grant(grant).await?;
    Ok(Json(Answer::Granted { execution_id: issued.execution_id, expires_at_ms: issued.expires_at }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn one_worker_is_promised_the_execution() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let answer = api.post(&id, "claim-grant", Harness::grant_body("mail")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let granted = json!({"execution_id": id, "expires_at_ms": api.now() + 5000});
        assert_eq!(answer.body, json!({"Granted": granted}));
        let answer = api.post(&id, "claim-grant", Harness::grant_body("mail")).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "already_satisfied"));
        assert_eq!(answer.body["code"], "grant_already_exists");
    }

    #[tokio::test]
    async fn each_obstacle_is_named_and_nothing_is_promised() {
        let api = Harness::new().await;
        let policy = json!({"routing_requirements": {"required_capabilities": ["gpu", "cuda"]}});
        let id = api.create_with("mail", json!({"policy": policy})).await;
        for (field, value, status, error) in [
            ("grant_ttl_ms", json!(0), 400, "invalid_input: grant_ttl_ms: 0, from 1 to 60000"),
            ("grant_ttl_ms", json!(60_001), 400, "invalid_input: grant_ttl_ms: 60001, from 1 to 60000"),
            ("lane_id", json!(""), 400, "invalid_input: lane_id: lane id is empty"),
            ("lane_id", json!("post"), 409, "execution_not_in_eligible_set"),
            ("worker_id", json!("a b"), 400, "invalid_input: worker_id: whitespace or a control character"),
            ("worker_instance_id", json!(""), 400, "invalid_input: worker_instance_id: worker instance id is empty"),
            ("worker_capabilities", json!(["a,b"]), 400, "invalid_input: worker capabilities: comma_in_token"),
            ("worker_capabilities", json!(["cpu"]), 400, "capability_mismatch: cuda,gpu"),
            ("capability_hash", json!("x".repeat(257)), 400, "invalid_input: capability_hash: 257 bytes, at most 256"),
        ] {
            let mut body = Harness::grant_body("mail");
            body[field] = value;
            let answer = api.post(&id, "claim-grant", body).await;
            assert_eq!((answer.status.as_u16(), answer.error()), (status, error), "{}", answer.body);
        }
        let mut body = Harness::grant_body("mail");
        body["worker_capabilities"] = json!(["gpu", "cuda", "cpu"]);
        assert_eq!(api.post(&id, "claim-grant", body).await.status, StatusCode::OK);
    }
}
