//! `GET /v1/flows/{flow_id}`: what a flow is doing, how many members stand
//! where, and its joins.

use super::views::{Group, counts};
use crate::api::Api;
use crate::error::Refusal;
use crate::path::FlowTarget;
use axum::Json;
use axum::extract::State;
use leasehold_contract::FlowSnapshot;
use leasehold_core::error::{EngineError, Entity};
use leasehold_core::ids::{FlowId, Namespace};
use leasehold_core::time::TimestampMs;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    flow_id: FlowId,
    flow_kind: String,
    namespace: Namespace,
    public_flow_state: &'static str,
    graph_revision: u64,
    node_count: u32,
    edge_count: u32,
    created_at: TimestampMs,
    last_mutation_at: TimestampMs,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled_at: Option<TimestampMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation_policy: Option<&'static str>,
    tags: BTreeMap<String, String>,
    summary: BTreeMap<&'static str, u32>,
    last_summary_update_at: TimestampMs,
    edge_groups: Vec<Group>,
}

impl From<FlowSnapshot> for Answer {
    fn from(flow: FlowSnapshot) -> Self {
        let cancelled = flow.cancelled;
        Self {
            flow_id: flow.flow_id,
            flow_kind: flow.flow_kind,
            namespace: flow.namespace,
            public_flow_state: flow.public_flow_state.as_str(),
            graph_revision: flow.graph_revision,
            node_count: flow.node_count,
            edge_count: flow.edge_count,
            created_at: flow.created_at,
            last_mutation_at: flow.last_mutation_at,
            cancelled_at: cancelled.as_ref().map(|cancelled| cancelled.at),
            cancellation_policy: cancelled.as_ref().map(|cancelled| cancelled.policy.as_str()),
            cancel_reason: cancelled.map(|cancelled| cancelled.reason),
            tags: flow.tags,
            summary: counts(&flow.counts),
            last_summary_update_at: flow.last_summary_update_at,
            edge_groups: flow.edge_groups.into_iter().map(Into::into).collect(),
        }
    }
}

pub(crate) async fn handle(State(api): State<Api>, FlowTarget(flow_id): FlowTarget) -> Result<Json<Answer>, Refusal> {
    let flow = api.engine.describe_flow(flow_id).await?;
    let flow = flow.ok_or_else(|| EngineError::not_found(Entity::Flow))?;
    Ok(Json(flow.into()))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_flow_shows_its_members_its_joins_and_what_it_is_doing() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let shown = api.describe_flow(&flow).await;
        assert_eq!((&shown["public_flow_state"], &shown["graph_revision"]), (&json!("open"), &json!(0)));
        let (first, second) = (api.member(&flow).await, api.member(&flow).await);
        api.depend(&flow, &first, &second).await;
        let shown = api.describe_flow(&flow).await;
        assert_eq!(shown["public_flow_state"], "blocked");
        assert_eq!((&shown["node_count"], &shown["edge_count"]), (&json!(2), &json!(1)));
        assert_eq!(shown["graph_revision"], 3);
        assert_eq!(shown["summary"]["members_waiting_children"], 1);
        assert_eq!(shown["summary"]["total_members"], 2);
        let group = json!({
            "downstream_execution_id": second, "policy": {"kind": "all_of"}, "total_deps": 1, "satisfied_count": 0,
            "failed_count": 0, "skipped_count": 0, "running_count": 1, "group_state": "pending",
        });
        assert_eq!(shown["edge_groups"], json!([group]));
        api.complete(&first).await;
        let shown = api.describe_flow(&flow).await;
        assert_eq!(shown["edge_groups"][0]["group_state"], "satisfied");
        assert_eq!(api.state(&second).await, "waiting");
        api.complete(&second).await;
        assert_eq!(api.describe_flow(&flow).await["public_flow_state"], "completed");
    }

    #[tokio::test]
    async fn an_unknown_flow_is_not_found_and_a_malformed_id_is_refused() {
        let api = Harness::new().await;
        let answer = api.send(Method::GET, "/v1/flows/00000000-0000-4000-8000-000000000001", None).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "flow_not_found"));
        let answer = api.send(Method::GET, "/v1/flows/x", None).await;
        assert!(answer.error().starts_with("invalid_input: flow_id"), "{}", answer.body);
    }
}
