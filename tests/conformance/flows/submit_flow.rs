//! `submit_flow`: a whole flow in one call, which is built in parts and runs
//! once all of it is there.

use super::graph::{
    all_of, any_of, application, cancelling, contents, counts, flow_id, header, home, kept, member_record, neighbour,
    outcome, public, quorum, refused, refused_as, setting, staging, succeed, succeed_with, unheard,
};
use super::shapes::{fan_in, fan_out, ids, line, spec, submit};
use crate::case::{Case, meets};
use crate::states::{WAITING, awaiting};
use bytes::Bytes;
use leasehold_contract::{CancelWait, FlowSpec, SubmitFlowOutcome};
use leasehold_core::error::EngineError;
use leasehold_core::flow::{EdgeGroupPolicy, OnSatisfied, PublicFlowState};
use leasehold_core::ids::Namespace;
use leasehold_core::record::BlobKind;
use leasehold_core::record::flow::{CancellationPolicy, FlowKey, FlowRecord};
use leasehold_core::state::{PublicState, TerminalOutcome};
use leasehold_tests::harness::act::policy;

pub async fn a_declared_flow_exists_and_runs(case: &mut Case) {
    let mut spec = spec(case, 4, &[(0, 1), (0, 2), (1, 3), (2, 3)]);
    spec.edges[0].data_passing_ref = Some("all".to_owned());
    spec.nodes[3].policy = Some(any_of("let_run"));
    spec.nodes[2].execution.priority = 7;
    let (flow, nodes) = (spec.flow_id, ids(&spec));
    case.advance(5);
    let submitted = case.engine.submit_flow(spec.clone()).await;
    assert_eq!(submitted, Ok(SubmitFlowOutcome::Submitted { node_count: 4, edge_count: 4 }));
    let header = header(case, flow).await;
    assert_eq!((header.graph_revision, header.node_count, header.edge_count), (8, 4, 4));
    assert_eq!((header.sealed, header.created_at, header.flow_kind.as_str()), (true, case.now(), "deploy"));
    assert_eq!(case.vector(nodes[0]).await, WAITING);
    for id in &nodes[1..] {
        assert_eq!(case.vector(*id).await, awaiting("pending_first_attempt"));
        assert_eq!(case.story(*id).await, [""; 0]);
    }
    assert_eq!(case.record(nodes[2]).await.priority, 7);
    let last = member_record(case, flow, nodes[3]).await;
    assert_eq!((last.ordinal, last.name.as_deref(), last.inbound.applied), (3, Some("3"), 2));
    assert_eq!(last.inbound.policy, Some(EdgeGroupPolicy::AnyOf { on_satisfied: OnSatisfied::LetRun }));
    assert_eq!(counts(case, flow).await, [(PublicState::Waiting, 1), (PublicState::WaitingChildren, 3)]);
    let found = contents(case, flow).await;
    assert!(found.build.is_none() && found.continuation.is_none());
    assert!(spec.edges.iter().all(|edge| found.edges.contains_key(&edge.edge_id)));

    succeed_with(case, nodes[0], Some(Bytes::from_static(b"passed on"))).await;
    assert_eq!(case.blob(nodes[1], BlobKind::Payload).await.unwrap(), Bytes::from_static(b"passed on"));
    assert_eq!(case.blob(nodes[2], BlobKind::Payload).await.unwrap(), Bytes::from_static(b"payload"));
    succeed(case, nodes[1]).await;
    succeed(case, nodes[3]).await;
    assert_eq!(case.engine.describe_flow(flow).await.unwrap().unwrap().public_flow_state, PublicFlowState::Open);
}

pub async fn a_flow_of_nothing_is_a_flow(case: &mut Case) {
    let spec = spec(case, 0, &[]);
    let submitted = case.engine.submit_flow(spec.clone()).await;
    assert_eq!(submitted, Ok(SubmitFlowOutcome::Submitted { node_count: 0, edge_count: 0 }));
    assert!(header(case, spec.flow_id).await.sealed);
}

