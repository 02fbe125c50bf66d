//! `create_flow`: an empty flow.

use super::graph::{contents, counts, flow, flow_id, header, home, refused, unheard};
use crate::case::Case;
use leasehold_contract::CreateFlowOutcome;
use leasehold_core::flow::PublicFlowState;
use leasehold_core::ids::Namespace;

pub async fn a_new_flow_is_empty_and_open(case: &mut Case) {
    case.advance(5);
    let id = flow(case).await;
    let header = header(case, id).await;
    assert_eq!((header.flow_id, header.partition), (id, home(case, id)));
    assert_eq!((header.flow_kind.as_str(), header.namespace.as_str()), ("deploy", "tenant"));
    assert_eq!((header.graph_revision, header.node_count, header.edge_count), (0, 0, 0));
    assert_eq!((header.created_at, header.last_mutation_at), (case.now(), case.now()));
    assert_eq!((header.cancelled.as_ref(), header.tags.len(), header.sealed), (None, 0, true));
    assert_eq!(counts(case, id).await, []);
    let found = contents(case, id).await;
    assert!(found.continuation.is_none() && found.pending.is_none() && found.build.is_none());
    let shown = case.engine.describe_flow(id).await.unwrap().unwrap();
    assert_eq!(shown.public_flow_state, PublicFlowState::Open);
    assert_eq!(case.log(home(case, id)).await, []);
}

pub async fn a_repeat_finds_it_whatever_it_says(case: &mut Case) {
    let id = flow(case).await;
    case.advance(5);
    for (kind, namespace) in [("deploy", "tenant"), ("other", "tenant"), ("deploy", "elsewhere")] {
        let again = case.engine.create_flow(id, kind.to_owned(), Namespace::new(namespace));
        assert_eq!(unheard(case, id, again).await, Ok(CreateFlowOutcome::AlreadySatisfied { flow_id: id }));
    }
}

pub async fn kinds_no_store_can_keep_are_refused(case: &mut Case) {
    let id = flow_id(case);
    for kind in ["a\0b".to_owned(), "k".repeat(257)] {
        let create = case.engine.create_flow(id, kind, Namespace::new("tenant"));
        refused(case, id, create, "invalid_input").await;
    }
    let longest = case.engine.create_flow(id, "k".repeat(256), Namespace::new("tenant")).await;
    assert_eq!(longest, Ok(CreateFlowOutcome::Created { flow_id: id }));
}

pub async fn it_outlives_a_crash(case: &mut Case) {
    let id = flow(case).await;
    let before = header(case, id).await;
    case.kill().await;
    assert_eq!(header(case, id).await, before);
    let again = case.engine.create_flow(id, "deploy".to_owned(), Namespace::new("tenant")).await;
    assert_eq!(again, Ok(CreateFlowOutcome::AlreadySatisfied { flow_id: id }));
}
