//! `GET /v1/partitions/{partition}/lanes/{lane_id}/eligible?limit`: eligible
//! executions of one lane in one partition, in their order.

use crate::api::Api;
use crate::error::Refusal;
use crate::ids;
use crate::path::Segments;
use crate::query::Query;
use crate::reads::PAGE_DEFAULT;
use axum::Json;
use axum::extract::State;
use leasehold_core::ids::{ExecutionId, LaneId};
use leasehold_core::partition::Partition;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    executions: Vec<ExecutionId>,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    Segments((partition, lane)): Segments<(u16, String)>,
    Query(request): Query<Request>,
) -> Result<Json<Answer>, Refusal> {
    let lane_id: LaneId = ids::parse("lane_id", &lane)?;
    let limit = request.limit.unwrap_or(PAGE_DEFAULT);
    let executions = api.engine.scan_eligible_executions(&lane_id, Partition::flow(partition), limit).await?;
    Ok(Json(Answer { executions }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn the_highest_priority_comes_first() {
        let api = Harness::new().await;
        let low = api.create_with("a lane", json!({"partition_id": 3})).await;
        let high = api.create_with("a lane", json!({"partition_id": 3, "priority": 9})).await;
        api.create_with("other", json!({"partition_id": 3})).await;
        let path = "/v1/partitions/3/lanes/a%20lane/eligible";
        let answer = api.send(Method::GET, path, None).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({"executions": [high, low]})));
        let answer = api.send(Method::GET, &format!("{path}?limit=1"), None).await;
        assert_eq!(answer.body, json!({"executions": [high]}));
        let answer = api.send(Method::GET, &format!("{path}?limit=0"), None).await;
        assert_eq!(answer.body, json!({"executions": []}));
    }

    #[tokio::test]
    async fn a_bad_place_is_invalid_input() {
        let api = Harness::new().await;
        for path in ["x/lanes/mail", "4/lanes/mail", "0/lanes/%C3%BC"] {
            let answer = api.send(Method::GET, &format!("/v1/partitions/{path}/eligible"), None).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
            assert!(answer.error().starts_with("invalid_input: "), "{path}: {}", answer.body);
        }
    }
}
