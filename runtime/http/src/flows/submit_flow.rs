//! The part of `POST /v1/flows` that takes a whole flow: `members` with names
//! of the author's own, and `edges` between these names. A member may also say
//! `after` which members it comes. No member runs before all of it exists.
//!
//! Where the flow's id is given, everything else may be left to be named: the
//! same declaration is then the same flow, however often it is sent.

use crate::api::Api;
use crate::bytes::Base64;
use crate::error::Refusal;
use crate::ids;
use leasehold_contract::{CreateExecution, FlowEdgeSpec, FlowNodeSpec, FlowSpec, SubmitFlowOutcome};
use leasehold_core::flow::PolicySpec;
use leasehold_core::ids::{ExecutionId, FlowId, Namespace};
use leasehold_core::partition::PartitionFamily;
use leasehold_core::time::TimestampMs;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Member {
    name: String,
    #[serde(default)]
    execution_id: Option<String>,
    lane_id: String,
    execution_kind: String,
    #[serde(default)]
    input_payload: Base64,
    #[serde(default)]
    payload_encoding: Option<String>,
    #[serde(default)]
    priority: i32,
    #[serde(default)]
    creator_identity: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    policy: Option<Value>,
    #[serde(default)]
    delay_until: Option<TimestampMs>,
    #[serde(default)]
    execution_deadline_at: Option<TimestampMs>,
    /// How many of those before it must succeed.
    #[serde(default)]
    join: Option<PolicySpec>,
    /// Names of members that come before it.
    #[serde(default)]
    after: Vec<String>,
}

/// A dependency between two names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edge {
    #[serde(default)]
    edge_id: Option<String>,
    upstream: String,
    downstream: String,
    #[serde(default)]
    data_passing_ref: Option<String>,
}

/// What became of a whole flow.
pub(super) struct Submitted {
    pub outcome: SubmitFlowOutcome,
    pub members: BTreeMap<String, ExecutionId>,
}

/// Builds the flow.
pub(super) async fn submit(
    api: &Api,
    flow_id: FlowId,
    flow_kind: String,
    namespace: Namespace,
    members: Vec<Member>,
    edges: Vec<Edge>,
) -> Result<Submitted, Refusal> {
    let partition = api.partitions.partition_of(PartitionFamily::Flow, flow_id.as_uuid().as_bytes()).index;
    let mut nodes = Vec::with_capacity(members.len());
    let mut pairs = edges;
    for member in members {
        let before = member.after.iter().map(|upstream| Edge {
            edge_id: None,
            upstream: upstream.clone(),
            downstream: member.name.clone(),
            data_passing_ref: None,
        });
        pairs.extend(before);
        nodes.push(node(member, flow_id, partition, &namespace)?);
    }
    let edges = pairs.into_iter().enumerate().map(|(index, edge)| {
        let given = ids::parse_optional("edge_id", edge.edge_id.as_deref())?;
        Ok(FlowEdgeSpec {
            edge_id: given.unwrap_or_else(|| FlowSpec::edge_id(flow_id, index)),
            upstream: edge.upstream,
            downstream: edge.downstream,
            data_passing_ref: edge.data_passing_ref,
        })
    });
    let edges = edges.collect::<Result<_, Refusal>>()?;
    let members = nodes.iter().map(|node| (node.name.clone(), node.execution.execution_id)).collect();
    let spec = FlowSpec { flow_id, flow_kind, namespace, nodes, edges };
    Ok(Submitted { outcome: api.engine.submit_flow(spec).await?, members })
}

