//! `POST /v1/executions/{execution_id}/reclaim-claim`: use a reclaim grant and
//! start a new attempt. The lease's and the attempt's ids are minted unless
//! given.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::error::Refusal;
use crate::ids;
use crate::lease::LeaseView;
use crate::path::Target;
use axum::Json;
use axum::extract::State;
use leasehold_contract::{ReclaimClaim, ReclaimExecution};
use leasehold_core::ids::ExecutionId;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    worker_id: String,
    worker_instance_id: String,
    #[serde(default)]
    lease_id: Option<String>,
    lease_ttl_ms: u64,
    #[serde(default)]
    attempt_id: Option<String>,
    #[serde(default)]
    attempt_policy_json: Option<String>,
    #[serde(default)]
    max_reclaim_count: Option<u32>,
}

impl Requested for Request {}

#[derive(Clone, Debug, Serialize)]
pub(crate) enum Answer {
    Claimed(Box<LeaseView>),
    NotReclaimable { execution_id: ExecutionId, detail: String },
    ReclaimCapExceeded { execution_id: ExecutionId, reclaim_count: u32 },
    GrantNotFound,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(request): Body<Request>,
) -> Result<Json<Answer>, Refusal> {
    let reclaim = ReclaimExecution {
        execution_id: target.agreeing(request.execution_id.as_deref())?,
        worker_id: ids::worker("worker_id", &request.worker_id)?,
        worker_instance_id: ids::worker("worker_instance_id", &request.worker_instance_id)?,
        lease_id: api.lease_id(request.lease_id.as_deref())?,
        lease_ttl_ms: request.lease_ttl_ms,
        attempt_id: api.attempt_id(request.attempt_id.as_deref())?,
        attempt_policy_json: request.attempt_policy_json,
        max_reclaim_count: request.max_reclaim_count,
    };
    Ok(Json(match api.engine.reclaim_execution(reclaim).await? {
        ReclaimClaim::Claimed(claimed) => Answer::Claimed(Box::new((*claimed).into())),
        ReclaimClaim::NotReclaimable { execution_id, detail } => Answer::NotReclaimable { execution_id, detail },
        ReclaimClaim::ReclaimCapExceeded { execution_id, reclaim_count } => {
            Answer::ReclaimCapExceeded { execution_id, reclaim_count }
        }
        ReclaimClaim::GrantNotFound => Answer::GrantNotFound,
    }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::StatusCode;

    #[tokio::test]
    async fn a_promised_execution_is_reclaimed_under_a_new_attempt() {
        let api = Harness::new().await;
        let id = api.lost("mail", json!({})).await;
        let answer = api.post(&id, "reclaim-claim", Harness::claim_body("mail")).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!("GrantNotFound")));
        api.post(&id, "reclaim", Harness::grant_body("mail")).await;
        let answer = api.post(&id, "reclaim-claim", Harness::claim_body("mail")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let lease = &answer.body["Claimed"];
        assert_eq!(lease["kind"], "reclaimed");
        assert_eq!(lease["attempt_type"], "reclaim");
        assert_eq!(lease["attempt_index"], 1);
        let answer = api.post(&id, "reclaim-claim", Harness::claim_body("mail")).await;
        let outcome = json!({"execution_id": id, "detail": "execution_not_reclaimable"});
        assert_eq!(answer.body, json!({"NotReclaimable": outcome}));
    }

    #[tokio::test]
    async fn the_cap_of_the_caller_counts_where_no_policy_says_one() {
        let api = Harness::new().await;
        let id = api.lost("mail", json!({})).await;
        api.post(&id, "reclaim", Harness::grant_body("mail")).await;
        let mut body = Harness::claim_body("mail");
        body["max_reclaim_count"] = json!(0);
        let answer = api.post(&id, "reclaim-claim", body).await;
        assert_eq!(answer.body, json!({"ReclaimCapExceeded": {"execution_id": id, "reclaim_count": 0}}));
        assert_eq!(api.state(&id).await, "failed");
    }

    #[tokio::test]
    async fn an_unknown_execution_and_bad_ids_are_refused() {
        let api = Harness::new().await;
        let answer = api.post(Harness::UNKNOWN, "reclaim-claim", Harness::claim_body("mail")).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "execution_not_found"));
        let mut body = Harness::claim_body("mail");
        body["lease_id"] = json!("X");
        let answer = api.post(Harness::UNKNOWN, "reclaim-claim", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.error().starts_with("invalid_input: lease_id"), "{}", answer.body);
    }
}
