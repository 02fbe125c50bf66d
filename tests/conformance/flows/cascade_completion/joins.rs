//! Joins under real ends, and what becomes of the upstreams left over.

use super::super::graph::{
    Join, all_of, any_of, apply, cancel, cancelling, contents, counts, expire, fail, flow, join, join_in, lease, link,
    member, member_record, members, mortal, outcome, quorum, setting, stage, succeed,
};
use crate::case::Case;
use crate::states::{LEASED, WAITING, awaiting};
use leasehold_contract::CancelWait;
use leasehold_core::flow::GroupState;
use leasehold_core::record::flow::CancellationPolicy;
use leasehold_core::state::{PublicState, TerminalOutcome};
use leasehold_tests::harness::act;

async fn group_state(case: &Case, join: &Join) -> GroupState {
    member_record(case, join.flow, join.child).await.inbound.state
}

pub async fn all_of_waits_for_the_last(case: &mut Case) {
    for order in [[0, 1, 2], [2, 0, 1]] {
        let join = join(case, all_of(), 3).await;
        for number in &order[..2] {
            succeed(case, join.upstreams[*number]).await;
            assert_eq!(case.vector(join.child).await, awaiting("pending_first_attempt"));
        }
        succeed(case, join.upstreams[order[2]]).await;
        assert_eq!(case.vector(join.child).await, WAITING);
        assert_eq!(group_state(case, &join).await, GroupState::Satisfied);
    }
}

pub async fn all_of_is_lost_with_the_first_bad_end(case: &mut Case) {
    let flow = flow(case).await;
    for way in ["fail", "cancel", "expire"] {
        let (up, other, down) = (mortal(case, flow).await, member(case, flow).await, member(case, flow).await);
        link(case, flow, up, down).await;
        link(case, flow, other, down).await;
        match way {
            "fail" => fail(case, up).await,
            "cancel" => cancel(case, up).await,
            _ => expire(case, up).await,
        }
        assert_eq!(outcome(case, down).await, TerminalOutcome::Skipped, "{way}");
        let group = member_record(case, flow, down).await.inbound.clone();
        assert_eq!((group.state, group.failed, group.skipped), (GroupState::Impossible, 1, 0));
        // The others go on, and their ends only count.
        succeed(case, other).await;
        let group = member_record(case, flow, down).await.inbound.clone();
        assert_eq!((group.state, group.failed, group.succeeded), (GroupState::Impossible, 1, 1));
    }
}

pub async fn any_of_lets_the_others_run(case: &mut Case) {
    let join = join(case, any_of("let_run"), 3).await;
    let running = lease(case, join.upstreams[1]).await;
    succeed(case, join.upstreams[0]).await;
    assert_eq!(case.vector(join.child).await, WAITING);
    assert_eq!(case.vector(join.upstreams[1]).await, LEASED);
    assert_eq!(case.vector(join.upstreams[2]).await, WAITING);
    assert!(contents(case, join.flow).await.siblings.is_empty());
    succeed(case, join.child).await;
    case.engine.fail_execution(act::failure(&running.execution)).await.unwrap();
    succeed(case, join.upstreams[2]).await;
    let group = member_record(case, join.flow, join.child).await.inbound.clone();
    assert_eq!((group.state, group.succeeded, group.failed), (GroupState::Satisfied, 2, 1));
}

pub async fn a_quorum_cancels_what_is_left_over(case: &mut Case) {
    let join = join(case, quorum(2, "cancel_remaining"), 5).await;
    let [one, two, running, waiting, done] = join.upstreams[..] else { panic!("five") };
    lease(case, running).await;
    fail(case, done).await;
    succeed(case, one).await;
    assert_eq!(group_state(case, &join).await, GroupState::Pending);
    succeed(case, two).await;
    assert_eq!(case.vector(join.child).await, WAITING);
    for (id, expected) in [
        (one, TerminalOutcome::Success),
        (two, TerminalOutcome::Success),
        (done, TerminalOutcome::Failed),
        (running, TerminalOutcome::Cancelled),
        (waiting, TerminalOutcome::Cancelled),
    ] {
        assert_eq!(outcome(case, id).await, expected);
    }
    for id in [running, waiting] {
        let record = case.record(id).await;
        assert_eq!(record.cancellation_reason.as_deref(), Some("sibling_quorum_satisfied"));
        assert_eq!(record.cancelled_by.as_deref(), Some("operator_override"));
    }
    assert_eq!(case.story(running).await, ["acquired 1", "released 1 cancelled", "completed cancelled"]);
    assert_eq!(case.story(waiting).await, ["completed cancelled"]);
    let group = member_record(case, join.flow, join.child).await.inbound.clone();
    assert_eq!((group.state, group.succeeded, group.failed), (GroupState::Satisfied, 2, 3));
    assert!(contents(case, join.flow).await.siblings.is_empty());
    let expected =
        [(PublicState::Waiting, 1), (PublicState::Completed, 2), (PublicState::Failed, 1), (PublicState::Cancelled, 2)];
    assert_eq!(sorted(counts(case, join.flow).await), sorted(expected.to_vec()));
}

