//! `GET /v1/executions/{execution_id}/pending-waitpoints?after&limit`: where
//! an execution takes signals, by id, without the tokens. 100 unless the
//! caller says otherwise, 1000 at most.

use crate::api::Api;
use crate::error::Refusal;
use crate::ids;
use crate::path::Target;
use crate::query::Query;
use axum::Json;
use axum::extract::State;
use leasehold_contract::ListPendingWaitpoints;
use leasehold_core::ids::{ExecutionId, WaitpointId};
use leasehold_core::record::WaitpointState;
use leasehold_core::time::TimestampMs;
use leasehold_core::wait_lists::PendingWaitpointInfo;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Clone, Debug, Serialize)]
struct Entry {
    waitpoint_id: WaitpointId,
    waitpoint_key: String,
    state: WaitpointState,
    required_signal_names: Vec<String>,
    created_at: TimestampMs,
    #[serde(skip_serializing_if = "Option::is_none")]
    activated_at: Option<TimestampMs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<TimestampMs>,
    execution_id: ExecutionId,
    token_kid: String,
    token_fingerprint: String,
}

impl From<PendingWaitpointInfo> for Entry {
    fn from(info: PendingWaitpointInfo) -> Self {
        Self {
            waitpoint_id: info.waitpoint_id,
            waitpoint_key: info.waitpoint_key,
            state: info.state,
            required_signal_names: info.required_signal_names,
            created_at: info.created_at,
            activated_at: info.activated_at,
            expires_at: info.expires_at,
            execution_id: info.execution_id,
            token_kid: info.token_kid,
            token_fingerprint: info.token_fingerprint,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    waitpoints: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<WaitpointId>,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    Target(execution_id): Target,
    Query(request): Query<Request>,
) -> Result<Json<Answer>, Refusal> {
    let after = ids::parse_optional("after", request.after.as_deref())?;
    let list = ListPendingWaitpoints { execution_id, after, limit: request.limit };
    let page = api.engine.list_pending_waitpoints(list).await?;
    let waitpoints = page.entries.into_iter().map(Into::into).collect();
    Ok(Json(Answer { waitpoints, next_cursor: page.next_cursor }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn waitpoints_are_listed_without_their_tokens() {
        let api = Harness::new().await;
        let waiting = api.suspended("mail").await;
        let path = format!("/v1/executions/{}/pending-waitpoints", waiting.id);
        let answer = api.send(Method::GET, &path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let entry = &answer.body["waitpoints"][0];
        assert_eq!((&entry["state"], &entry["waitpoint_key"]), (&json!("active"), &json!("approval")));
        assert_eq!((&entry["token_kid"], &entry["execution_id"]), (&json!("k1"), &json!(waiting.id)));
        let token = waiting.signal("x")["waitpoint_token"].as_str().unwrap().to_owned();
        assert!(!answer.body.to_string().contains(&token));
        assert!(token.contains(entry["token_fingerprint"].as_str().unwrap()));
    }

    #[tokio::test]
    async fn pages_follow_one_another() {
        let api = Harness::new().await;
        api.seed().await;
        let id = api.create("mail").await;
        let lease = api.lease(&id).await;
        for key in ["a", "b", "c"] {
            let body = json!({"handle": lease["handle"], "waitpoint_key": key, "expires_in_ms": 60_000});
            assert_eq!(api.post(&id, "waitpoints", body).await.status, StatusCode::CREATED);
        }
        let mut seen = Vec::new();
        let mut after = String::new();
        loop {
            let path = format!("/v1/executions/{id}/pending-waitpoints?limit=2{after}");
            let page = api.send(Method::GET, &path, None).await.body;
            seen.extend(page["waitpoints"].as_array().unwrap().iter().map(|entry| entry["waitpoint_id"].clone()));
            match page["next_cursor"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), 3);
        assert!(seen.is_sorted_by_key(|id| id.as_str().unwrap().to_owned()));
    }

    #[tokio::test]
    async fn of_an_unknown_execution_there_is_no_list() {
        let api = Harness::new().await;
        let path = format!("/v1/executions/{}/pending-waitpoints", Harness::UNKNOWN);
        let answer = api.send(Method::GET, &path, None).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "execution_not_found"));
        let id = api.create("mail").await;
        assert_eq!(api.pending_waitpoints(&id).await, json!([]));
        let answer = api.send(Method::GET, &format!("/v1/executions/{id}/pending-waitpoints?after=x"), None).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
}
