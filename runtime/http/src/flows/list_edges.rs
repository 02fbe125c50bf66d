//! `GET /v1/flows/{flow_id}/edges?outgoing|incoming`: the dependencies that
//! leave or enter the member that is named, by id.

use super::views::Edge;
use crate::api::Api;
use crate::error::Refusal;
use crate::ids;
use crate::path::FlowTarget;
use crate::query::Query;
use axum::Json;
use axum::extract::State;
use leasehold_contract::EdgeDirection;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    outgoing: Option<String>,
    #[serde(default)]
    incoming: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    edges: Vec<Edge>,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    FlowTarget(flow_id): FlowTarget,
    Query(request): Query<Request>,
) -> Result<Json<Answer>, Refusal> {
    let direction = match (&request.outgoing, &request.incoming) {
        (Some(id), None) => EdgeDirection::Outgoing(ids::parse("outgoing", id)?),
        (None, Some(id)) => EdgeDirection::Incoming(ids::parse("incoming", id)?),
        _ => return Err(Refusal::invalid_input("outgoing and incoming: give one of them")),
    };
    let edges = api.engine.list_edges(flow_id, direction).await?;
    Ok(Json(Answer { edges: edges.into_iter().map(Into::into).collect() }))
}

#[cfg(test)]
mod tests {
    use crate::testing::Harness;
    use axum::http::{Method, StatusCode};
    use serde_json::Value;

    async fn edges(api: &Harness, flow: &str, query: &str) -> Vec<Value> {
        let path = format!("/v1/flows/{flow}/edges?{}", query.replace('{', "%7B").replace('}', "%7D"));
        let answer = api.send(Method::GET, &path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body["edges"].as_array().unwrap().clone()
    }

    #[tokio::test]
    async fn dependencies_are_listed_by_id_from_either_end() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let (first, second, third) = (api.member(&flow).await, api.member(&flow).await, api.member(&flow).await);
        let mut out = vec![
            api.depend(&flow, &first, &second).await,
            api.depend(&flow, &first, &third).await,
            api.depend(&flow, &first, &third).await,
        ];
        out.sort();
        let listed = edges(&api, &flow, &format!("outgoing={first}")).await;
        assert_eq!(listed.iter().map(|edge| edge["edge_id"].clone()).collect::<Vec<_>>(), out);
        let listed = edges(&api, &flow, &format!("incoming={third}")).await;
        assert_eq!(listed.len(), 2);
        assert!(listed.iter().all(|edge| edge["upstream_execution_id"] == first));
        assert!(edges(&api, &flow, &format!("incoming={first}")).await.is_empty());
        assert!(edges(&api, &flow, &format!("incoming={}", Harness::UNKNOWN)).await.is_empty());
    }

    #[tokio::test]
    async fn one_direction_is_asked_for() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        for query in ["", "?outgoing=x", "?outgoing=a&incoming=b"] {
            let answer = api.send(Method::GET, &format!("/v1/flows/{flow}/edges{query}"), None).await;
            assert_eq!((answer.status, answer.body["code"].as_str()), (StatusCode::BAD_REQUEST, Some("invalid_input")));
        }
    }
}
