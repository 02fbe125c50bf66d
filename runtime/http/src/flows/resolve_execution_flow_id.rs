//! `GET /v1/executions/{execution_id}/flow`: the flow of an execution, null
//! where it has none or does not exist.

use crate::api::Api;
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_core::ids::FlowId;
use serde::Serialize;

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Answer {
    flow_id: Option<FlowId>,
}

pub(crate) async fn handle(State(api): State<Api>, Target(execution_id): Target) -> Result<Json<Answer>, Refusal> {
    Ok(Json(Answer { flow_id: api.engine.resolve_execution_flow_id(execution_id).await? }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::Method;

    #[tokio::test]
    async fn only_a_member_has_a_flow() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let member = api.member(&flow).await;
        let alone = api.create("mail").await;
        for (id, flow_id) in [(member.as_str(), json!(flow)), (&alone, json!(null)), (Harness::UNKNOWN, json!(null))] {
            let answer = api.send(Method::GET, &format!("/v1/executions/{id}/flow"), None).await;
            assert_eq!(answer.body, json!({"flow_id": flow_id}));
        }
    }
}