fn sorted(mut counts: Vec<(PublicState, u32)>) -> Vec<String> {
    counts.sort_by_key(|(state, _)| state.as_str());
    counts.iter().map(|(state, count)| format!("{} {count}", state.as_str())).collect()
}

pub async fn a_quorum_out_of_reach_cancels_what_is_left_over(case: &mut Case) {
    let join = join(case, quorum(2, "cancel_remaining"), 3).await;
    fail(case, join.upstreams[0]).await;
    fail(case, join.upstreams[2]).await;
    assert_eq!(outcome(case, join.child).await, TerminalOutcome::Skipped);
    let left = case.record(join.upstreams[1]).await;
    assert_eq!(left.cancellation_reason.as_deref(), Some("sibling_quorum_impossible"));
}

pub async fn a_quorum_larger_than_its_group_is_given_up_at_the_last_end(case: &mut Case) {
    let join = join(case, quorum(5, "let_run"), 2).await;
    succeed(case, join.upstreams[0]).await;
    assert_eq!(group_state(case, &join).await, GroupState::Pending);
    succeed(case, join.upstreams[1]).await;
    assert_eq!(outcome(case, join.child).await, TerminalOutcome::Skipped);
}

pub async fn a_staged_dependency_keeps_a_join_open(case: &mut Case) {
    let join = join(case, any_of("let_run"), 1).await;
    let late = member(case, join.flow).await;
    let staged = stage(case, join.flow, late, join.child).await;
    fail(case, join.upstreams[0]).await;
    assert_eq!(case.vector(join.child).await, awaiting("pending_first_attempt"));
    apply(case, &staged).await;
    succeed(case, late).await;
    assert_eq!(case.vector(join.child).await, WAITING);
}

pub async fn parallel_dependencies_count_each(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    case.engine.set_edge_group_policy(setting(flow, down, quorum(2, "let_run"))).await.unwrap();
    link(case, flow, up, down).await;
    link(case, flow, up, down).await;
    succeed(case, up).await;
    assert_eq!(case.vector(down).await, WAITING);
    let group = member_record(case, flow, down).await.inbound.clone();
    assert_eq!((group.applied, group.succeeded, group.state), (2, 2, GroupState::Satisfied));
}

pub async fn two_joins_of_one_upstream_both_fire(case: &mut Case) {
    let flow = flow(case).await;
    let [up, one, two] = members(case, flow).await;
    link(case, flow, up, one).await;
    link(case, flow, up, two).await;
    let tail = member(case, flow).await;
    link(case, flow, one, tail).await;
    link(case, flow, two, tail).await;
    succeed(case, up).await;
    for id in [one, two] {
        assert_eq!(case.vector(id).await, WAITING);
        succeed(case, id).await;
    }
    assert_eq!(case.vector(tail).await, WAITING);
}

pub async fn cancelled_siblings_take_those_with_them_that_need_them(case: &mut Case) {
    let flow = flow(case).await;
    let race = join_in(case, flow, any_of("cancel_remaining"), 2).await;
    let [dependant, further] = members(case, flow).await;
    link(case, flow, race.upstreams[1], dependant).await;
    link(case, flow, dependant, further).await;
    succeed(case, race.upstreams[0]).await;
    assert_eq!(outcome(case, race.upstreams[1]).await, TerminalOutcome::Cancelled);
    for id in [dependant, further] {
        assert_eq!(outcome(case, id).await, TerminalOutcome::Skipped);
        assert_eq!(case.story(id).await, ["completed skipped"]);
    }
    assert_eq!(case.vector(race.child).await, WAITING);
}

pub async fn a_cancelled_flow_cancels_no_siblings(case: &mut Case) {
    let join = join(case, any_of("cancel_remaining"), 2).await;
    let cancel = cancelling(join.flow, CancellationPolicy::FlowOnly);
    case.engine.cancel_flow(cancel, CancelWait::NoWait).await.unwrap();
    succeed(case, join.upstreams[0]).await;
    assert_eq!(case.vector(join.child).await, WAITING);
    assert_eq!(case.vector(join.upstreams[1]).await, WAITING);
}

pub async fn ends_at_the_same_time_fire_a_join_once(case: &mut Case) {
    let join = join(case, quorum(2, "cancel_remaining"), 4).await;
    let mut held = Vec::new();
    for id in &join.upstreams {
        held.push(lease(case, *id).await);
    }
    let ends = held.iter().map(|held| case.engine.complete_execution(act::completion(&held.execution)));
    let ends = futures::future::join_all(ends).await;
    assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 2, "{ends:?}");
    assert_eq!(case.vector(join.child).await, WAITING);
    let group = member_record(case, join.flow, join.child).await.inbound.clone();
    assert_eq!((group.succeeded, group.failed), (2, 2));
}

pub async fn a_worker_is_handed_the_child_as_soon_as_it_may_run(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    link(case, flow, up, down).await;
    let first = case.engine.poll_tasks(case.poll()).await.unwrap().remove(0).claimed;
    assert_eq!(first.execution_id, up);
    let (tasks, end) =
        tokio::join!(case.engine.poll_tasks(case.poll()), case.engine.complete_execution(act::completion(&first)));
    end.unwrap();
    assert_eq!(tasks.unwrap().remove(0).claimed.execution_id, down);
}
