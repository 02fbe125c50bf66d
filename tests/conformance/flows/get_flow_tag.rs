//! `get_flow_tag`: one label of a flow.

use super::graph::{flow, flow_id, unheard};
use crate::case::Case;
use leasehold_contract::SetFlowTag;

pub async fn a_tag_is_read_as_it_was_set(case: &mut Case) {
    let flow = flow(case).await;
    let value = "\u{e4} b".to_owned();
    let args = SetFlowTag { flow_id: flow, key: "team.name".to_owned(), value: value.clone() };
    case.engine.set_flow_tag(args).await.unwrap();
    assert_eq!(unheard(case, flow, case.engine.get_flow_tag(flow, "team.name")).await, Ok(Some(value.clone())));
    case.kill().await;
    assert_eq!(case.engine.get_flow_tag(flow, "team.name").await, Ok(Some(value)));
}

pub async fn without_tag_or_flow_there_is_none(case: &mut Case) {
    let flow = flow(case).await;
    for (flow, key) in [(flow, "team.name"), (flow, "Odd"), (flow_id(case), "team.name")] {
        assert_eq!(case.engine.get_flow_tag(flow, key).await, Ok(None));
    }
}
