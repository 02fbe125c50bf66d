//! `POST /v1/executions/{execution_id}/reclaim`: promise an execution whose
//! lease was lost to one worker. The answer's `status` says what became of it:
//! `granted`, `not_reclaimable` or `reclaim_cap_exceeded`.

use super::GRANT_TTL_MS_MAX;
use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::{GrantKey, IssueReclaimGrant, ReclaimGrantOutcome};
use leasehold_core::ids::{ExecutionId, LaneId};
use leasehold_core::partition::PartitionKey;
use leasehold_core::time::TimestampMs;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    worker_id: String,
    worker_instance_id: String,
    /// Checked for its grammar; the execution's own lane counts.
    #[serde(default)]
    lane_id: Option<String>,
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

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(crate) enum Answer {
    Granted {
        execution_id: ExecutionId,
        partition_key: PartitionKey,
        grant_key: GrantKey,
        expires_at_ms: TimestampMs,
        lane_id: LaneId,
    },
    NotReclaimable {
        execution_id: ExecutionId,
        detail: String,
    },
    ReclaimCapExceeded {
        execution_id: ExecutionId,
        reclaim_count: u32,
    },
}

impl From<ReclaimGrantOutcome> for Answer {
    fn from(outcome: ReclaimGrantOutcome) -> Self {
        match outcome {
            ReclaimGrantOutcome::Granted(grant) => Self::Granted {
                execution_id: grant.execution_id,
                partition_key: grant.partition_key,
                grant_key: grant.grant_key,
                expires_at_ms: grant.expires_at_ms,
                lane_id: grant.lane_id,
            },
            ReclaimGrantOutcome::NotReclaimable { execution_id, detail } => {
                Self::NotReclaimable { execution_id, detail }
            }
            ReclaimGrantOutcome::ReclaimCapExceeded { execution_id, reclaim_count } => {
                Self::ReclaimCapExceeded { execution_id, reclaim_count }
            }
        }
    }
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    ids::parse_optional::<LaneId>("lane_id", request.lane_id.as_deref())?;
    let grant = IssueReclaimGrant {
        execution_id: target.agreeing(request.execution_id.as_deref())?,
        worker_id: ids::worker("worker_id", &request.worker_id)?,
        worker_instance_id: ids::worker("worker_instance_id", &request.worker_instance_id)?,
        capabilities: ids::offered(&request.worker_capabilities)?,
        capability_hash: request.capability_hash,
        route_snapshot_json: request.route_snapshot_json,
        admission_summary: request.admission_summary,
        grant_ttl_ms: ids::within("grant_ttl_ms", request.grant_ttl_ms, 1, GRANT_TTL_MS_MAX)?,
    };
    Ok(Json(api.engine.issue_reclaim_grant(grant).await?.into()))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn a_lost_lease_is_promised_to_another_worker() {
        let api = Harness::new().await;
        let id = api.lost("mail", json!({})).await;
        let answer = api.post(&id, "reclaim", Harness::grant_body("mail")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body["status"], "granted");
        assert_eq!(answer.body["execution_id"], id);
        assert_eq!(answer.body["lane_id"], "mail");
        assert_eq!(answer.body["expires_at_ms"], api.now() + 5000);
        assert_eq!(answer.body["grant_key"], format!("{id}:reclaim"));
        assert!(id.starts_with(answer.body["partition_key"].as_str().unwrap()));
        let answer = api.post(&id, "reclaim", Harness::grant_body("mail")).await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (StatusCode::CONFLICT, Some("grant_already_exists")));
    }

    #[tokio::test]
    async fn a_live_lease_is_not_reclaimable() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        api.lease(&id).await;
        let answer = api.post(&id, "reclaim", Harness::grant_body("mail")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(
            answer.body,
            json!({"status": "not_reclaimable", "execution_id": id, "detail": "execution_not_reclaimable"})
        );
    }

    #[tokio::test]
    async fn reclaims_are_counted() {
        let api = Harness::new().await;
        let id = api.lost("mail", json!({"policy": {"max_reclaim_count": 0}})).await;
        let answer = api.post(&id, "reclaim", Harness::grant_body("mail")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body, json!({"status": "reclaim_cap_exceeded", "execution_id": id, "reclaim_count": 0}));
        assert_eq!(api.state(&id).await, "failed");
    }

    #[tokio::test]
    async fn bad_arguments_promise_nothing() {
        let api = Harness::new().await;
        let id = api.lost("mail", json!({})).await;
        for (field, value, error) in [
            ("grant_ttl_ms", json!(0), "invalid_input: grant_ttl_ms: 0, from 1 to 60000"),
            ("grant_ttl_ms", json!(60_001), "invalid_input: grant_ttl_ms: 60001, from 1 to 60000"),
            ("lane_id", json!(""), "invalid_input: lane_id: lane id is empty"),
            ("worker_id", json!("a\tb"), "invalid_input: worker_id: whitespace or a control character"),
            ("worker_capabilities", json!([""]), "invalid_input: worker capabilities: empty_token"),
        ] {
            let mut body = Harness::grant_body("mail");
            body[field] = value;
            let answer = api.post(&id, "reclaim", body).await;
            assert_eq!((answer.status, answer.error()), (StatusCode::BAD_REQUEST, error));
        }
        assert_eq!(api.post(&id, "reclaim", Harness::grant_body("mail")).await.body["status"], "granted");
    }
}