pub async fn a_repeat_finds_it_as_it_was_submitted(case: &mut Case) {
    for spec in [line(case, 3), fan_out(case, 150), spec(case, 0, &[])] {
        let flow = spec.flow_id;
        let (node_count, edge_count) = (spec.nodes.len() as u32, spec.edges.len() as u32);
        case.engine.submit_flow(spec.clone()).await.unwrap();
        case.advance(5);
        let again = unheard(case, flow, case.engine.submit_flow(spec.clone())).await;
        assert_eq!(again, Ok(SubmitFlowOutcome::AlreadySatisfied { node_count, edge_count }));
        if let Some(first) = ids(&spec).first() {
            succeed(case, *first).await;
        }
        case.kill().await;
        let again = unheard(case, flow, case.engine.submit_flow(spec)).await;
        assert_eq!(again, Ok(SubmitFlowOutcome::AlreadySatisfied { node_count, edge_count }));
    }
}

pub async fn another_flow_does_not_take_its_id(case: &mut Case) {
    let spec = line(case, 3);
    submit(case, spec.clone()).await;
    let mut kind = spec.clone();
    kind.flow_kind = "other".into();
    let mut payload = spec.clone();
    payload.nodes[1].execution.input_payload = Bytes::from_static(b"other");
    let mut join = spec.clone();
    join.nodes[1].policy = Some(all_of());
    let mut shorter = spec.clone();
    shorter.edges.pop();
    for other in [kind, payload, join, shorter] {
        let detail = "flow_id: another flow has it";
        refused_as(case, spec.flow_id, case.engine.submit_flow(other), "invalid_input", detail).await;
    }
    let created = super::graph::flow(case).await;
    let under_it = FlowSpec { flow_id: created, nodes: Vec::new(), edges: Vec::new(), ..spec };
    refused(case, created, case.engine.submit_flow(under_it), "invalid_input").await;
}

pub async fn a_large_flow_is_built_in_parts(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_in(case, 300, quorum(299, "let_run"))).await;
    let header = header(case, flow).await;
    assert_eq!((header.node_count, header.edge_count, header.graph_revision), (301, 300, 601));
    assert_eq!(counts(case, flow).await, [(PublicState::Waiting, 300), (PublicState::WaitingChildren, 1)]);
    let child = member_record(case, flow, nodes[300]).await;
    assert_eq!((child.inbound.staged(), child.inbound.applied, child.inbound.running()), (300, 300, 300));
    assert_eq!(contents(case, flow).await.members.iter().map(|(id, _)| *id).collect::<Vec<_>>(), nodes);
}

pub async fn payloads_too_many_for_one_part_are_built_too(case: &mut Case) {
    let mut spec = line(case, 5);
    for (number, node) in spec.nodes.iter_mut().enumerate() {
        node.execution.input_payload = Bytes::from(vec![number as u8; 1 << 20]);
    }
    let (_, nodes) = submit(case, spec).await;
    for (number, id) in nodes.iter().enumerate() {
        assert_eq!(case.blob(*id, BlobKind::Payload).await.unwrap(), Bytes::from(vec![number as u8; 1 << 20]));
    }
}

/// Builds a part or two and is then cut off; how many nodes there are.
pub async fn begun(case: &Case, spec: &FlowSpec) -> usize {
    let mut submit = case.engine.submit_flow(spec.clone());
    loop {
        // Nothing is sent while the store is looked at.
        if let std::task::Poll::Ready(outcome) = futures::poll!(&mut submit) {
            panic!("it was built at once: {outcome:?}");
        }
        if kept(case, FlowKey::Build(spec.flow_id)).await.is_some() {
            drop(submit);
            case.settle().await;
            let built = header(case, spec.flow_id).await;
            assert!(!built.sealed && (built.node_count as usize) < spec.nodes.len(), "{built:?}");
            return built.node_count as usize;
        }
        tokio::task::yield_now().await;
    }
}

pub async fn what_is_not_sealed_does_not_run(case: &mut Case) {
    let spec = fan_out(case, 200);
    let built = begun(case, &spec).await;
    let (flow, nodes) = (spec.flow_id, ids(&spec));
    for id in &nodes[..built] {
        assert_eq!(case.vector(*id).await, awaiting("pending_first_attempt"));
    }
    assert_eq!(case.record(nodes[0]).await.blocking_detail.as_deref(), Some("the flow is not sealed"));
    assert!(case.find_record(nodes[built]).await.is_none());
    let shown = case.engine.describe_flow(flow).await.unwrap().unwrap();
    assert_eq!((shown.public_flow_state, shown.node_count as usize), (PublicFlowState::Blocked, built));
    assert_eq!(counts(case, flow).await, [(PublicState::WaitingChildren, built as u32)]);
}