fn node(member: Member, flow_id: FlowId, partition: u16, namespace: &Namespace) -> Result<FlowNodeSpec, Refusal> {
    let given = ids::parse_optional("execution_id", member.execution_id.as_deref())?;
    let policy_json = member.policy.as_ref().map(crate::executions::create_execution::policy_json).transpose()?;
    Ok(FlowNodeSpec {
        execution: CreateExecution {
            execution_id: given.unwrap_or_else(|| FlowSpec::node_id(flow_id, partition, &member.name)),
            namespace: namespace.clone(),
            lane_id: ids::parse("lane_id", &member.lane_id)?,
            execution_kind: member.execution_kind.into(),
            input_payload: member.input_payload.decoded("input_payload")?,
            payload_encoding: member.payload_encoding.map(Into::into),
            priority: member.priority,
            creator_identity: member.creator_identity.into(),
            idempotency_key: None,
            tags: member.tags,
            policy_json,
            delay_until: member.delay_until,
            execution_deadline_at: member.execution_deadline_at,
        },
        name: member.name,
        policy: member.join,
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{Answer, Harness, json};
    use axum::http::{Method, StatusCode};
    use serde_json::Value;

    const FLOW: &str = "11111111-2222-4333-8444-555555555555";

    async fn submit(api: &Harness, members: Value, edges: Value) -> Answer {
        let body = json!({
            "flow_id": FLOW, "flow_kind": "deploy", "namespace": "tenant", "members": members, "edges": edges,
        });
        api.send(Method::POST, "/v1/flows", Some(body)).await
    }

    fn member(name: &str, after: &[&str]) -> Value {
        json!({"name": name, "lane_id": "mail", "execution_kind": "send", "after": after})
    }

    #[tokio::test]
    async fn a_whole_flow_is_declared_in_one_body_and_runs_in_order() {
        let api = Harness::new().await;
        let members = json!([member("build", &[]), member("test", &["build"]), member("ship", &[])]);
        let edges = json!([{"upstream": "test", "downstream": "ship", "data_passing_ref": "all"}]);
        let answer = submit(&api, members.clone(), edges.clone()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        let told = answer.body["Submitted"].clone();
        assert_eq!((&told["flow_id"], &told["node_count"], &told["edge_count"]), (&json!(FLOW), &json!(3), &json!(2)));
        let id = |name: &str| told["members"][name].as_str().unwrap().to_owned();
        for (name, state) in [("build", "waiting"), ("test", "waiting_children"), ("ship", "waiting_children")] {
            assert_eq!(api.state(&id(name)).await, state, "{name}");
        }
        for name in ["build", "test", "ship"] {
            api.complete(&id(name)).await;
        }
        assert_eq!(api.describe_flow(FLOW).await["public_flow_state"], "completed");
        let again = submit(&api, members, edges).await;
        assert_eq!((again.status, &again.body["AlreadySatisfied"]), (StatusCode::OK, &told));
        let listed = api.send(Method::GET, &format!("/v1/flows/{FLOW}/members"), None).await.body;
        assert_eq!(listed["members"][1]["name"], "test");
    }

    #[tokio::test]
    async fn a_join_of_a_declared_flow_opens_at_its_quorum() {
        let api = Harness::new().await;
        let mut join = member("join", &["a", "b", "c"]);
        join["join"] = json!({"kind": "quorum", "k": 2, "on_satisfied": "cancel_remaining"});
        let members = json!([member("a", &[]), member("b", &[]), member("c", &[]), join]);
        let told = submit(&api, members, json!([])).await.body["Submitted"]["members"].clone();
        let id = |name: &str| told[name].as_str().unwrap().to_owned();
        api.complete(&id("a")).await;
        assert_eq!(api.state(&id("join")).await, "waiting_children");
        api.complete(&id("b")).await;
        assert_eq!(api.state(&id("join")).await, "waiting");
    }

    #[tokio::test]
    async fn a_flow_of_many_parts_is_built_whole() {
        let api = Harness::new().await;
        let mut members = vec![member("first", &[])];
        members.extend((0..250).map(|number| member(&format!("m{number}"), &["first"])));
        let answer = submit(&api, json!(members), json!([])).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        let shown = api.describe_flow(FLOW).await;
        assert_eq!((&shown["node_count"], &shown["edge_count"]), (&json!(251), &json!(250)));
        assert_eq!(shown["summary"]["members_waiting_children"], 250);
        api.complete(answer.body["Submitted"]["members"]["first"].as_str().unwrap()).await;
        assert_eq!(api.describe_flow(FLOW).await["summary"]["members_waiting"], 250);
    }

    #[tokio::test]
    async fn what_is_no_graph_builds_nothing() {
        let api = Harness::new().await;
        for (members, edges, status, error) in [
            (json!([member("a", &["b"])]), json!([]), 400, "invalid_input: edges[0]: there is no node b"),
            (json!([member("a", &["a"])]), json!([]), 409, "self_referencing_edge"),
            (json!([member("a", &["b"]), member("b", &["a"])]), json!([]), 409, "cycle_detected"),
            (json!([member("a", &[]), member("a", &[])]), json!([]), 400, "invalid_input: nodes[1]: name: a is taken"),
            (json!([{"name": "a"}]), json!([]), 422, "invalid JSON: "),
            (json!([member("a", &[])]), json!([{"from": "a"}]), 422, "invalid JSON: "),
        ] {
            let answer = submit(&api, members, edges).await;
            assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
            assert!(answer.error().starts_with(error), "{}", answer.body);
        }
        assert!(api.all().await.is_empty());
        assert_eq!(api.send(Method::GET, &format!("/v1/flows/{FLOW}"), None).await.status, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn another_flow_under_the_same_id_is_refused() {
        let api = Harness::new().await;
        submit(&api, json!([member("a", &[])]), json!([])).await;
        let answer = submit(&api, json!([member("b", &[])]), json!([])).await;
        assert_eq!(
            (answer.status, answer.error()),
            (StatusCode::BAD_REQUEST, "invalid_input: flow_id: another flow has it")
        );
    }
}
