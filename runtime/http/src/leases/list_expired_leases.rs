//! `GET /v1/expired-leases?as_of&cursor&limit&namespace`: active executions
//! whose lease ran out, over all partitions, by expiry.

use crate::api::Api;
use crate::error::Refusal;
use crate::ids;
use crate::query::Query;
use axum::Json;
use axum::extract::State;
use leasehold_contract::{ExpiredLeaseEntry, ListExpiredLeases};
use leasehold_core::ids::{AttemptIndex, ExecutionId, LeaseEpoch, LeaseId, WorkerInstanceId};
use leasehold_core::time::TimestampMs;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    as_of: Option<TimestampMs>,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    namespace: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Entry {
    execution_id: ExecutionId,
    lease_id: LeaseId,
    lease_epoch: LeaseEpoch,
    worker_instance_id: WorkerInstanceId,
    expires_at: TimestampMs,
    attempt_index: AttemptIndex,
}

impl From<ExpiredLeaseEntry> for Entry {
    fn from(entry: ExpiredLeaseEntry) -> Self {
        Self {
            execution_id: entry.execution_id,
            lease_id: entry.lease_id,
            lease_epoch: entry.lease_epoch,
            worker_instance_id: entry.worker_instance_id,
            expires_at: entry.expires_at,
            attempt_index: entry.attempt_index,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    entries: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A place in the list: the expiry in ms, a colon, the execution.
fn read_cursor(text: &str) -> Result<(TimestampMs, ExecutionId), Refusal> {
    let (at, id) =
        text.split_once(':').ok_or_else(|| Refusal::invalid_input("cursor: not one that a page has given"))?;
    Ok((TimestampMs(ids::parse("cursor", at)?), ids::parse("cursor", id)?))
}

pub(crate) async fn handle(State(api): State<Api>, Query(request): Query<Request>) -> Result<Json<Answer>, Refusal> {
    let list = ListExpiredLeases {
        as_of: request.as_of,
        after: request.cursor.as_deref().map(read_cursor).transpose()?,
        limit: request.limit,
        namespace: ids::parse_optional("namespace", request.namespace.as_deref())?,
    };
    let page = api.engine.list_expired_leases(list).await?;
    Ok(Json(Answer {
        entries: page.entries.into_iter().map(Entry::from).collect(),
        next_cursor: page.next.map(|(at, id)| format!("{at}:{id}")),
    }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn lost_leases_are_paged_by_expiry() {
        let api = Harness::new().await;
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(api.create("mail").await);
            api.lease(ids.last().unwrap()).await;
            api.advance(10);
        }
        let answer = api.send(Method::GET, "/v1/expired-leases", None).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({"entries": []})));
        api.advance(Harness::LEASE_TTL_MS);
        let answer = api.send(Method::GET, "/v1/expired-leases?limit=2&namespace=tenant", None).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body["entries"][0]["execution_id"], ids[0]);
        assert_eq!(answer.body["entries"][1]["execution_id"], ids[1]);
        assert_eq!(answer.body["entries"][1]["worker_instance_id"], "operator");
        let cursor = answer.body["next_cursor"].as_str().unwrap().replace('{', "%7B").replace('}', "%7D");
        let answer = api.send(Method::GET, &format!("/v1/expired-leases?cursor={cursor}"), None).await;
        assert_eq!(answer.body["entries"].as_array().unwrap().len(), 1);
        assert_eq!(answer.body["entries"][0]["execution_id"], ids[2]);
        assert!(answer.body.get("next_cursor").is_none());
        let answer = api.send(Method::GET, "/v1/expired-leases?namespace=other", None).await;
        assert_eq!(answer.body, json!({"entries": []}));
    }

    #[tokio::test]
    async fn a_bad_cursor_is_invalid_input() {
        let api = Harness::new().await;
        for query in ["cursor=x", "cursor=5:x", "cursor=x:%7Bfp:0%7D:x", "namespace=", "as_of=x", "limit=x"] {
            let answer = api.send(Method::GET, &format!("/v1/expired-leases?{query}"), None).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
            assert!(answer.error().starts_with("invalid_input: "), "{query}: {}", answer.body);
        }
    }
}
