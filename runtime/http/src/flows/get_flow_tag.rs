//! `GET /v1/flows/{flow_id}/tags/{key}`: read one label; 404 when the flow or
//! the label does not exist.

use crate::api::Api;
use crate::error::Refusal;
use crate::path::{FlowTarget, Segments};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    key: String,
    value: String,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    FlowTarget(flow_id): FlowTarget,
    Segments((_, key)): Segments<(String, String)>,
) -> Result<Json<Answer>, Refusal> {
    match api.engine.get_flow_tag(flow_id, &key).await? {
        Some(value) => Ok(Json(Answer { key, value })),
        None => Err(Refusal::plain(StatusCode::NOT_FOUND, "tag_not_found")),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn without_a_flow_or_a_label_it_is_not_found() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        for flow in [flow.as_str(), "00000000-0000-4000-8000-000000000001"] {
            let answer = api.send(Method::GET, &format!("/v1/flows/{flow}/tags/team.owner"), None).await;
            assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "tag_not_found"));
        }
    }
}
