//! `set_flow_tag`: one label of a flow.

use super::graph::{cancelling, flow, flow_id, header, refused, unheard};
use crate::case::Case;
use leasehold_contract::{CancelWait, FlowTagSet, SetFlowTag};
use leasehold_core::ids::FlowId;
use leasehold_core::record::flow::CancellationPolicy;

fn tag(flow: FlowId, key: &str, value: &str) -> SetFlowTag {
    SetFlowTag { flow_id: flow, key: key.to_owned(), value: value.to_owned() }
}

pub async fn a_tag_is_added_and_overwritten(case: &mut Case) {
    let flow = flow(case).await;
    for value in ["one", "two", ""] {
        case.advance(5);
        let set = case.engine.set_flow_tag(tag(flow, "team.name", value)).await;
        assert_eq!(set, Ok(FlowTagSet { flow_id: flow }));
        let header = header(case, flow).await;
        assert_eq!(header.tags.get("team.name").map(String::as_str), Some(value));
        assert_eq!((header.last_mutation_at, header.graph_revision), (case.now(), 0));
    }
    case.kill().await;
    assert_eq!(case.engine.describe_flow(flow).await.unwrap().unwrap().tags.len(), 1);
}

pub async fn the_same_value_changes_nothing(case: &mut Case) {
    let flow = flow(case).await;
    case.engine.set_flow_tag(tag(flow, "team.name", "one")).await.unwrap();
    case.advance(5);
    let again = unheard(case, flow, case.engine.set_flow_tag(tag(flow, "team.name", "one"))).await;
    assert_eq!(again, Ok(FlowTagSet { flow_id: flow }));
}

pub async fn a_cancelled_flow_is_tagged_too(case: &mut Case) {
    let flow = flow(case).await;
    let cancel = cancelling(flow, CancellationPolicy::CancelAll);
    case.engine.cancel_flow(cancel, CancelWait::NoWait).await.unwrap();
    case.engine.set_flow_tag(tag(flow, "team.name", "one")).await.unwrap();
    assert!(header(case, flow).await.cancelled.is_some());
}

pub async fn keys_follow_the_grammar_before_anything_else(case: &mut Case) {
    let (known, unknown) = (flow(case).await, flow_id(case));
    for key in ["", "team", "Team.name", "1team.name", "team.", ".name", "team.Name", "te am.name", "team\0.name"] {
        for flow in [known, unknown] {
            refused(case, known, case.engine.set_flow_tag(tag(flow, key, "v")), "invalid_tag_key").await;
        }
    }
    refused(case, unknown, case.engine.set_flow_tag(tag(unknown, "team.name", "v")), "flow_not_found").await;
}

pub async fn values_and_their_number_are_limited(case: &mut Case) {
    let flow = flow(case).await;
    for value in ["v".repeat(1025), "a\0b".to_owned()] {
        refused(case, flow, case.engine.set_flow_tag(tag(flow, "team.name", &value)), "invalid_input").await;
    }
    for number in 0..64 {
        let value = if number == 0 { "v".repeat(1024) } else { String::new() };
        case.engine.set_flow_tag(tag(flow, &format!("tag.n{number}"), &value)).await.unwrap();
    }
    refused(case, flow, case.engine.set_flow_tag(tag(flow, "tag.more", "v")), "invalid_input").await;
    case.engine.set_flow_tag(tag(flow, "tag.n3", "changed")).await.unwrap();
}
