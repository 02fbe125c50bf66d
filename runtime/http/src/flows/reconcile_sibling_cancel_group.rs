//! `POST /v1/flows/{flow_id}/members/{execution_id}/reconcile-siblings`: drop
//! that list if it is done with or stale; nothing is cancelled.
//! The engine does so by itself. The body is empty.

use crate::api::Api;
use crate::error::Refusal;
use crate::path::{FlowTarget, Target};
use axum::Json;
use axum::extract::State;
use serde::Serialize;

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Answer {
    outcome: &'static str,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    FlowTarget(flow_id): FlowTarget,
    Target(downstream): Target,
) -> Result<Json<Answer>, Refusal> {
    let outcome = api.engine.reconcile_sibling_cancel_group(flow_id, downstream).await?;
    Ok(Json(Answer { outcome: outcome.as_str() }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn without_a_list_there_is_nothing_to_do() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let member = api.member(&flow).await;
        let answer = api.post_flow(&flow, &format!("members/{member}/reconcile-siblings"), json!({})).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({"outcome": "no_op"})));
    }
}
