//! `resolve_dependency`: what the end of one upstream does to one join, told
//! by hand.

use super::graph::{
    Join, all_of, any_of, fail, flow, join, lease, member, member_record, members, outcome, quorum, refused,
    refused_as, stage, succeed, unheard,
};
use crate::case::Case;
use crate::states::{LEASED, WAITING, awaiting};
use leasehold_contract::ResolveDependency;
use leasehold_core::flow::{GroupState, PolicySpec, Resolution};
use leasehold_core::ids::EdgeId;
use leasehold_core::state::TerminalOutcome::{self, Cancelled, Expired, Failed, Skipped, Success};
use uuid::Uuid;

fn resolving(join: &Join, number: usize, upstream_outcome: TerminalOutcome) -> ResolveDependency {
    ResolveDependency {
        flow_id: join.flow,
        edge_id: join.edges[number],
        downstream_execution_id: join.child,
        upstream_execution_id: join.upstreams[number],
        upstream_outcome,
    }
}

pub async fn a_join_fires_once_as_its_policy_says(case: &mut Case) {
    use Resolution::{AlreadyFired as F, Impossible as I, Pending as P, Satisfied as S};
    let table: [(PolicySpec, &[(TerminalOutcome, Resolution)]); 11] = [
        (all_of(), &[(Success, P), (Success, S)]),
        (all_of(), &[(Failed, I), (Success, F)]),
        (all_of(), &[(Success, P), (Skipped, I)]),
        (any_of("let_run"), &[(Success, S), (Failed, F), (Success, F)]),
        (any_of("let_run"), &[(Cancelled, P), (Expired, P), (Skipped, I)]),
        (any_of("let_run"), &[(Failed, P), (Success, S), (Failed, F)]),
        (quorum(2, "let_run"), &[(Success, P), (Failed, P), (Success, S), (Success, F)]),
        (quorum(2, "let_run"), &[(Success, P), (Failed, P), (Skipped, I)]),
        (quorum(3, "let_run"), &[(Failed, I), (Success, F), (Success, F)]),
        (quorum(1, "let_run"), &[(Success, S)]),
        // More are asked for than there are: it is given up when all have ended.
        (quorum(3, "let_run"), &[(Failed, P), (Success, I)]),
    ];
    for (policy, steps) in table {
        let join = join(case, policy.clone(), steps.len()).await;
        for (number, (end, expected)) in steps.iter().enumerate() {
            let answer = case.engine.resolve_dependency(resolving(&join, number, *end)).await;
            assert_eq!(answer, Ok(*expected), "{policy:?} {steps:?} {number}");
            let again = case.engine.resolve_dependency(resolving(&join, number, Success));
            assert_eq!(unheard(case, join.flow, again).await, Ok(Resolution::AlreadyResolved));
        }
        let lost = steps.iter().any(|(_, answer)| *answer == I);
        let group = member_record(case, join.flow, join.child).await.inbound.clone();
        assert_eq!(group.state, if lost { GroupState::Impossible } else { GroupState::Satisfied });
        let count = |of: &[TerminalOutcome]| steps.iter().filter(|(end, _)| of.contains(end)).count() as u32;
        let expected = (count(&[Success]), count(&[Failed, Cancelled, Expired]), count(&[Skipped]));
        assert_eq!((group.succeeded, group.failed, group.skipped), expected);
        let ended = if lost { Skipped } else { TerminalOutcome::None };
        assert_eq!(outcome(case, join.child).await, ended);
        assert_eq!(case.story(join.child).await, if lost { vec!["completed skipped"] } else { vec![] });
    }
}

pub async fn an_end_that_comes_later_finds_it_resolved(case: &mut Case) {
    let join = join(case, all_of(), 2).await;
    case.engine.resolve_dependency(resolving(&join, 0, Success)).await.unwrap();
    fail(case, join.upstreams[0]).await;
    assert_eq!(case.vector(join.child).await, awaiting("pending_first_attempt"));
    succeed(case, join.upstreams[1]).await;
    assert_eq!(case.vector(join.child).await, WAITING);
}

pub async fn what_the_end_did_is_not_done_again(case: &mut Case) {
    let join = join(case, all_of(), 2).await;
    succeed(case, join.upstreams[0]).await;
    for end in [Success, Failed] {
        let call = case.engine.resolve_dependency(resolving(&join, 0, end));
        assert_eq!(unheard(case, join.flow, call).await, Ok(Resolution::AlreadyResolved));
    }
    case.kill().await;
    let call = case.engine.resolve_dependency(resolving(&join, 0, Failed));
    assert_eq!(unheard(case, join.flow, call).await, Ok(Resolution::AlreadyResolved));
}

pub async fn a_child_that_runs_goes_on(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    lease(case, down).await;
    let edge = super::graph::link(case, flow, up, down).await;
    let join = Join { flow, upstreams: vec![up], child: down, edges: vec![edge] };
    assert_eq!(case.engine.resolve_dependency(resolving(&join, 0, Success)).await, Ok(Resolution::Satisfied));
    assert_eq!(case.vector(down).await, LEASED);
}

pub async fn what_is_not_applied_is_refused(case: &mut Case) {
    let join = join(case, all_of(), 1).await;
    let flow = join.flow;
    let (late, other) = (member(case, flow).await, member(case, flow).await);
    let staged = stage(case, flow, late, join.child).await;
    let args = resolving(&join, 0, Success);
    let of_staged = ResolveDependency { edge_id: staged.edge_id, upstream_execution_id: late, ..args.clone() };
    for odd in [
        of_staged,
        ResolveDependency { edge_id: EdgeId::from_uuid(Uuid::from_u128(7)), ..args.clone() },
        ResolveDependency { downstream_execution_id: other, ..args.clone() },
        ResolveDependency { upstream_execution_id: other, ..args.clone() },
        ResolveDependency { flow_id: super::graph::flow_id(case), ..args.clone() },
    ] {
        refused_as(case, flow, case.engine.resolve_dependency(odd), "invalid_dependency", "not applied").await;
    }
    let unended = ResolveDependency { upstream_outcome: TerminalOutcome::None, ..args };
    refused(case, flow, case.engine.resolve_dependency(unended), "invalid_input").await;
}
