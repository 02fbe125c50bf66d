//! `POST /v1/executions/{execution_id}/revoke-lease`: take a lease away from
//! its worker. The body may be empty.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::{RevokeLease, RevokeOutcome};
use leasehold_core::ids::{LeaseEpoch, LeaseId};
use serde::{Deserialize, Serialize};

/// The reason unless the caller gives one.
const REASON_DEFAULT: &str = "operator_revoke";

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    expected_lease_id: Option<String>,
    /// Whose lease it must be; empty means anybody's.
    #[serde(default)]
    worker_instance_id: String,
    #[serde(default)]
    reason: Option<String>,
}

impl Requested for Request {
    fn when_empty() -> Option<Self> {
        Some(Self::default())
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    Revoked { lease_id: LeaseId, lease_epoch: LeaseEpoch },
    AlreadySatisfied { reason: &'static str },
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let instance = Some(request.worker_instance_id.as_str()).filter(|instance| !instance.is_empty());
    let revoke = RevokeLease {
        execution_id,
        expected_lease_id: ids::parse_optional("expected_lease_id", request.expected_lease_id.as_deref())?,
        worker_instance_id: ids::parse_optional("worker_instance_id", instance)?,
        reason: request.reason.unwrap_or_else(|| REASON_DEFAULT.to_owned()),
    };
    Ok(Json(match api.engine.revoke_lease(revoke).await? {
        RevokeOutcome::Revoked { lease_id, lease_epoch } => Answer::Revoked { lease_id, lease_epoch },
        RevokeOutcome::AlreadySatisfied { reason } => Answer::AlreadySatisfied { reason },
    }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn a_lease_is_taken_away_and_its_worker_is_told() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let lease = api.lease(&id).await;
        let path = format!("/v1/executions/{id}/revoke-lease");
        let answer = api.send(Method::POST, &path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body, json!({"Revoked": {"lease_id": lease["lease_id"], "lease_epoch": 1}}));
        assert_eq!(api.fields(&id, "lease_revoke_reason").await, json!({"lease_revoke_reason": "operator_revoke"}));
        let answer = api.send(Method::POST, &path, None).await;
        assert_eq!(answer.body, json!({"AlreadySatisfied": {"reason": "already_revoked"}}));
        let answer = api.post(&id, "complete", json!({"handle": lease["handle"]})).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "already_satisfied"));
        assert_eq!(answer.body["code"], "lease_revoked");
    }

    #[tokio::test]
    async fn only_the_expected_lease_is_taken_away() {
        let api = Harness::new().await;
        let id = api.create("mail").await;
        let path = "revoke-lease";
        let answer = api.post(&id, path, json!({})).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::CONFLICT, "execution_not_active"));
        api.lease(&id).await;
        let other = "00000000-0000-0000-0000-000000000001";
        let answer = api.post(&id, path, json!({"expected_lease_id": other})).await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (StatusCode::CONFLICT, Some("stale_lease")));
        let answer = api.post(&id, path, json!({"worker_instance_id": "somebody"})).await;
        assert_eq!(answer.body, json!({"AlreadySatisfied": {"reason": "different_worker_instance_id"}}));
        let answer = api.post(&id, path, json!({"expected_lease_id": "x"})).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.error().starts_with("invalid_input: expected_lease_id"), "{}", answer.body);
        assert_eq!(api.fields(&id, "lease_revoked_at").await, json!({"lease_revoked_at": null}));
    }
}
