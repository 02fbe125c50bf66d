//! `POST /v1/executions/{execution_id}/fail`: end the attempt in failure;
//! another follows if the retry policy says so.
//!
//! With a handle, `failure_class` must be given and stands for an absent
//! `failure_category`. With a fence both are as they are, and `source` may say
//! that an operator fails it, who needs no fence.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::bytes::Base64;
use crate::error::Refusal;
use crate::lease::{self, Fence, Held, Proof};
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use leasehold_contract::{CommandSource, FailExecution, FailOutcome, FailureReason};
use leasehold_core::backoff::FailureClass;
use leasehold_core::ids::{AttemptIndex, ExecutionId};
use leasehold_core::time::TimestampMs;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    handle: Option<Base64>,
    #[serde(default)]
    fence: Option<Fence>,
    #[serde(default)]
    attempt_index: Option<AttemptIndex>,
    #[serde(default)]
    failure_reason: String,
    #[serde(default)]
    failure_category: String,
    #[serde(default)]
    failure_class: Option<String>,
    #[serde(default)]
    retry_policy_json: Option<String>,
    #[serde(default)]
    source: Option<String>,
}

impl Requested for Request {}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    RetryScheduled { delay_until: TimestampMs, next_attempt_index: AttemptIndex },
    TerminalFailed,
}

impl From<FailOutcome> for Answer {
    fn from(outcome: FailOutcome) -> Self {
        match outcome {
            FailOutcome::RetryScheduled { delay_until, next_attempt_index } => {
                Self::RetryScheduled { delay_until, next_attempt_index }
            }
            FailOutcome::TerminalFailed => Self::TerminalFailed,
        }
    }
}

fn class(text: &str) -> Result<FailureClass, Refusal> {
    FailureClass::parse(text)
        .ok_or_else(|| Refusal::invalid_input("failure_class: transient, permanent, infra_crash, timeout or cancelled"))
}

impl Request {
    async fn by_handle(self, api: &Api, held: &Held, class: Option<FailureClass>) -> Result<FailOutcome, Refusal> {
        let class = class.ok_or_else(|| Refusal::missing("failure_class"))?;
        let category = self.failure_category;
        if self.retry_policy_json.is_none() {
            let detail = (!category.is_empty()).then(|| Bytes::from(category));
            let reason = FailureReason { message: self.failure_reason, detail };
            return Ok(api.engine.fail(&held.handle, reason, class).await?);
        }
        // A handle has no room for a policy; its fence says as much.
        let fail = FailExecution {
            execution_id: held.payload.execution_id,
            fence: held.payload.fence().into(),
            attempt_index: Some(held.payload.attempt_index),
            failure_reason: self.failure_reason,
            failure_category: if category.is_empty() { class.as_str().to_owned() } else { category },
            failure_class: Some(class),
            retry_policy_json: self.retry_policy_json,
            source: CommandSource::LeaseHolder,
        };
        Ok(api.engine.fail_execution(fail).await?)
    }
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(mut request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id: ExecutionId = target.agreeing(request.execution_id.as_deref())?;
    let failure_class = request.failure_class.as_deref().map(class).transpose()?;
    let outcome = match api.proof(execution_id, request.handle.take(), request.fence.as_ref())? {
        Proof::Handle(held) => request.by_handle(&api, &held, failure_class).await?,
        Proof::Fence(fence) => {
            let fail = FailExecution {
                execution_id,
                fence,
                attempt_index: request.attempt_index,
                failure_reason: request.failure_reason,
                failure_category: request.failure_category,
                failure_class,
                retry_policy_json: request.retry_policy_json,
                source: lease::source(request.source.as_deref()),
            };
            api.engine.fail_execution(fail).await?
        }
    };
    Ok(Json(outcome.into()))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    const RETRY_ONCE: &str = r#"{"max_retries": 1, "backoff": {"type": "fixed", "delay_ms": 500}}"#;

    #[tokio::test]
    async fn without_a_policy_the_first_failure_is_final_and_may_be_repeated() {
        let api = Harness::new().await;
        for proof in ["handle", "fence"] {
            let id = api.create("mail").await;
            let lease = api.lease(&id).await;
            let body = json!({proof: lease[proof], "failure_reason": "broken", "failure_class": "transient"});
            for _ in 0..2 {
                let answer = api.post(&id, "fail", body.clone()).await;
                assert_eq!((answer.status, answer.body), (StatusCode::OK, json!("TerminalFailed")));
            }
            assert_eq!(api.state(&id).await, "failed");
        }
    }

    #[tokio::test]
    async fn a_policy_given_with_the_failure_schedules_a_retry() {
        let api = Harness::new().await;
        for proof in ["handle", "fence"] {
            let id = api.create("mail").await;
            let lease = api.lease(&id).await;
            let body = json!({proof: lease[proof], "failure_class": "transient", "retry_policy_json": RETRY_ONCE});
            let answer = api.post(&id, "fail", body).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
            let retry = json!({"delay_until": api.now() + 500, "next_attempt_index": 1});
            assert_eq!(answer.body, json!({"RetryScheduled": retry}));
            assert_eq!(api.state(&id).await, "delayed");
        }
    }

    #[tokio::test]
    async fn a_permanent_failure_is_not_retried_and_names_its_category() {
        let api = Harness::new().await;
        let policy = json!({"retry_policy": {"max_retries": 5}});
        let id = api.create_with("mail", json!({"policy": policy})).await;
        let lease = api.lease(&id).await;
        let body = json!({
            "handle": lease["handle"], "failure_reason": "no", "failure_class": "permanent",
            "failure_category": "bad_input",
        });
        assert_eq!(api.post(&id, "fail", body).await.body, json!("TerminalFailed"));
        assert_eq!(api.attempts(&id).await[0]["failure_category"], "bad_input");
    }

    #[tokio::test]
    async fn an_operator_says_so_and_needs_no_fence() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        api.lease(&id).await;
        let answer = api.post(&id, "fail", json!({"source": "operator_override", "failure_reason": "stop"})).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!("TerminalFailed")));
    }

    #[tokio::test]
    async fn what_is_refused_leaves_the_execution_running() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let lease = api.lease(&id).await;
        for (body, status, error) in [
            (json!({"failure_reason": "x"}), 400, "fence_required: "),
            (json!({"fence": {"lease_epoch": 1}}), 400, "partial_fence_triple: "),
            (json!({"handle": lease["handle"]}), 400, "invalid_input: failure_class: missing"),
            (json!({"handle": lease["handle"], "failure_class": "odd"}), 400, "invalid_input: failure_class: "),
            (json!({"fence": lease["fence"], "failure_reason": "x".repeat(4097)}), 400, "invalid_input: "),
            (json!({"fence": lease["fence"], "failure_category": "x".repeat(257)}), 400, "invalid_input: "),
            (json!({"fence": lease["fence"], "attempt_index": 3}), 409, "already_satisfied"),
        ] {
            let answer = api.post(&id, "fail", body.clone()).await;
            assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.body);
            assert!(answer.error().starts_with(error), "{body}: {}", answer.body);
            assert_eq!(api.state(&id).await, "active");
        }
    }
}
