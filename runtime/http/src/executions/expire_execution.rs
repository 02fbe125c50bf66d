//! `POST /v1/executions/{execution_id}/expire`: end an execution whose attempt
//! timeout or deadline is due. What does not apply is an outcome.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::{ExpireExecution, ExpireOutcome, ExpirePhase};
use leasehold_core::ids::AttemptIndex;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    phase: String,
    #[serde(default)]
    attempt_index: Option<AttemptIndex>,
}

impl Requested for Request {}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Expired,
    AlreadyTerminal,
    NotFoundCleaned,
    NotYetDue,
    NotArmed,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let phase = ExpirePhase::parse(&request.phase)
        .ok_or_else(|| Refusal::invalid_input("phase: attempt_timeout or execution_deadline"))?;
    let expire = ExpireExecution { execution_id, phase, attempt_index: request.attempt_index };
    Ok(Json(match api.engine.expire_execution(expire).await? {
        ExpireOutcome::Expired => Answer::Expired,
        ExpireOutcome::AlreadyTerminal => Answer::AlreadyTerminal,
        ExpireOutcome::NotFoundCleaned => Answer::NotFoundCleaned,
        ExpireOutcome::NotYetDue => Answer::NotYetDue,
        ExpireOutcome::NotArmed => Answer::NotArmed,
    }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn a_deadline_ends_the_execution_when_it_is_due() {
        let api = Harness::new().await;
        let at = api.now() + 1000;
        let id = api.create_with("mail", json!({"execution_deadline_at": at})).await;
        let expire = json!({"phase": "execution_deadline"});
        assert_eq!(api.post(&id, "expire", expire.clone()).await.body, json!("NotYetDue"));
        assert_eq!(api.post(&id, "expire", json!({"phase": "attempt_timeout"})).await.body, json!("NotArmed"));
        api.advance(1000);
        assert_eq!(api.post(&id, "expire", expire.clone()).await.body, json!("Expired"));
        assert_eq!(api.state(&id).await, "expired");
        assert_eq!(api.post(&id, "expire", expire.clone()).await.body, json!("AlreadyTerminal"));
        assert_eq!(api.post(Harness::UNKNOWN, "expire", expire).await.body, json!("NotFoundCleaned"));
    }

    #[tokio::test]
    async fn an_unknown_phase_is_invalid_input() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let answer = api.post(&id, "expire", json!({"phase": "suspension"})).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.error().starts_with("invalid_input: phase"), "{}", answer.body);
    }
}
