//! `POST /v1/flows/{flow_id}/project`: whether a flow has anything to sum up.
//! Its counts are kept by the commits that move members. The body is empty.

use crate::api::Api;
use crate::error::Refusal;
use crate::path::FlowTarget;
use axum::Json;
use axum::extract::State;
use serde::Serialize;

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Answer {
    projected: bool,
}

pub(crate) async fn handle(State(api): State<Api>, FlowTarget(flow_id): FlowTarget) -> Result<Json<Answer>, Refusal> {
    Ok(Json(Answer { projected: api.engine.project_flow_summary(flow_id).await? }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};

    #[tokio::test]
    async fn a_flow_has_something_to_sum_up_once_it_has_members() {
        let api = Harness::new().await;
        let unknown = "00000000-0000-4000-8000-000000000001";
        assert_eq!(api.post_flow(unknown, "project", json!({})).await.body, json!({"projected": false}));
        let flow = api.flow().await;
        assert_eq!(api.post_flow(&flow, "project", json!({})).await.body, json!({"projected": false}));
        api.member(&flow).await;
        assert_eq!(api.post_flow(&flow, "project", json!({})).await.body, json!({"projected": true}));
    }
}
