//! `POST /v1/executions/{execution_id}/claim-from-resume-grant`: as
//! `claim-resumed`, with the grant as it was issued; 204 when the execution is
//! no longer claimable.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use crate::lease::{ClaimAnswer, LeaseView};
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use leasehold_contract::{GrantKey, ResumeGrant, ResumeToken};
use leasehold_core::partition::PartitionKey;
use leasehold_core::time::TimestampMs;
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    partition_key: PartitionKey,
    grant_key: GrantKey,
    expires_at_ms: TimestampMs,
    lane_id: String,
    worker_id: String,
    worker_instance_id: String,
    lease_ttl_ms: u64,
}

impl Requested for Request {}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Response, Refusal> {
    let token = ResumeToken {
        grant: ResumeGrant {
            execution_id: target.agreeing(request.execution_id.as_deref())?,
            partition_key: request.partition_key,
            grant_key: request.grant_key,
            expires_at_ms: request.expires_at_ms,
            lane_id: ids::parse("lane_id", &request.lane_id)?,
        },
        worker_id: ids::worker("worker_id", &request.worker_id)?,
        worker_instance_id: ids::worker("worker_instance_id", &request.worker_instance_id)?,
        lease_ttl_ms: request.lease_ttl_ms,
    };
    Ok(match api.engine.claim_from_resume_grant(token).await? {
        Some(handle) => Json(ClaimAnswer::Claimed(LeaseView::of_handle(&api, handle)?)).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;
    use serde_json::Value;

    fn body(id: &str) -> Value {
        let mut body = Harness::claim_body("mail");
        body["partition_key"] = json!(id.split_once("}:").map(|(tag, _)| format!("{tag}}}")));
        body["grant_key"] = json!("any");
        body["expires_at_ms"] = json!(0);
        body
    }

    #[tokio::test]
    async fn a_resume_grant_continues_the_attempt() {
        let api = Harness::new().await;
        let id = api.interrupted("mail").await;
        api.post(&id, "claim-grant", Harness::grant_body("mail")).await;
        let answer = api.post(&id, "claim-from-resume-grant", body(&id)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let lease = &answer.body["Claimed"];
        assert_eq!(lease["kind"], "resumed");
        let answer = api.post(&id, "renew", json!({"handle": lease["handle"]})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }

    #[tokio::test]
    async fn what_is_no_longer_claimable_is_nothing() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let answer = api.post(&id, "claim-from-resume-grant", body(&id)).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        let mut elsewhere = body(&id);
        elsewhere["partition_key"] = json!("{fp:99}");
        let answer = api.post(&id, "claim-from-resume-grant", elsewhere).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.error().starts_with("invalid_input: partition_key"), "{}", answer.body);
    }
}
