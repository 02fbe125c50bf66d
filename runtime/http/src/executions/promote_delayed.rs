//! `POST /v1/executions/{execution_id}/promote`: make a delayed execution
//! eligible when its time has come. The body may be empty. What does not
//! apply is an outcome.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::{PromoteDelayed, PromoteOutcome};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
}

impl Requested for Request {
    fn when_empty() -> Option<Self> {
        Some(Self::default())
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Promoted,
    NotYetDue,
    NotFoundCleaned,
    NotRunnableCleaned,
    NotDelayedCleaned,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    Ok(Json(match api.engine.promote_delayed(PromoteDelayed { execution_id }).await? {
        PromoteOutcome::Promoted => Answer::Promoted,
        PromoteOutcome::NotYetDue => Answer::NotYetDue,
        PromoteOutcome::NotFoundCleaned => Answer::NotFoundCleaned,
        PromoteOutcome::NotRunnableCleaned => Answer::NotRunnableCleaned,
        PromoteOutcome::NotDelayedCleaned => Answer::NotDelayedCleaned,
    }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::Method;

    #[tokio::test]
    async fn a_delayed_execution_is_promoted_when_its_time_has_come() {
        let api = Harness::new().await;
        let id = api.create_with("mail", json!({"delay_until": api.now() + 1000})).await;
        assert_eq!(api.state(&id).await, "delayed");
        assert_eq!(api.post(&id, "promote", json!({})).await.body, json!("NotYetDue"));
        api.advance(1000);
        let answer = api.send(Method::POST, &format!("/v1/executions/{id}/promote"), None).await;
        assert_eq!(answer.body, json!("Promoted"));
        assert_eq!(api.state(&id).await, "waiting");
        assert_eq!(api.post(&id, "promote", json!({})).await.body, json!("NotDelayedCleaned"));
        api.lease(&id).await;
        assert_eq!(api.post(&id, "promote", json!({})).await.body, json!("NotRunnableCleaned"));
        assert_eq!(api.post(Harness::UNKNOWN, "promote", json!({})).await.body, json!("NotFoundCleaned"));
    }
}