pub async fn a_flow_under_construction_takes_nothing_else(case: &mut Case) {
    let spec = fan_out(case, 200);
    begun(case, &spec).await;
    let (flow, nodes) = (spec.flow_id, ids(&spec));
    let stranger = neighbour(case, flow).await;
    let detail = "flow_id: the flow is not sealed";
    let add = case.engine.add_execution_to_flow(flow, stranger).await;
    let args = staging(case, flow, nodes[1], nodes[2]).await;
    let stage = case.engine.stage_dependency_edge(args).await;
    for error in [meets(add, "invalid_input"), meets(stage, "invalid_input")] {
        assert!(error.to_string().ends_with(detail), "{error}");
    }
}

pub async fn a_repeat_goes_on_where_the_first_call_stopped(case: &mut Case) {
    let spec = fan_out(case, 200);
    begun(case, &spec).await;
    case.kill().await;
    assert!(!header(case, spec.flow_id).await.sealed);
    case.advance(5);
    let submitted = case.engine.submit_flow(spec.clone()).await;
    assert_eq!(submitted, Ok(SubmitFlowOutcome::Submitted { node_count: 201, edge_count: 200 }));
    let header = header(case, spec.flow_id).await;
    assert!(header.sealed && header.last_mutation_at > header.created_at);
    assert_eq!(counts(case, spec.flow_id).await, [(PublicState::Waiting, 1), (PublicState::WaitingChildren, 200)]);
}

pub async fn two_who_submit_it_at_once_build_one_flow(case: &mut Case) {
    let spec = fan_out(case, 200);
    let (engine, again) = (&case.engine, &case.engine);
    let (first, second) = tokio::join!(engine.submit_flow(spec.clone()), again.submit_flow(spec.clone()));
    for outcome in [first, second] {
        let outcome = outcome.unwrap();
        let (SubmitFlowOutcome::Submitted { node_count, edge_count }
        | SubmitFlowOutcome::AlreadySatisfied { node_count, edge_count }) = outcome;
        assert_eq!((node_count, edge_count), (201, 200));
    }
    assert_eq!(header(case, spec.flow_id).await.node_count, 201);
}

pub async fn a_flow_that_is_cancelled_under_construction_is_not_finished(case: &mut Case) {
    for policy in [CancellationPolicy::CancelAll, CancellationPolicy::CancelPending, CancellationPolicy::FlowOnly] {
        let spec = fan_out(case, 200);
        let built = begun(case, &spec).await;
        let nodes = ids(&spec);
        case.engine.cancel_flow(cancelling(spec.flow_id, policy), CancelWait::NoWait).await.unwrap();
        case.settle().await;
        for id in &nodes[..built] {
            // Whatever the policy: nobody else would ever let them go.
            assert_eq!(outcome(case, *id).await, TerminalOutcome::Cancelled);
        }
        refused(case, spec.flow_id, case.engine.submit_flow(spec.clone()), "flow_already_terminal").await;
    }
}

