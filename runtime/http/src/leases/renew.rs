//! `POST /v1/executions/{execution_id}/renew`: move the expiry of a live
//! lease. A handle renews for its own time unless `lease_ttl_ms` is given; a
//! fence needs `attempt_index` and `lease_ttl_ms` beside it.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::bytes::Base64;
use crate::error::Refusal;
use crate::lease::{Fence, Proof};
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::RenewLease;
use leasehold_core::ids::{AttemptIndex, LeaseEpoch};
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
    lease_ttl_ms: Option<u64>,
}

impl Requested for Request {}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Renewed { expires_at: TimestampMs, lease_epoch: LeaseEpoch },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let renewed = match (api.proof(execution_id, request.handle, request.fence.as_ref())?, request.lease_ttl_ms) {
        (Proof::Handle(held), None) => api.engine.renew(&held.handle).await?,
        (Proof::Handle(held), Some(lease_ttl_ms)) => {
            let (fence, attempt_index) = (held.payload.fence().into(), held.payload.attempt_index);
            api.engine.renew_lease(RenewLease { execution_id, attempt_index, fence, lease_ttl_ms }).await?
        }
        (Proof::Fence(fence), lease_ttl_ms) => {
            let attempt_index = request.attempt_index.ok_or_else(|| Refusal::missing("attempt_index"))?;
            let lease_ttl_ms = lease_ttl_ms.ok_or_else(|| Refusal::missing("lease_ttl_ms"))?;
            api.engine.renew_lease(RenewLease { execution_id, attempt_index, fence, lease_ttl_ms }).await?
        }
    };
    Ok(Json(Answer::Renewed { expires_at: renewed.expires_at, lease_epoch: renewed.lease_epoch }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn a_lease_is_renewed_by_handle_or_by_fence() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let lease = api.lease(&id).await;
        for (body, ttl) in [
            (json!({"handle": lease["handle"]}), Harness::LEASE_TTL_MS),
            (json!({"handle": lease["handle"], "lease_ttl_ms": 9000}), 9000),
            (json!({"fence": lease["fence"], "attempt_index": 0, "lease_ttl_ms": 7000}), 7000),
        ] {
            api.advance(100);
            let answer = api.post(&id, "renew", body).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
            let renewed = json!({"expires_at": api.now() + ttl, "lease_epoch": 1});
            assert_eq!(answer.body, json!({"Renewed": renewed}));
        }
    }

    #[tokio::test]
    async fn a_lapsed_lease_is_not_revived() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let lease = api.lease(&id).await;
        api.advance(Harness::LEASE_TTL_MS);
        let answer = api.post(&id, "renew", json!({"handle": lease["handle"]})).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "already_satisfied"));
        assert_eq!(answer.body["code"], "lease_expired");
    }

    #[tokio::test]
    async fn bad_renewals_are_refused() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let lease = api.lease(&id).await;
        for (body, status, error) in [
            (json!({"attempt_index": 0, "lease_ttl_ms": 5}), 400, "fence_required: "),
            (json!({"fence": lease["fence"], "lease_ttl_ms": 5}), 400, "invalid_input: attempt_index: missing"),
            (json!({"fence": lease["fence"], "attempt_index": 0}), 400, "invalid_input: lease_ttl_ms: missing"),
            (json!({"handle": lease["handle"], "lease_ttl_ms": 0}), 400, "invalid_input: lease_ttl_ms: 0"),
            (json!({"fence": lease["fence"], "attempt_index": 1, "lease_ttl_ms": 5}), 409, "already_satisfied"),
        ] {
            let answer = api.post(&id, "renew", body.clone()).await;
            assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.body);
            assert!(answer.error().starts_with(error), "{body}: {}", answer.body);
        }
        assert_eq!(api.snapshot(&id).await["current_lease"]["expires_at"], lease["lease_expires_at"]);
    }
}
