//! `POST /v1/executions/{execution_id}/progress`: a worker says how far it is.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::bytes::Base64;
use crate::error::Refusal;
use crate::lease::Fence;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
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
    percent: Option<i64>,
    #[serde(default)]
    message: Option<String>,
}

impl Requested for Request {}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    ProgressUpdated { updated_at: TimestampMs },
}

fn percent(given: i64) -> Result<u8, Refusal> {
    u8::try_from(given).map_err(|_| Refusal::invalid_input(format!("percent: {given}, from 0 to 100")))
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let proof = api.proof(execution_id, request.handle, request.fence.as_ref())?;
    let handle = api.handle_of(execution_id, proof)?;
    let percent = request.percent.map(percent).transpose()?;
    let updated = api.engine.progress(&handle, percent, request.message).await?;
    Ok(Json(Answer::ProgressUpdated { updated_at: updated.updated_at }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn what_is_not_given_stays_as_it_was() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let lease = api.lease(&id).await;
        let answer =
            api.post(&id, "progress", json!({"handle": lease["handle"], "percent": 40, "message": "half"})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body["ProgressUpdated"]["updated_at"], api.now());
        let answer = api.post(&id, "progress", json!({"fence": lease["fence"], "percent": 60})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let fields = api.fields(&id, "progress_pct,progress_message").await;
        assert_eq!(fields, json!({"progress_pct": "60", "progress_message": "half"}));
    }

    #[tokio::test]
    async fn bad_progress_is_refused() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let lease = api.lease(&id).await;
        for (body, error) in [
            (json!({"percent": 5}), "fence_required: "),
            (json!({"fence": {"lease_epoch": 1}, "percent": 5}), "partial_fence_triple: "),
            (json!({"handle": lease["handle"], "percent": 101}), "invalid_input: percent: 101"),
            (json!({"handle": lease["handle"], "percent": 256}), "invalid_input: percent: 256"),
            (json!({"handle": lease["handle"], "percent": -1}), "invalid_input: percent: -1"),
        ] {
            let answer = api.post(&id, "progress", body).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST);
            assert!(answer.error().starts_with(error), "{}", answer.body);
        }
        assert_eq!(api.fields(&id, "progress_pct").await, json!({"progress_pct": null}));
    }
}
