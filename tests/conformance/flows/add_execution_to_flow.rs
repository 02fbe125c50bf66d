//! `add_execution_to_flow`: an execution becomes a member, for life.

use super::graph::{
    cancelling, contents, counts, flow, flow_id, header, home, join_flow, member, member_record, neighbour, refused,
    refused_as, succeed, unheard,
};
use crate::case::Case;
use crate::states::WAITING;
use leasehold_contract::{AddOutcome, CancelWait};
use leasehold_core::ids::ExecutionId;
use leasehold_core::record::flow::CancellationPolicy;
use leasehold_core::state::PublicState;

pub async fn a_member_is_listed_counted_and_stamped(case: &mut Case) {
    let flow = flow(case).await;
    let first = neighbour(case, flow).await;
    let second = neighbour(case, flow).await;
    case.advance(5);
    for (id, number) in [(first, 1), (second, 2)] {
        let added = case.engine.add_execution_to_flow(flow, id).await;
        assert_eq!(added, Ok(AddOutcome::Added { execution_id: id, new_node_count: number }));
        let header = header(case, flow).await;
        assert_eq!((header.graph_revision, header.node_count, header.edge_count), (number.into(), number, 0));
        assert_eq!(header.last_mutation_at, case.now());
        let member = member_record(case, flow, id).await;
        assert_eq!((member.ordinal, member.out_edges, member.inbound.staged()), (number - 1, 0, 0));
        let record = case.record(id).await;
        assert_eq!((record.flow_id, record.last_mutation_at), (Some(flow), case.now()));
        assert_eq!(case.vector(id).await, WAITING);
        assert_eq!(case.story(id).await, [""; 0]);
    }
    assert_eq!(counts(case, flow).await, [(PublicState::Waiting, 2)]);
    let listed: Vec<ExecutionId> = contents(case, flow).await.members.into_iter().map(|(id, _)| id).collect();
    assert_eq!(listed, [first, second]);
}

pub async fn a_repeat_finds_the_member(case: &mut Case) {
    let flow = flow(case).await;
    let id = member(case, flow).await;
    member(case, flow).await;
    case.advance(5);
    let again = case.engine.add_execution_to_flow(flow, id);
    let again = unheard(case, flow, again).await;
    assert_eq!(again, Ok(AddOutcome::AlreadyMember { execution_id: id, node_count: 2 }));
}

pub async fn whoever_runs_or_has_ended_may_join(case: &mut Case) {
    let flow = flow(case).await;
    let (running, ended) = (neighbour(case, flow).await, neighbour(case, flow).await);
    case.lease(running).await;
    succeed(case, ended).await;
    join_flow(case, flow, running).await;
    join_flow(case, flow, ended).await;
    assert_eq!(counts(case, flow).await, [(PublicState::Active, 1), (PublicState::Completed, 1)]);
}

pub async fn an_execution_elsewhere_is_refused_first_of_all(case: &mut Case) {
    let (unknown, known) = (flow_id(case), flow(case).await);
    for flow in [unknown, known] {
        let home = home(case, flow);
        let elsewhere = (home + 1) % case.partitions();
        let stranger = case.id_in(elsewhere);
        let detail = format!("execution partition mismatch: expected {home}, got {elsewhere}");
        let add = case.engine.add_execution_to_flow(flow, stranger);
        refused_as(case, flow, add, "invalid_input", &detail).await;
    }
}

pub async fn an_unknown_flow_is_not_found(case: &mut Case) {
    let flow = flow_id(case);
    let (known, unknown) = (neighbour(case, flow).await, case.id_in(home(case, flow)));
    for id in [known, unknown] {
        refused(case, flow, case.engine.add_execution_to_flow(flow, id), "flow_not_found").await;
    }
}

pub async fn a_cancelled_flow_takes_nobody(case: &mut Case) {
    let flow = flow(case).await;
    let (known, unknown) = (neighbour(case, flow).await, case.id_in(home(case, flow)));
    let cancel = cancelling(flow, CancellationPolicy::FlowOnly);
    case.engine.cancel_flow(cancel, CancelWait::NoWait).await.unwrap();
    for id in [known, unknown] {
        refused(case, flow, case.engine.add_execution_to_flow(flow, id), "flow_already_terminal").await;
    }
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    let flow = flow(case).await;
    let id = case.id_in(home(case, flow));
    refused(case, flow, case.engine.add_execution_to_flow(flow, id), "execution_not_found").await;
}

pub async fn a_member_of_another_flow_stays_there(case: &mut Case) {
    let first = flow(case).await;
    let id = member(case, first).await;
    let mut second = flow(case).await;
    while home(case, second) != home(case, first) {
        second = flow(case).await;
    }
    let add = case.engine.add_execution_to_flow(second, id);
    let error = refused(case, second, add, "already_member_of_different_flow").await;
    assert!(error.to_string().contains(&first.to_string()), "{error}");
}

pub async fn of_two_at_once_each_is_counted(case: &mut Case) {
    let flow = flow(case).await;
    let (one, other) = (neighbour(case, flow).await, neighbour(case, flow).await);
    let (engine, again) = (&case.engine, &case.engine);
    let (first, second) =
        tokio::join!(engine.add_execution_to_flow(flow, one), again.add_execution_to_flow(flow, other));
    let count = |added: AddOutcome| match added {
        AddOutcome::Added { new_node_count, .. } => new_node_count,
        other @ AddOutcome::AlreadyMember { .. } => panic!("{other:?}"),
    };
    let mut counted = [count(first.unwrap()), count(second.unwrap())];
    counted.sort_unstable();
    assert_eq!(counted, [1, 2]);
}
