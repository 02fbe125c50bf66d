//! `POST /v1/executions/{execution_id}/resume`: let a suspended execution go
//! on, whatever its condition says. The body may be empty.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::ResumeExecution;
use leasehold_core::record::ResumeTrigger;
use leasehold_core::state::PublicState;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    trigger_type: Option<String>,
    #[serde(default)]
    resume_delay_ms: u64,
}

impl Requested for Request {
    fn when_empty() -> Option<Self> {
        Some(Self::default())
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Resumed { public_state: PublicState },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let given = request.trigger_type.as_deref().unwrap_or(ResumeTrigger::Signal.as_str());
    let unknown = || Refusal::invalid_input(format!("trigger_type: {} is none", given.escape_debug()));
    let trigger = ResumeTrigger::parse(given).ok_or_else(unknown)?;
    let resume = ResumeExecution { execution_id, trigger, resume_delay_ms: request.resume_delay_ms };
    let resumed = api.engine.resume_execution(resume).await?;
    Ok(Json(Answer::Resumed { public_state: resumed.public_state }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn an_operator_lets_an_execution_go_on_once() {
        let api = Harness::new().await;
        let waiting = api.suspended("mail").await;
        let path = format!("/v1/executions/{}/resume", waiting.id);
        let answer = api.send(Method::POST, &path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body, json!({"Resumed": {"public_state": "resumable"}}));
        let answer = api.send(Method::POST, &path, None).await;
        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (StatusCode::CONFLICT, Some("execution_not_suspended"))
        );
    }

    #[tokio::test]
    async fn it_may_go_on_later() {
        let api = Harness::new().await;
        let waiting = api.suspended("mail").await;
        let answer = api.post(&waiting.id, "resume", json!({"trigger_type": "magic"})).await;
        assert_eq!(answer.error(), "invalid_input: trigger_type: magic is none");
        let body = json!({"trigger_type": "operator", "resume_delay_ms": 500});
        let answer = api.post(&waiting.id, "resume", body).await;
        assert_eq!(answer.body, json!({"Resumed": {"public_state": "delayed"}}));
    }
}
