//! `POST /v1/workers/{worker_id}/claim-one`: take the next execution of a
//! lane, whatever it needs: a fresh attempt, a continuation or a reclaim; 204
//! when none came in time.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use crate::lease::{ClaimAnswer, LeaseView};
use crate::path::Segments;
use crate::serve::Closing;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use leasehold_contract::{ClaimPolicy, POLL_WAIT_MAX};
use leasehold_core::ids::LaneId;
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names go over the wire")]
pub(crate) struct Request {
    worker_instance_id: String,
    lane_id: String,
    #[serde(default)]
    capabilities: Vec<String>,
    lease_ttl_ms: u32,
    /// Without it an answer is given at once.
    #[serde(default)]
    max_wait_ms: Option<u64>,
    #[serde(default)]
    request_id: Option<String>,
}

impl Requested for Request {}

pub(crate) async fn handle(
    State(api): State<Api>,
    Segments(worker_id): Segments<String>,
    closing: Option<Extension<Closing>>,
    Body(request): Body<Request>,
) -> Result<Response, Refusal> {
    let wait_most = u64::try_from(POLL_WAIT_MAX.as_millis()).unwrap_or(u64::MAX);
    let lane_id: LaneId = ids::parse("lane_id", &request.lane_id)?;
    let capabilities = ids::offered(&request.capabilities)?;
    let policy = ClaimPolicy {
        worker_id: ids::worker("worker_id", &worker_id)?,
        worker_instance_id: ids::worker("worker_instance_id", &request.worker_instance_id)?,
        lease_ttl_ms: request.lease_ttl_ms,
        max_wait_ms: request.max_wait_ms.map(|ms| ids::within("max_wait_ms", ms, 0, wait_most)).transpose()?,
        request_id: ids::parse_optional("request_id", request.request_id.as_deref())?,
    };
    let handle = tokio::select! {
        biased;
        handle = api.engine.claim(&lane_id, &capabilities, &policy) => handle?,
        () = Closing::closed(closing) => None,
    };
    Ok(match handle {
        Some(handle) => Json(ClaimAnswer::Claimed(LeaseView::of_handle(&api, handle)?)).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    const PATH: &str = "/v1/workers/worker/claim-one";

    #[tokio::test]
    async fn one_execution_is_taken_and_a_repeat_is_given_the_same() {
        let api = Harness::new().await;
        let request = "00000000-0000-0000-0000-00000000000b";
        let body = json!({
            "lane_id": "mail", "worker_instance_id": "worker-1", "lease_ttl_ms": 1000, "request_id": request,
        });
        let answer = api.send(Method::POST, PATH, Some(body.clone())).await;
        assert_eq!((answer.status, answer.bytes.len()), (StatusCode::NO_CONTENT, 0));
        let id = api.create("mail").await;
        api.create("mail").await;
        let first = api.send(Method::POST, PATH, Some(body.clone())).await;
        assert_eq!(first.status, StatusCode::OK, "{}", first.body);
        let again = api.send(Method::POST, PATH, Some(body)).await;
        assert_eq!(first.body, again.body);
        let lease = &first.body["Claimed"];
        let taken = lease["execution_id"].as_str().unwrap();
        assert!(taken == id || api.state(&id).await == "waiting");
        let answer = api.post(taken, "complete", json!({"handle": lease["handle"]})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }

    #[tokio::test]
    async fn bad_arguments_take_nothing() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let good = json!({"lane_id": "mail", "worker_instance_id": "worker-1", "lease_ttl_ms": 1000});
        for (field, value, error) in [
            ("lease_ttl_ms", json!(0), "invalid_input: lease_ttl_ms: 0"),
            ("lane_id", json!(""), "invalid_input: lane_id: lane id is empty"),
            ("max_wait_ms", json!(60_001), "invalid_input: max_wait_ms: 60001, from 0 to 60000"),
            ("request_id", json!("x"), "invalid_input: request_id: "),
            ("capabilities", json!(["a,b"]), "invalid_input: worker capabilities: comma_in_token"),
        ] {
            let mut body = good.clone();
            body[field] = value;
            let answer = api.send(Method::POST, PATH, Some(body)).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{field}");
            assert!(answer.error().starts_with(error), "{}", answer.body);
        }
        assert_eq!(api.state(&id).await, "waiting");
    }
}
