//! `POST /v1/executions/{execution_id}/waitpoints/{waitpoint_id}/close`: give
//! up a pending waitpoint. The body may be empty; `because` is `abandonment`
//! unless it says `expiry`, which acts only when its time is out.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use crate::path::{Segments, Target};
use axum::Json;
use axum::extract::State;
use leasehold_contract::{CloseWaitpoint, CloseWaitpointOutcome, GiveUp};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Because {
    #[default]
    Abandonment,
    Expiry,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    because: Because,
}

impl Requested for Request {
    fn when_empty() -> Option<Self> {
        Some(Self::default())
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Closed,
    AlreadyClosed,
    NotYetDue,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Segments((_, waitpoint_id)): Segments<(String, String)>,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let close = CloseWaitpoint {
        execution_id: target.agreeing(request.execution_id.as_deref())?,
        waitpoint_id: ids::parse("waitpoint_id", &waitpoint_id)?,
        because: match request.because {
            Because::Abandonment => GiveUp::Abandonment,
            Because::Expiry => GiveUp::Expiry,
        },
    };
    Ok(Json(match api.engine.close_waitpoint(close).await? {
        CloseWaitpointOutcome::Closed => Answer::Closed,
        CloseWaitpointOutcome::AlreadyClosed => Answer::AlreadyClosed,
        CloseWaitpointOutcome::NotYetDue => Answer::NotYetDue,
    }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_pending_waitpoint_is_given_up() {
        let api = Harness::new().await;
        api.seed().await;
        let id = api.create("mail").await;
        let lease = api.lease(&id).await;
        let body = json!({"handle": lease["handle"], "waitpoint_key": "a", "expires_in_ms": 60_000});
        let pending = api.post(&id, "waitpoints", body).await.body["Created"]["waitpoint_id"].clone();
        let action = format!("waitpoints/{}/close", pending.as_str().unwrap());
        assert_eq!(api.post(&id, &action, json!({"because": "expiry"})).await.body, json!("NotYetDue"));
        let path = format!("/v1/executions/{id}/{action}");
        assert_eq!(api.send(Method::POST, &path, None).await.body, json!("Closed"));
        assert_eq!(api.send(Method::POST, &path, None).await.body, json!("AlreadyClosed"));
        assert_eq!(api.pending_waitpoints(&id).await, json!([]));
    }

    #[tokio::test]
    async fn an_active_one_and_a_stranger_stay() {
        let api = Harness::new().await;
        let waiting = api.suspended("mail").await;
        let action = format!("waitpoints/{}/close", waiting.waitpoint_id);
        let answer = api.post(&waiting.id, &action, json!({})).await;
        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (StatusCode::CONFLICT, Some("waitpoint_not_pending"))
        );
        let action = "waitpoints/00000000-0000-4000-8000-000000000001/close";
        let answer = api.post(&waiting.id, action, json!({})).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "waitpoint_not_found"));
        assert_eq!(api.post(&waiting.id, "waitpoints/x/close", json!({})).await.status, StatusCode::BAD_REQUEST);
    }
}
