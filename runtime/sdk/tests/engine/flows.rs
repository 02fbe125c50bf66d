//! Flows, declared in one expression.

use crate::rig::Rig;
use leasehold_contract::{Flows, Reads};
use leasehold_core::ids::{ExecutionId, FlowId};
use leasehold_core::state::PublicState;
use leasehold_sdk::{Flow, OnSatisfied, PayloadBytes};
use uuid::Uuid;

/// Two roots and what needs both.
fn pair(rig: &Rig) -> Flow {
    let client = &rig.client;
    client
        .flow("pair")
        .node("last", client.submit("last", "own"))
        .after(["left"])
        .takes(["right"])
        .node("left", client.submit("root", "left"))
        .node("right", client.submit("root", "right"))
}

#[tokio::test]
async fn a_declared_flow_runs_in_the_order_of_its_dependencies() {
    let rig = Rig::start().await;
    let flow = rig.at_once(pair(&rig).send()).await.unwrap();
    let state = |name: &str| rig.engine.read_execution_state(flow.members[name]);
    assert_eq!(state("last").await.unwrap(), Some(PublicState::WaitingChildren));
    assert_eq!(state("left").await.unwrap(), Some(PublicState::Waiting));
    let echo = |PayloadBytes(bytes)| async move { [b"result of ", &bytes[..]].concat() };
    rig.worker().on("root", echo).on("last", echo).start().await.unwrap();
    let outcome = rig.outcome(flow.members["last"]).await;
    assert_eq!(outcome.public_state, PublicState::Completed);
    assert_eq!(outcome.result.as_deref(), Some(&b"result of result of right"[..]));
    assert!(rig.engine.describe_flow(flow.flow_id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_node_may_need_only_some_of_what_it_waits_for() {
    let rig = Rig::start().await;
    let client = &rig.client;
    let nodes = ["a", "b", "c"];
    let lane = |name: &str| if name == "a" { "nobody" } else { "default" };
    let races =
        |flow: Flow| nodes.iter().fold(flow, |flow, name| flow.node(*name, client.submit(*name, "").lane(lane(name))));
    let any = races(client.flow("any")).node("join", client.submit("join", "")).after(nodes);
    let any = any.any_of(OnSatisfied::CancelRemaining).await.unwrap();
    let two = races(client.flow("two")).node("join", client.submit("join", "")).after(nodes);
    let two = two.quorum(2, OnSatisfied::LetRun).await.unwrap();
    let fine = || async {};
    rig.worker().on("b", fine).on("c", fine).on("join", fine).start().await.unwrap();
    assert!(rig.outcome(any.members["join"]).await.is_success());
    assert_eq!(rig.outcome(any.members["a"]).await.public_state, PublicState::Cancelled);
    assert!(rig.outcome(two.members["join"]).await.is_success());
    assert_eq!(rig.engine.read_execution_state(two.members["a"]).await.unwrap(), Some(PublicState::Waiting));
}

#[tokio::test]
async fn a_given_id_makes_a_repeat_safe() {
    let rig = Rig::start().await;
    let id = FlowId::from_uuid(Uuid::from_u128(7));
    let first = pair(&rig).flow_id(id).await.unwrap();
    let again = pair(&rig).flow_id(id).await.unwrap();
    assert!(!first.duplicate && again.duplicate);
    assert_eq!((first.flow_id, &first.members), (id, &again.members));
    let other = pair(&rig).flow_id(id).node("more", rig.client.submit("more", ""));
    let refused = other.await.unwrap_err();
    assert_eq!(refused.code(), "invalid_input");
    assert!(refused.to_string().contains("another flow has it"), "{refused}");
    assert_ne!(pair(&rig).await.unwrap().flow_id, pair(&rig).await.unwrap().flow_id);
}

#[tokio::test]
async fn nodes_that_name_no_namespace_are_in_that_of_the_flow() {
    let rig = Rig::start().await;
    let flow = pair(&rig).namespace("tenant").await.unwrap();
    let namespace = rig.engine.get_execution_namespace(flow.members["left"]).await.unwrap().unwrap();
    assert_eq!(namespace.as_str(), "tenant");
    let foreign = pair(&rig).namespace("tenant").node("own", rig.client.submit("own", "").namespace("other"));
    let refused = foreign.await.unwrap_err().to_string();
    assert!(refused.contains("nodes[3]: namespace: not the flow's"), "{refused}");
}

#[tokio::test]
async fn what_cannot_become_a_flow_is_refused_and_leaves_nothing() {
    let rig = Rig::start().await;
    let client = &rig.client;
    let node = |name: &str| client.submit(name.to_owned(), "");
    let flow = || client.flow("wrong");
    let elsewhere = ExecutionId::from_parts(0, Uuid::from_u128(1));
    let nowhere = ExecutionId::from_parts(1, Uuid::from_u128(1));
    for (flow, expected) in [
        (flow().after(["a"]).node("a", node("a")), "after: no node is declared before it"),
        (flow().any_of(OnSatisfied::LetRun).node("a", node("a")), "policy: no node is declared before it"),
        (flow().node("a", node("a")).after(["b"]), "edges[0]: there is no node b"),
        (flow().node("a", node("a")).after(["a"]), "self_referencing_edge"),
        (flow().node("a", node("a")).after(["b"]).node("b", node("b")).after(["a"]), "cycle_detected"),
        (flow().node("a", node("a")).node("a", node("a")), "nodes[1]: name: a is taken"),
        (flow().node("a", node("a")).quorum(0, OnSatisfied::LetRun), "quorum k must be >= 1"),
        (flow().node("a", node("a").idempotency_key("k")), "nodes[0]: idempotency_key: "),
        (flow().node("a", node("a").lane("")), "lane"),
        (flow().namespace("").node("a", node("a")), "namespace"),
        (flow().node("a", node("a").execution_id(elsewhere)).node("b", node("b").execution_id(nowhere)), "partition"),
    ] {
        let refused = flow.await.unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
    for partition in 0..4 {
        let partition = leasehold_core::partition::Partition {
            family: leasehold_core::partition::PartitionFamily::Flow,
            index: partition,
        };
        assert_eq!(rig.engine.list_executions(partition, None, 10).await.unwrap().executions, []);
    }
}
