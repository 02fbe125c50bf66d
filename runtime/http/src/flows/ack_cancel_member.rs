//! `POST /v1/flows/{flow_id}/members/{execution_id}/ack-cancel`: a member of a
//! cancelled flow needs no ending any more. The body is empty.

use crate::api::Api;
use crate::error::Refusal;
use crate::path::{FlowTarget, Target};
use axum::extract::State;
use axum::http::StatusCode;

pub(crate) async fn handle(
    State(api): State<Api>,
    FlowTarget(flow_id): FlowTarget,
    Target(execution_id): Target,
) -> Result<StatusCode, Refusal> {
    api.engine.ack_cancel_member(flow_id, execution_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn it_is_silent_whoever_is_named_and_how_often() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let member = api.member(&flow).await;
        api.post_flow(&flow, "cancel-header", json!({"reason": "x"})).await;
        let unknown = "00000000-0000-4000-8000-000000000001";
        for (flow, id) in
            [(flow.as_str(), member.as_str()), (&flow, &member), (&flow, Harness::UNKNOWN), (unknown, &member)]
        {
            let answer = api.post_flow(flow, &format!("members/{id}/ack-cancel"), json!({})).await;
            assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
        }
        assert_eq!(api.post_flow("x", "members/y/ack-cancel", json!({})).await.status, StatusCode::BAD_REQUEST);
    }
}
