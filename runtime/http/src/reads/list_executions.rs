//! `GET /v1/executions?partition&cursor&limit`: executions of one partition,
//! by id. At most 1000 at once; a limit of 0 gives an empty page.

use super::PAGE_DEFAULT;
use crate::api::Api;
use crate::error::Refusal;
use crate::ids;
use crate::query::Query;
use axum::Json;
use axum::extract::State;
use leasehold_core::ids::ExecutionId;
use leasehold_core::partition::Partition;
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
pub(crate) struct Answer {
    executions: Vec<ExecutionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<ExecutionId>,
}

pub(crate) async fn handle(State(api): State<Api>, Query(request): Query<Request>) -> Result<Json<Answer>, Refusal> {
    let cursor = ids::parse_optional("cursor", request.cursor.as_deref())?;
    let limit = request.limit.unwrap_or(PAGE_DEFAULT);
    let page = api.engine.list_executions(Partition::flow(request.partition), cursor, limit).await?;
    Ok(Json(Answer { executions: page.executions, next_cursor: page.next_cursor }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};
    use serde_json::Value;

    #[tokio::test]
    async fn pages_follow_one_another_without_gap_or_repeat() {
        let api = Harness::new().await;
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(api.create_with("mail", json!({"partition_id": 2})).await);
        }
        ids.sort();
        let mut seen: Vec<String> = Vec::new();
        let mut cursor = String::new();
        loop {
            let answer = api.send(Method::GET, &format!("/v1/executions?partition=2&limit=2{cursor}"), None).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
            let page = answer.body["executions"].as_array().unwrap();
            assert!(page.len() <= 2);
            seen.extend(page.iter().map(|id| id.as_str().unwrap().to_owned()));
            match &answer.body["next_cursor"] {
                Value::String(next) => cursor = format!("&cursor={}", next.replace('{', "%7B").replace('}', "%7D")),
                _ => break,
            }
        }
        assert_eq!(seen, ids);
        let answer = api.send(Method::GET, "/v1/executions?partition=2&limit=0", None).await;
        assert_eq!(answer.body, json!({"executions": []}));
        let answer = api.send(Method::GET, "/v1/executions?partition=2&limit=5000", None).await;
        assert_eq!(answer.body["executions"].as_array().unwrap().len(), 5);
    }

    #[tokio::test]
    async fn a_bad_cursor_or_partition_is_invalid_input() {
        let api = Harness::new().await;
        let stranger = "%7Bfp:1%7D:00000000-0000-0000-0000-000000000001";
        for query in [
            "partition=0&cursor=x".to_owned(),
            "partition=0&cursor=".to_owned(),
            format!("partition=0&cursor={stranger}"),
            "partition=4".to_owned(),
        ] {
            let answer = api.send(Method::GET, &format!("/v1/executions?{query}"), None).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
            assert!(answer.error().starts_with("invalid_input: "), "{query}: {}", answer.body);
        }
    }
}
