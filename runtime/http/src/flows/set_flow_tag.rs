//! `PUT /v1/flows/{flow_id}/tags/{key}`: set one label.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::path::{FlowTarget, Segments};
use axum::Json;
use axum::extract::State;
use leasehold_contract::SetFlowTag;
use leasehold_core::ids::FlowId;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    flow_id: Option<String>,
    value: String,
}

impl Requested for Request {}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    TagSet { flow_id: FlowId },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: FlowTarget,
    Segments((_, key)): Segments<(String, String)>,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let flow_id = target.agreeing(request.flow_id.as_deref())?;
    let set = api.engine.set_flow_tag(SetFlowTag { flow_id, key, value: request.value }).await?;
    Ok(Json(Answer::TagSet { flow_id: set.flow_id }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_label_is_set_and_set_again() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        for value in ["mail", "post", ""] {
            let path = format!("/v1/flows/{flow}/tags/team.owner");
            let answer = api.send(Method::PUT, &path, Some(json!({"value": value}))).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
            assert_eq!(answer.body, json!({"TagSet": {"flow_id": flow}}));
            assert_eq!(api.describe_flow(&flow).await["tags"], json!({"team.owner": value}));
            let read = api.send(Method::GET, &path, None).await.body;
            assert_eq!(read, json!({"key": "team.owner", "value": value}));
        }
    }

    #[tokio::test]
    async fn a_bad_key_and_an_unknown_flow_are_refused() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let unknown = "00000000-0000-4000-8000-000000000001";
        for (flow, key, code) in [(flow.as_str(), "NoNamespace", "invalid_tag_key"), (unknown, "a.b", "flow_not_found")]
        {
            let path = format!("/v1/flows/{flow}/tags/{key}");
            let answer = api.send(Method::PUT, &path, Some(json!({"value": "x"}))).await;
            assert_eq!(answer.body["code"], code);
        }
    }
}