pub async fn what_cannot_become_a_flow_leaves_nothing(case: &mut Case) {
    let good = line(case, 3);
    let flow = good.flow_id;
    let change = |change: fn(&mut FlowSpec)| {
        let mut spec = good.clone();
        change(&mut spec);
        spec
    };
    for (spec, code, detail) in [
        (change(|spec| spec.nodes[1].name.clear()), "invalid_input", "nodes[1]: name: 1 to 256 bytes without NUL"),
        (change(|spec| spec.nodes[1].name = "0".into()), "invalid_input", "nodes[1]: name: 0 is taken"),
        (
            change(|spec| spec.nodes[1].execution.namespace = Namespace::new("other")),
            "invalid_input",
            "nodes[1]: namespace: not the flow's",
        ),
        (
            change(|spec| spec.nodes[1].execution.idempotency_key = Some("k".into())),
            "invalid_input",
            "nodes[1]: idempotency_key: the flow's id makes a repeat safe",
        ),
        (
            change(|spec| spec.nodes[1].policy = Some(any_of("drop"))),
            "invalid_input",
            "on_satisfied required for any_of/quorum: cancel_remaining | let_run",
        ),
        (change(|spec| spec.edges[0].upstream = "9".into()), "invalid_input", "edges[0]: there is no node 9"),
        (change(|spec| spec.flow_kind = "k".repeat(257)), "invalid_input", ""),
        (change(|spec| spec.edges[0].data_passing_ref = Some("r".repeat(257))), "invalid_input", ""),
        (change(|spec| spec.nodes[1].execution.policy_json = policy("{")), "invalid_policy_json", ""),
        (
            change(|spec| spec.nodes[1].execution.tags = [("odd".to_owned(), String::new())].into()),
            "invalid_tag_key",
            "",
        ),
        (
            change(|spec| spec.nodes[1].execution.input_payload = Bytes::from(vec![0; (1 << 20) + 1])),
            "payload_too_large",
            "",
        ),
        (change(|spec| spec.edges[0].upstream = "1".into()), "self_referencing_edge", ""),
        (
            change(|spec| {
                spec.edges[0].upstream = "2".into();
                spec.edges[0].downstream = "1".into();
                spec.edges[1].upstream = "1".into();
            }),
            "cycle_detected",
            "",
        ),
    ] {
        refused_as(case, flow, case.engine.submit_flow(spec), code, detail).await;
    }
    let mut elsewhere = good.clone();
    elsewhere.nodes[1].execution.execution_id = case.id_in((home(case, flow) + 1) % case.partitions());
    let detail = "nodes[1]: execution_id: not in the flow's partition";
    refused_as(case, flow, case.engine.submit_flow(elsewhere), "invalid_input", detail).await;
    let mut taken = good.clone();
    taken.nodes[1].execution.execution_id = neighbour(case, flow).await;
    let detail = format!("execution_id: {} is taken", taken.nodes[1].execution.execution_id);
    refused_as(case, flow, case.engine.submit_flow(taken), "invalid_input", &detail).await;
    submit(case, good).await;
}

pub async fn a_flow_has_its_limits(case: &mut Case) {
    let mut nodes = spec(case, 10_001, &[]);
    let error = refused(case, nodes.flow_id, case.engine.submit_flow(nodes.clone()), "invalid_input").await;
    assert!(error.to_string().ends_with("flow nodes: 10001, at most 10000"), "{error}");
    nodes.nodes.truncate(2);
    let edges = spec(case, 2, &vec![(0, 1); 50_001]);
    let error = refused(case, edges.flow_id, case.engine.submit_flow(edges.clone()), "invalid_input").await;
    assert!(error.to_string().ends_with("flow edges: 50001, at most 50000"), "{error}");
}

pub async fn it_grows_like_any_other(case: &mut Case) {
    let (flow, nodes) = submit(case, line(case, 2)).await;
    let late = super::graph::member(case, flow).await;
    case.engine.set_edge_group_policy(setting(flow, late, all_of())).await.unwrap();
    let args = staging(case, flow, nodes[1], late).await;
    case.engine.stage_dependency_edge(args.clone()).await.unwrap();
    case.engine.apply_dependency_to_child(application(&args)).await.unwrap();
    for id in nodes {
        succeed(case, id).await;
    }
    assert_eq!(case.vector(late).await, WAITING);
    assert_eq!(public(case, late).await, PublicState::Waiting);
}

pub async fn a_node_keeps_what_else_holds_it(case: &mut Case) {
    let mut spec = line(case, 2);
    let until = case.now().plus(1000);
    for node in &mut spec.nodes {
        node.execution.delay_until = Some(until);
    }
    let (_, nodes) = submit(case, spec).await;
    assert_eq!(case.vector(nodes[0]).await, crate::states::delayed("waiting_for_delay", "pending_first_attempt"));
    assert_eq!(case.record(nodes[0]).await.delay_until, Some(until));
    assert_eq!(case.vector(nodes[1]).await, awaiting("pending_first_attempt"));
}

pub async fn a_flow_of_another_kind_under_its_id_is_no_build(case: &mut Case) {
    let flow = flow_id(case);
    let created = case.engine.create_flow(flow, "deploy".to_owned(), Namespace::new("tenant")).await;
    created.unwrap();
    let mut spec = line(case, 0);
    spec.flow_id = flow;
    let error: EngineError = refused(case, flow, case.engine.submit_flow(spec), "invalid_input").await;
    assert!(error.to_string().ends_with("another flow has it"), "{error}");
    assert!(matches!(kept(case, FlowKey::Flow(flow)).await, Some(FlowRecord::Flow(_))));
}
