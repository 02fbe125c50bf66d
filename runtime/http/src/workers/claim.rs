//! `POST /v1/workers/{worker_id}/claim`: two ways to ask for work.
//!
//! With `credits` the worker says how many executions it can take, and is
//! given them ([`poll_tasks`]); with `grant_ttl_ms` it is promised one
//! execution, which it then claims ([`claim_for_worker`]).

use super::{claim_for_worker, poll_tasks};
use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::path::Segments;
use crate::serve::Closing;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

/// Both forms; which fields must be there depends on the form.
#[derive(Clone, Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names go over the wire")]
pub(crate) struct Request {
    pub worker_instance_id: String,
    #[serde(default)]
    pub capabilities: Vec<String>,
    #[serde(default)]
    pub credits: Option<u32>,
    #[serde(default)]
    pub lanes: Option<Vec<String>>,
    #[serde(default)]
    pub lease_ttl_ms: Option<u64>,
    #[serde(default)]
    pub max_wait_ms: Option<u64>,
    #[serde(default)]
    pub request_id: Option<String>,
    #[serde(default)]
    pub lane_id: Option<String>,
    #[serde(default)]
    pub grant_ttl_ms: Option<u64>,
}

impl Requested for Request {}

pub(crate) async fn handle(
    State(api): State<Api>,
    Segments(worker_id): Segments<String>,
    closing: Option<Extension<Closing>>,
    Body(request): Body<Request>,
) -> Result<Response, Refusal> {
    match (request.credits, request.grant_ttl_ms) {
        (Some(credits), None) => poll_tasks::answer(&api, &worker_id, request, credits, closing).await,
        (None, Some(grant_ttl_ms)) => claim_for_worker::answer(&api, &worker_id, request, grant_ttl_ms).await,
        _ => Err(Refusal::invalid_input("give either credits, to be given tasks, or grant_ttl_ms, for a grant")),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn the_form_must_be_clear() {
        let api = Harness::new().await;
        for body in [
            json!({"worker_instance_id": "w-1"}),
            json!({"worker_instance_id": "w-1", "credits": 1, "grant_ttl_ms": 1}),
        ] {
            let answer = api.send(Method::POST, "/v1/workers/w/claim", Some(body)).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST);
            assert!(answer.error().starts_with("invalid_input: give either credits"), "{}", answer.body);
        }
    }
}
