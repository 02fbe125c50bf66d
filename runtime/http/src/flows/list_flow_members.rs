//! `GET /v1/flows/{flow_id}/members?cursor&limit`: members in the order in
//! which they joined, each with what comes before it. At most 1000 at once,
//! fewer where members have many dependencies.

use super::views::{Group, slot};
use crate::api::Api;
use crate::error::Refusal;
use crate::path::FlowTarget;
use crate::query::Query;
use crate::reads::PAGE_DEFAULT;
use axum::Json;
use axum::extract::State;
use leasehold_contract::{FlowMember, InboundEdge};
use leasehold_core::ids::{EdgeId, ExecutionId, LaneId};
use leasehold_core::state::PublicState;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    cursor: Option<u32>,
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Inbound {
    edge_id: EdgeId,
    upstream_execution_id: ExecutionId,
    state: &'static str,
    passes_data: bool,
}

impl From<&InboundEdge> for Inbound {
    fn from(edge: &InboundEdge) -> Self {
        Self {
            edge_id: edge.edge_id,
            upstream_execution_id: edge.upstream_execution_id,
            state: slot(edge.state),
            passes_data: edge.passes_data,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct Member {
    execution_id: ExecutionId,
    ordinal: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    execution_kind: String,
    lane_id: LaneId,
    public_state: PublicState,
    #[serde(skip_serializing_if = "Option::is_none")]
    edge_group: Option<Group>,
    inbound: Vec<Inbound>,
}

impl From<FlowMember> for Member {
    fn from(member: FlowMember) -> Self {
        Self {
            execution_id: member.execution_id,
            ordinal: member.ordinal,
            name: member.name,
            execution_kind: member.execution_kind,
            lane_id: member.lane_id,
            public_state: member.public_state,
            edge_group: member.edge_group.map(Into::into),
            inbound: member.inbound.iter().map(Into::into).collect(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    members: Vec<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<u32>,
}

pub(crate) async fn handle(
    State(api): State<Api>,
    FlowTarget(flow_id): FlowTarget,
    Query(request): Query<Request>,
) -> Result<Json<Answer>, Refusal> {
    let limit = request.limit.unwrap_or(PAGE_DEFAULT);
    let page = api.engine.list_flow_members(flow_id, request.cursor, limit).await?;
    Ok(Json(Answer { members: page.members.into_iter().map(Into::into).collect(), next_cursor: page.next_cursor }))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Harness, json};
    use axum::http::{Method, StatusCode};

    #[tokio::test]
    async fn members_are_listed_as_they_joined_with_what_comes_before_them() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let (first, second, third) = (api.member(&flow).await, api.member(&flow).await, api.member(&flow).await);
        let edge = api.depend(&flow, &first, &third).await;
        api.depend(&flow, &second, &third).await;
        api.complete(&first).await;
        let path = format!("/v1/flows/{flow}/members");
        let page = api.send(Method::GET, &format!("{path}?limit=2"), None).await.body;
        assert_eq!(page["members"][0]["execution_id"], first);
        assert_eq!(page["members"][0]["public_state"], "completed");
        assert_eq!((&page["members"][1]["inbound"], &page["members"][1]["edge_group"]), (&json!([]), &json!(null)));
        assert_eq!(page["next_cursor"], 1);
        let page = api.send(Method::GET, &format!("{path}?limit=2&cursor=1"), None).await.body;
        let member = &page["members"][0];
        assert_eq!((&member["execution_id"], &member["ordinal"]), (&json!(third), &json!(2)));
        assert_eq!(member["edge_group"]["running_count"], 1);
        let before = json!({
            "edge_id": edge, "upstream_execution_id": first, "state": "satisfied", "passes_data": false,
        });
        assert_eq!(member["inbound"][0], before);
        assert_eq!(member["inbound"][1]["state"], "unsatisfied");
        assert!(page["next_cursor"].is_null());
        let past = api.send(Method::GET, &format!("{path}?cursor=2"), None).await.body;
        assert_eq!(past, json!({"members": []}));
        let none = api.send(Method::GET, &format!("{path}?limit=0"), None).await.body;
        assert_eq!(none, json!({"members": []}));
    }

    #[tokio::test]
    async fn more_members_than_a_stored_page_holds_are_all_listed_once() {
        let api = Harness::new().await;
        let flow = api.flow().await;
        let mut joined = Vec::new();
        for _ in 0..300 {
            joined.push(api.member(&flow).await);
        }
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/flows/{flow}/members?limit=110{cursor}");
            let page = api.send(Method::GET, &path, None).await.body;
            let members = page["members"].as_array().unwrap();
            seen.extend(members.iter().map(|member| member["execution_id"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_u64() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, joined);
    }

    #[tokio::test]
    async fn of_an_unknown_flow_there_is_no_list() {
        let api = Harness::new().await;
        let answer = api.send(Method::GET, "/v1/flows/00000000-0000-4000-8000-000000000001/members", None).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "flow_not_found"));
    }
}
