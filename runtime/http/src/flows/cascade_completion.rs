//! `POST /v1/executions/{execution_id}/cascade`: resolve what depends on an
//! ended execution. The engine does so by itself, so mostly nothing is left to
//! resolve. Without a flow in the body the execution's own is meant; the body
//! may be empty.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    flow_id: Option<String>,
}

impl Requested for Request {
    fn when_empty() -> Option<Self> {
        Some(Self::default())
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Answer {
    resolved: u32,
    cascaded_children: u32,
    synchronous: bool,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let flow_id = match ids::parse_optional("flow_id", request.flow_id.as_deref())? {
        Some(flow_id) => Some(flow_id),
        None => api.engine.resolve_execution_flow_id(execution_id).await?,
    };
    let cascade = api.engine.cascade_completion(execution_id, flow_id).await?;
    Ok(Json(Answer {
        resolved: cascade.resolved,
        cascaded_children: cascade.cascaded_children,
        synchronous: cascade.synchronous,
    }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn nothing_is_left_to_resolve_and_asking_again_does_no_harm() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let (first, second) = (api.member(&flow).await, api.member(&flow).await);
        api.depend(&flow, &first, &second).await;
        api.complete(&first).await;
        let alone = api.completed("mail").await;
        for id in [&first, &second, &alone, Harness::UNKNOWN] {
            let answer = api.send(Method::POST, &format!("/v1/executions/{id}/cascade"), None).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
            assert_eq!(answer.body, json!({"resolved": 0, "cascaded_children": 0, "synchronous": true}));
        }
        assert_eq!(api.state(&second).await, "waiting");
    }
}
