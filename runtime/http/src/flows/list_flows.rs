//! `GET /v1/flows?partition&cursor&limit`: flows of one partition, by id. At
//! most 1000 at once; a limit of 0 gives an empty page.

use crate::api::Api;
use crate::error::Refusal;
use crate::ids;
use crate::query::Query;
use crate::reads::PAGE_DEFAULT;
use axum::Json;
use axum::extract::State;
use leasehold_core::ids::FlowId;
use leasehold_core::partition::Partition;
use leasehold_core::time::TimestampMs;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    partition: u16,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Entry {
    flow_id: FlowId,
    created_at: TimestampMs,
    status: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    flows: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<FlowId>,
}

pub(crate) async fn handle(State(api): State<Api>, Query(request): Query<Request>) -> Result<Json<Answer>, Refusal> {
    let cursor = ids::parse_optional("cursor", request.cursor.as_deref())?;
    let limit = request.limit.unwrap_or(PAGE_DEFAULT);
    let page = api.engine.list_flows(Partition::flow(request.partition), cursor, limit).await?;
    let flows = page.flows.iter().map(|flow| Entry {
        flow_id: flow.flow_id,
        created_at: flow.created_at,
        status: flow.status.as_str(),
    });
    Ok(Json(Answer { flows: flows.collect(), next_cursor: page.next_cursor }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, PARTITIONS, json};
    use axum::http::{Method, StatusCode};
    use serde_json::Value;

    #[tokio::test]
    async fn pages_follow_one_another_without_gap_or_repeat() {
        let api = Harness::new().await;
        let mut created = Vec::new();
        for _ in 0..12 {
            created.push(api.flow().await);
        }
        created.sort();
        let mut seen = Vec::new();
        for partition in 0..PARTITIONS {
            let mut cursor = String::new();
            loop {
                let path = format!("/v1/flows?partition={partition}&limit=2{cursor}");
                let page = api.send(Method::GET, &path, None).await.body;
                let flows = page["flows"].as_array().unwrap();
                assert!(flows.len() <= 2 && flows.iter().all(|flow| flow["status"] == "Active"));
                seen.extend(flows.iter().map(|flow| flow["flow_id"].as_str().unwrap().to_owned()));
                match &page["next_cursor"] {
                    Value::String(next) => cursor = format!("&cursor={next}"),
                    _ => break,
                }
            }
        }
        seen.sort();
        assert_eq!(seen, created);
    }

    #[tokio::test]
    async fn what_became_of_a_flow_is_shown() {
        let api = Harness::new().await;
        let (done, cancelled) = (api.flow().await, api.flow().await);
        let member = api.member(&done).await;
        api.complete(&member).await;
        api.post_flow(&cancelled, "cancel", json!({"reason": "x"})).await;
        for (flow, status) in [(&done, "Completed"), (&cancelled, "Cancelled")] {
            let page = api.send(Method::GET, &format!("/v1/flows?partition={}", api.home(flow)), None).await.body;
            let found = page["flows"].as_array().unwrap().iter().find(|entry| entry["flow_id"] == **flow).unwrap();
            assert_eq!(found["status"], status);
        }
        let stranger = api.send(Method::GET, &format!("/v1/flows?partition=9&cursor={done}"), None).await;
        assert_eq!(stranger.status, StatusCode::BAD_REQUEST);
    }
}
