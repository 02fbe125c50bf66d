//! `POST /v1/flows/{flow_id}/members`: make an execution a member (201), or
//! find that it is one (200).

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use crate::path::FlowTarget;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use leasehold_contract::AddOutcome;
use leasehold_core::ids::ExecutionId;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    flow_id: Option<String>,
    execution_id: String,
}

impl Requested for Request {}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Added { execution_id: ExecutionId, new_node_count: u32 },
    AlreadyMember { execution_id: ExecutionId, node_count: u32 },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: FlowTarget,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<Answer>), Refusal> {
    let flow_id = target.agreeing(request.flow_id.as_deref())?;
    let execution_id = ids::parse("execution_id", &request.execution_id)?;
    Ok(match api.engine.add_execution_to_flow(flow_id, execution_id).await? {
        AddOutcome::Added { execution_id, new_node_count } => {
            (StatusCode::CREATED, Json(Answer::Added { execution_id, new_node_count }))
        }
        AddOutcome::AlreadyMember { execution_id, node_count } => {
            (StatusCode::OK, Json(Answer::AlreadyMember { execution_id, node_count }))
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, PARTITIONS, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn an_execution_joins_once() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let id = api.create_with("mail", json!({"partition_id": api.home(&flow)})).await;
        let body = json!({"flow_id": flow, "execution_id": id, "now": 1});
        let answer = api.post_flow(&flow, "members", body.clone()).await;
        assert_eq!(answer.status, StatusCode::CREATED);
        assert_eq!(answer.body, json!({"Added": {"execution_id": id, "new_node_count": 1}}));
        let answer = api.post_flow(&flow, "members", body).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body, json!({"AlreadyMember": {"execution_id": id, "node_count": 1}}));
    }

    #[tokio::test]
    async fn who_cannot_join_is_told_why() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let home = api.home(&flow);
        let away = api.create_with("mail", json!({"partition_id": (home + 1) % PARTITIONS})).await;
        let answer = api.post_flow(&flow, "members", json!({"execution_id": away})).await;
        let expected =
            format!("invalid_input: execution partition mismatch: expected {home}, got {}", (home + 1) % PARTITIONS);
        assert_eq!((answer.status, answer.error()), (StatusCode::BAD_REQUEST, expected.as_str()));
        let unknown = format!("{{fp:{home}}}:00000000-0000-4000-8000-000000000001");
        let answer = api.post_flow(&flow, "members", json!({"execution_id": unknown})).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "execution_not_found"));
        let answer = api.post_flow(&flow, "members", json!({"execution_id": away, "flow_id": unknown})).await;
        assert!(answer.error().starts_with("invalid_input: flow_id"), "{}", answer.body);
        api.post_flow(&flow, "cancel", json!({"reason": "x"})).await;
        let here = api.create_with("mail", json!({"partition_id": home})).await;
        let answer = api.post_flow(&flow, "members", json!({"execution_id": here})).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "flow_already_terminal"));
        let unknown = "00000000-0000-4000-8000-000000000001";
        let here = api.create_with("mail", json!({"partition_id": api.home(unknown)})).await;
        let answer = api.post_flow(unknown, "members", json!({"execution_id": here})).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "flow_not_found"));
    }
}
