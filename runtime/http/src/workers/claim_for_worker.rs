//! The claim for a grant: promise the next execution of a lane to a worker;
//! 204 when there is none.

use super::claim::Request;
use crate::api::Api;
use crate::error::Refusal;
use crate::ids;
use crate::leases::GRANT_TTL_MS_MAX;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use leasehold_contract::{ClaimForWorker, GrantKey};
use leasehold_core::ids::ExecutionId;
use leasehold_core::partition::PartitionKey;
use leasehold_core::time::TimestampMs;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
struct Answer {
    execution_id: ExecutionId,
    partition_key: PartitionKey,
    grant_key: GrantKey,
    expires_at_ms: TimestampMs,
}

pub(crate) async fn answer(
    api: &Api,
    worker_id: &str,
    request: Request,
    grant_ttl_ms: u64,
) -> Result<Response, Refusal> {
    let lane_id = request.lane_id.ok_or_else(|| Refusal::missing("lane_id"))?;
    let claim = ClaimForWorker {
        lane_id: ids::parse("lane_id", &lane_id)?,
        worker_id: ids::worker("worker_id", worker_id)?,
        worker_instance_id: ids::worker("worker_instance_id", &request.worker_instance_id)?,
        worker_capabilities: ids::offered(&request.capabilities)?,
        grant_ttl_ms: ids::within("grant_ttl_ms", grant_ttl_ms, 1, GRANT_TTL_MS_MAX)?,
    };
    Ok(match api.engine.claim_for_worker(claim).await? {
        Some(grant) => Json(Answer {
            execution_id: grant.execution_id,
            partition_key: grant.partition_key,
            grant_key: grant.grant_key,
            expires_at_ms: grant.expires_at_ms,
        })
        .into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    const PATH: &str = "/v1/workers/worker/claim";

    #[tokio::test]
    async fn a_worker_is_promised_the_next_execution_and_claims_it() {
        let api = Harness::new().await;
        let body =
            json!({"lane_id": "mail", "worker_instance_id": "worker-1", "capabilities": [], "grant_ttl_ms": 5000});
        let answer = api.send(Method::POST, PATH, Some(body.clone())).await;
        assert_eq!((answer.status, answer.bytes.len()), (StatusCode::NO_CONTENT, 0));
        let id = api.create("mail").await;
        let answer = api.send(Method::POST, PATH, Some(body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body["execution_id"], id);
        assert_eq!(answer.body["grant_key"], format!("{id}:claim"));
        assert_eq!(answer.body["expires_at_ms"], api.now() + 5000);
        assert!(id.starts_with(answer.body["partition_key"].as_str().unwrap()));
        let answer = api.post(&id, "claim", Harness::claim_body("mail")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }

    #[tokio::test]
    async fn bad_arguments_promise_nothing() {
        let api = Harness::new().await;
        api.create("mail").await;
        let good = json!({"lane_id": "mail", "worker_instance_id": "worker-1", "grant_ttl_ms": 5000});
        for (field, value, error) in [
            ("grant_ttl_ms", json!(0), "invalid_input: grant_ttl_ms: 0, from 1 to 60000"),
            ("grant_ttl_ms", json!(60_001), "invalid_input: grant_ttl_ms: 60001, from 1 to 60000"),
            ("lane_id", json!(null), "invalid_input: lane_id: missing"),
            ("lane_id", json!("x".repeat(65)), "invalid_input: lane_id: lane id has 65 bytes, at most 64 are allowed"),
            (
                "worker_instance_id",
                json!("a b"),
                "invalid_input: worker_instance_id: whitespace or a control character",
            ),
            ("capabilities", json!(["a b"]), "invalid_input: worker capabilities: control_or_whitespace"),
        ] {
            let mut body = good.clone();
            body[field] = value;
            let answer = api.send(Method::POST, PATH, Some(body)).await;
            assert_eq!((answer.status, answer.error()), (StatusCode::BAD_REQUEST, error));
        }
        let answer = api.send(Method::POST, "/v1/workers/a%20b/claim", Some(good.clone())).await;
        assert_eq!(answer.error(), "invalid_input: worker_id: whitespace or a control character");
        assert_eq!(api.send(Method::POST, PATH, Some(good)).await.status, StatusCode::OK);
    }
}
