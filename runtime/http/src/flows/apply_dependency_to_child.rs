//! `POST /v1/flows/{flow_id}/edges/apply`: make a member wait for a staged
//! dependency.

use super::dependency_kind;
use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use crate::path::FlowTarget;
use axum::Json;
use axum::extract::State;
use leasehold_contract::{ApplyDependencyToChild, ApplyOutcome};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    flow_id: Option<String>,
    edge_id: String,
    upstream_execution_id: String,
    downstream_execution_id: String,
    #[serde(default)]
    dependency_kind: Option<String>,
    #[serde(default)]
    data_passing_ref: Option<String>,
    graph_revision: u64,
}

impl Requested for Request {}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Applied { unsatisfied_count: u32 },
    AlreadyApplied,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: FlowTarget,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let apply = ApplyDependencyToChild {
        flow_id: target.agreeing(request.flow_id.as_deref())?,
        edge_id: ids::parse("edge_id", &request.edge_id)?,
        downstream_execution_id: ids::parse("downstream_execution_id", &request.downstream_execution_id)?,
        upstream_execution_id: ids::parse("upstream_execution_id", &request.upstream_execution_id)?,
        graph_revision: request.graph_revision,
        dependency_kind: dependency_kind(request.dependency_kind),
        data_passing_ref: request.data_passing_ref,
    };
    Ok(Json(match api.engine.apply_dependency_to_child(apply).await? {
        ApplyOutcome::Applied { unsatisfied_count } => Answer::Applied { unsatisfied_count },
        ApplyOutcome::AlreadyApplied => Answer::AlreadyApplied,
    }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn a_member_waits_for_what_is_applied() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let (first, second) = (api.member(&flow).await, api.member(&flow).await);
        let mut edge = json!({
            "upstream_execution_id": first, "downstream_execution_id": second, "expected_graph_revision": 2,
            "graph_revision": 3,
        });
        let staged = api.post_flow(&flow, "edges", edge.clone()).await;
        edge["edge_id"] = staged.body["Staged"]["edge_id"].clone();
        let answer = api.post_flow(&flow, "edges/apply", edge.clone()).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({"Applied": {"unsatisfied_count": 1}})));
        assert_eq!(api.state(&second).await, "waiting_children");
        assert_eq!(api.post_flow(&flow, "edges/apply", edge).await.body, json!("AlreadyApplied"));
    }

    #[tokio::test]
    async fn what_was_not_staged_so_is_refused() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let (first, second) = (api.member(&flow).await, api.member(&flow).await);
        let edge = json!({
            "upstream_execution_id": first, "downstream_execution_id": second, "graph_revision": 3,
            "edge_id": "00000000-0000-4000-8000-000000000001",
        });
        let answer = api.post_flow(&flow, "edges/apply", edge).await;
        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (StatusCode::BAD_REQUEST, Some("invalid_dependency"))
        );
        assert_eq!(api.state(&second).await, "waiting");
    }
}
