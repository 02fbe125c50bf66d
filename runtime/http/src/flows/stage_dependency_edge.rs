//! `POST /v1/flows/{flow_id}/edges`: add a dependency to the graph. It holds
//! nothing back before it is applied. Its id is minted where it is left out.

use super::dependency_kind;
use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use crate::path::FlowTarget;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use leasehold_contract::StageDependencyEdge;
use leasehold_core::ids::EdgeId;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    flow_id: Option<String>,
    #[serde(default)]
    edge_id: Option<String>,
    upstream_execution_id: String,
    downstream_execution_id: String,
    #[serde(default)]
    dependency_kind: Option<String>,
    #[serde(default)]
    data_passing_ref: Option<String>,
    expected_graph_revision: u64,
}

impl Requested for Request {}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Staged { edge_id: EdgeId, new_graph_revision: u64 },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: FlowTarget,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<Answer>), Refusal> {
    let given = ids::parse_optional("edge_id", request.edge_id.as_deref())?;
    let stage = StageDependencyEdge {
        flow_id: target.agreeing(request.flow_id.as_deref())?,
        edge_id: given.unwrap_or_else(|| api.entropy.uuid().into()),
        upstream_execution_id: ids::parse("upstream_execution_id", &request.upstream_execution_id)?,
        downstream_execution_id: ids::parse("downstream_execution_id", &request.downstream_execution_id)?,
        dependency_kind: dependency_kind(request.dependency_kind),
        data_passing_ref: request.data_passing_ref,
        expected_graph_revision: request.expected_graph_revision,
    };
    let staged = api.engine.stage_dependency_edge(stage).await?;
    let answer = Answer::Staged { edge_id: staged.edge_id, new_graph_revision: staged.new_graph_revision };
    Ok((StatusCode::CREATED, Json(answer)))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn a_graph_grows_by_one_dependency_at_a_known_revision() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let (first, second) = (api.member(&flow).await, api.member(&flow).await);
        let edge = |upstream: &str, downstream: &str, revision: u64| {
            json!({
                "upstream_execution_id": upstream, "downstream_execution_id": downstream,
                "expected_graph_revision": revision,
            })
        };
        let answer = api.post_flow(&flow, "edges", edge(&first, &second, 2)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        assert_eq!(answer.body["Staged"]["new_graph_revision"], 3);
        let mut again = edge(&first, &second, 3);
        again["edge_id"] = answer.body["Staged"]["edge_id"].clone();
        let mut odd = edge(&first, &second, 3);
        odd["dependency_kind"] = json!("whenever");
        for (body, status, code) in [
            (edge(&first, &second, 2), 409, "stale_graph_revision"),
            (edge(&first, &first, 3), 409, "self_referencing_edge"),
            (edge(&second, &first, 3), 409, "cycle_detected"),
            (edge(Harness::UNKNOWN, &first, 3), 409, "execution_not_in_flow"),
            (again, 409, "dependency_already_exists"),
            (odd, 400, "invalid_input"),
            (edge("x", &first, 3), 400, "invalid_input"),
        ] {
            let answer = api.post_flow(&flow, "edges", body).await;
            assert_eq!((answer.status.as_u16(), answer.body["code"].as_str()), (status, Some(code)), "{}", answer.body);
        }
        assert_eq!(api.describe_flow(&flow).await["graph_revision"], 3);
        assert_eq!(api.state(&second).await, "waiting", "staging holds nothing back");
    }
}
