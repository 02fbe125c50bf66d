//! `POST /v1/flows`: a new flow (201), or the one that exists (200). Its id is
//! minted where it is left out; then a repeat makes another flow. With
//! `members` or `edges` it is a whole one, see [`super::submit_flow`].

use super::submit_flow::{self, Edge, Member};
use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use crate::options::BodyLimits;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use leasehold_contract::{CreateFlowOutcome, SubmitFlowOutcome};
use leasehold_core::ids::{ExecutionId, FlowId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    #[serde(default)]
    flow_id: Option<String>,
    flow_kind: String,
    namespace: String,
    #[serde(default)]
    members: Option<Vec<Member>>,
    #[serde(default)]
    edges: Option<Vec<Edge>>,
    #[serde(default, rename = "now")]
    _now: Option<i64>,
}

impl Requested for Request {
    fn limit(limits: &BodyLimits) -> usize {
        limits.flow
    }
}

/// What a whole flow has become.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Whole {
    node_count: u32,
    edge_count: u32,
    /// The execution of each member.
    members: BTreeMap<String, ExecutionId>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Told {
    flow_id: FlowId,
    #[serde(flatten)]
    whole: Option<Whole>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) enum Answer {
    Created(Told),
    Submitted(Told),
    AlreadySatisfied(Told),
}

pub(crate) async fn handle(
    State(api): State<Api>,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<Answer>), Refusal> {
    let given = ids::parse_optional("flow_id", request.flow_id.as_deref())?;
    let flow_id = given.unwrap_or_else(|| api.entropy.uuid().into());
    let namespace = ids::parse("namespace", &request.namespace)?;
    if request.members.is_some() || request.edges.is_some() {
        let (members, edges) = (request.members.unwrap_or_default(), request.edges.unwrap_or_default());
        let done = submit_flow::submit(&api, flow_id, request.flow_kind, namespace, members, edges).await?;
        let told = |node_count, edge_count| Told {
            flow_id,
            whole: Some(Whole { node_count, edge_count, members: done.members }),
        };
        return Ok(match done.outcome {
            SubmitFlowOutcome::Submitted { node_count, edge_count } => {
                (StatusCode::CREATED, Json(Answer::Submitted(told(node_count, edge_count))))
            }
            SubmitFlowOutcome::AlreadySatisfied { node_count, edge_count } => {
                (StatusCode::OK, Json(Answer::AlreadySatisfied(told(node_count, edge_count))))
            }
        });
    }
    Ok(match api.engine.create_flow(flow_id, request.flow_kind, namespace).await? {
        CreateFlowOutcome::Created { flow_id } => {
            (StatusCode::CREATED, Json(Answer::Created(Told { flow_id, whole: None })))
        }
        CreateFlowOutcome::AlreadySatisfied { flow_id } => {
            (StatusCode::OK, Json(Answer::AlreadySatisfied(Told { flow_id, whole: None })))
        }
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
