//! `POST /v1/flows`: a new flow (201), or the one that exists (200). Its id is
//! minted where it is left out; then a repeat makes another flow.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use leasehold_contract::CreateFlowOutcome;
use leasehold_core::ids::FlowId;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    #[serde(default)]
    flow_id: Option<String>,
    flow_kind: String,
    namespace: String,
    #[serde(default, rename = "now")]
    _now: Option<i64>,
}

impl Requested for Request {}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Created { flow_id: FlowId },
    AlreadySatisfied { flow_id: FlowId },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<Answer>), Refusal> {
    let given = ids::parse_optional("flow_id", request.flow_id.as_deref())?;
    let flow_id = given.unwrap_or_else(|| api.entropy.uuid().into());
    let namespace = ids::parse("namespace", &request.namespace)?;
    Ok(match api.engine.create_flow(flow_id, request.flow_kind, namespace).await? {
        CreateFlowOutcome::Created { flow_id } => (StatusCode::CREATED, Json(Answer::Created { flow_id })),
        CreateFlowOutcome::AlreadySatisfied { flow_id } => (StatusCode::OK, Json(Answer::AlreadySatisfied { flow_id })),
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_flow_is_created_once() {
        let api = Harness::new().await;
        let flow = "11111111-2222-4333-8444-555555555555";
        let body = json!({"flow_id": flow, "flow_kind": "deploy", "namespace": "tenant", "now": 1});
        let answer = api.send(Method::POST, "/v1/flows", Some(body.clone())).await;
        assert_eq!((answer.status, answer.body), (StatusCode::CREATED, json!({"Created": {"flow_id": flow}})));
        let answer = api.send(Method::POST, "/v1/flows", Some(body)).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({"AlreadySatisfied": {"flow_id": flow}})));
        assert_ne!(api.flow().await, api.flow().await, "without an id");
    }

    #[tokio::test]
    async fn bad_arguments_create_nothing() {
        let api = Harness::new().await;
        for (field, value, status) in [
            ("flow_id", json!("x"), 400),
            ("namespace", json!(""), 400),
            ("flow_kind", json!("x".repeat(257)), 400),
            ("member", json!([]), 422),
        ] {
            let mut body = json!({"flow_kind": "deploy", "namespace": "tenant"});
            body[field] = value;
            let answer = api.send(Method::POST, "/v1/flows", Some(body)).await;
            assert_eq!(answer.status.as_u16(), status, "{field}: {}", answer.body);
        }
        for partition in 0..crate::testing::PARTITIONS {
            let answer = api.send(Method::GET, &format!("/v1/flows?partition={partition}"), None).await;
            assert_eq!(answer.body, json!({"flows": []}));
        }
    }
}
