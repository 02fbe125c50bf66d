//! `GET /v1/suspended?partition&cursor&limit`: suspended executions of one
//! partition, the longest suspended first. At most 1000 at once; a limit of 0
//! gives an empty page.

use crate::api::Api;
use crate::error::Refusal;
use crate::ids;
use crate::query::Query;
use crate::reads::PAGE_DEFAULT;
use axum::Json;
use axum::extract::State;
use leasehold_core::ids::ExecutionId;
use leasehold_core::partition::Partition;
use leasehold_core::time::TimestampMs;
use leasehold_core::wait_lists::SuspendedCursor;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    partition: u16,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Clone, Debug, Serialize)]
struct Entry {
    execution_id: ExecutionId,
    suspended_at_ms: TimestampMs,
    reason: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    entries: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A place in the list: time and execution, with a comma between.
fn cursor(text: &str) -> Result<SuspendedCursor, Refusal> {
    let malformed = || Refusal::invalid_input(format!("cursor: {} is none", text.escape_debug()));
    let (at, id) = text.split_once(',').ok_or_else(malformed)?;
    let suspended_at_ms = TimestampMs(at.parse().map_err(|_| malformed())?);
    Ok(SuspendedCursor { suspended_at_ms, execution_id: ids::parse("cursor", id)? })
}

pub(crate) async fn handle(State(api): State<Api>, Query(request): Query<Request>) -> Result<Json<Answer>, Refusal> {
    let after = request.cursor.as_deref().map(cursor).transpose()?;
    let limit = request.limit.unwrap_or(PAGE_DEFAULT);
    let page = api.engine.list_suspended(Partition::flow(request.partition), after, limit).await?;
    let entries = page.entries.into_iter().map(|info| Entry {
        execution_id: info.execution_id,
        suspended_at_ms: info.suspended_at_ms,
        reason: info.reason.to_string(),
    });
    let next_cursor = page.next_cursor.map(|next| format!("{},{}", next.suspended_at_ms, next.execution_id));
    Ok(Json(Answer { entries: entries.collect(), next_cursor }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn the_longest_suspended_come_first_page_by_page() {
        let api = Harness::new().await;
        let mut waiting = Vec::new();
        for _ in 0..3 {
            api.advance(10);
            waiting.push(api.suspended_with("mail", json!({"partition_id": 2})).await);
        }
        let first = api.send(Method::GET, "/v1/suspended?partition=2&limit=2", None).await;
        assert_eq!(first.status, StatusCode::OK, "{}", first.body);
        let ids: Vec<_> = first.body["entries"].as_array().unwrap().iter().map(|e| e["execution_id"].clone()).collect();
        assert_eq!(ids, [json!(waiting[0].id), json!(waiting[1].id)]);
        assert_eq!(first.body["entries"][0]["reason"], "waiting_for_signal");
        assert_eq!(first.body["entries"][1]["suspended_at_ms"], api.now() - 10);
        // The place stays good when what it names has gone on.
        api.post(&waiting[1].id, "resume", json!({})).await;
        let next = first.body["next_cursor"].as_str().unwrap().replace('{', "%7B").replace('}', "%7D");
        let second = api.send(Method::GET, &format!("/v1/suspended?partition=2&limit=2&cursor={next}"), None).await;
        assert_eq!(second.body["entries"].as_array().unwrap().len(), 1, "{}", second.body);
        assert_eq!(second.body["entries"][0]["execution_id"], waiting[2].id);
        assert!(second.body["next_cursor"].is_null());
        let none = api.send(Method::GET, "/v1/suspended?partition=2&limit=0", None).await;
        assert_eq!(none.body, json!({"entries": []}));
    }

    #[tokio::test]
    async fn a_bad_cursor_or_partition_is_invalid_input() {
        let api = Harness::new().await;
        for query in [
            "partition=0&cursor=x",
            "partition=0&cursor=1,x",
            "partition=0&cursor=x,%7Bfp:0%7D:00000000-0000-0000-0000-000000000001",
            "partition=0&cursor=1,%7Bfp:1%7D:00000000-0000-0000-0000-000000000001",
            "partition=4",
        ] {
            let answer = api.send(Method::GET, &format!("/v1/suspended?{query}"), None).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}: {}", answer.body);
        }
    }
}
