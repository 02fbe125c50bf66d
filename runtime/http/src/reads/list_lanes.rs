//! `GET /v1/lanes?cursor&limit`: lanes that any execution was created in, by
//! name.

use super::PAGE_DEFAULT;
use crate::api::Api;
use crate::error::Refusal;
use crate::ids;
use crate::query::Query;
use axum::Json;
use axum::extract::State;
use leasehold_core::ids::LaneId;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    lanes: Vec<LaneId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<LaneId>,
}

pub(crate) async fn handle(State(api): State<Api>, Query(request): Query<Request>) -> Result<Json<Answer>, Refusal> {
    let cursor = ids::parse_optional("cursor", request.cursor.as_deref())?;
    let page = api.engine.list_lanes(cursor, request.limit.unwrap_or(PAGE_DEFAULT)).await?;
    Ok(Json(Answer { lanes: page.lanes, next_cursor: page.next_cursor }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn lanes_are_paged_by_name() {
        let api = Harness::new().await;
        for lane in ["post", "mail", "a lane", "mail"] {
            api.create(lane).await;
        }
        let answer = api.send(Method::GET, "/v1/lanes", None).await;
        assert_eq!(answer.body, json!({"lanes": ["a lane", "mail", "post"]}));
        let answer = api.send(Method::GET, "/v1/lanes?limit=2", None).await;
        assert_eq!(answer.body, json!({"lanes": ["a lane", "mail"], "next_cursor": "mail"}));
        let answer = api.send(Method::GET, "/v1/lanes?limit=2&cursor=mail", None).await;
        assert_eq!(answer.body, json!({"lanes": ["post"]}));
    }

    #[tokio::test]
    async fn a_cursor_that_is_no_lane_is_invalid_input() {
        let api = Harness::new().await;
        let answer = api.send(Method::GET, "/v1/lanes?cursor=", None).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.error(), "invalid_input: cursor: lane id is empty");
    }
}
