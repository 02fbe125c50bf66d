//! `GET /v1/flows/{flow_id}/edges/{edge_id}`: one dependency.

use super::views::Edge;
use crate::api::Api;
use crate::error::Refusal;
use crate::path::{EdgeTarget, FlowTarget};
use axum::Json;
use axum::extract::State;
use leasehold_core::error::{EngineError, Entity};
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer(Edge);

pub(crate) async fn handle(
    State(api): State<Api>,
    FlowTarget(flow_id): FlowTarget,
    EdgeTarget(edge_id): EdgeTarget,
) -> Result<Json<Answer>, Refusal> {
    let edge = api.engine.describe_edge(flow_id, edge_id).await?;
    let edge = edge.ok_or_else(|| EngineError::not_found(Entity::Edge))?;
    Ok(Json(Answer(edge.into())))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_dependency_shows_its_ends() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let (first, second) = (api.member(&flow).await, api.member(&flow).await);
        let edge = api.depend(&flow, &first, &second).await;
        let answer = api.send(Method::GET, &format!("/v1/flows/{flow}/edges/{edge}"), None).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(
            answer.body,
            json!({
                "edge_id": edge, "flow_id": flow, "upstream_execution_id": first, "downstream_execution_id": second,
                "dependency_kind": "success_only", "satisfaction_condition": "all_required", "edge_state": "pending",
                "created_at": api.now(), "created_by": "engine",
            })
        );
        let unknown = "00000000-0000-4000-8000-000000000001";
        for (flow, edge, status) in [(flow.as_str(), unknown, 404), (unknown, &edge, 404), (&flow, "x", 400)] {
            let answer = api.send(Method::GET, &format!("/v1/flows/{flow}/edges/{edge}"), None).await;
            assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
        }
    }
}
