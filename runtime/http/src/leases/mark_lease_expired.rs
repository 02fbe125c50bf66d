//! `POST /v1/executions/{execution_id}/mark-expired`: mark a lease that ran
//! out, so that the execution can be reclaimed. The body may be empty. What
//! does not apply is an outcome.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::{MarkExpiredOutcome, MarkLeaseExpired};
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
    MarkedExpired,
    AlreadySatisfied { reason: &'static str },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let outcome = api.engine.mark_lease_expired_if_due(MarkLeaseExpired { execution_id }).await?;
    Ok(Json(match outcome {
        MarkExpiredOutcome::MarkedExpired => Answer::MarkedExpired,
        MarkExpiredOutcome::AlreadySatisfied { reason } => Answer::AlreadySatisfied { reason },
    }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use serde_json::Value;

    #[tokio::test]
    async fn a_lease_is_marked_once_it_ran_out() {
        let api = Harness::new().await;
        let satisfied = |reason: &str| json!({"AlreadySatisfied": {"reason": reason}});
        let id = api.create("mail").await;
        let mark = async |id: &str| -> Value { api.post(id, "mark-expired", json!({})).await.body };
        assert_eq!(mark(&id).await, satisfied("not_active"));
        api.lease(&id).await;
        assert_eq!(mark(&id).await, satisfied("not_yet_expired"));
        api.advance(Harness::LEASE_TTL_MS);
        assert_eq!(mark(&id).await, json!("MarkedExpired"));
        assert_eq!(mark(&id).await, satisfied("already_expired"));
        assert_eq!(mark(Harness::UNKNOWN).await, satisfied("execution_not_found"));
    }
}
