//! Cascades that need many commits, and crashes between them.

use super::super::graph::{
    all_of, any_of, cancel, contents, counts, fail, flow, join_in, lease, link, member, members, outcome,
};
use super::super::shapes::{fan_in, fan_out, line, submit};
use super::NOTHING;
use crate::case::Case;
use leasehold_core::command::flow::Limits;
use leasehold_core::ids::{ExecutionId, FlowId};
use leasehold_core::state::{PublicState, TerminalOutcome};
use leasehold_tests::harness::act;

/// Lets one step of a flow do only a piece or two.
pub async fn short_steps(case: &mut Case) {
    case.options.engine.step_limits = Limits { rows: 12, bytes: 1 << 20 };
    case.restart().await;
}

/// As [`short_steps`], and nothing that is left goes on by itself.
pub async fn one_step(case: &mut Case) {
    case.options.engine.commit_rows = 0;
    short_steps(case).await;
}

/// As [`one_step`], of one piece.
pub async fn smallest_step(case: &mut Case) {
    case.options.engine.commit_rows = 0;
    case.options.engine.step_limits = Limits { rows: 1, bytes: 1 << 20 };
    case.restart().await;
}

/// Lets everything go on again, with an engine that finds it in the store.
pub async fn go_on(case: &mut Case) {
    case.options.engine.commit_rows = 4096;
    case.kill().await;
    case.settle().await;
}

async fn skipped(case: &Case, flow: FlowId) -> u32 {
    counts(case, flow).await.iter().find(|(state, _)| *state == PublicState::Skipped).map_or(0, |(_, count)| *count)
}

async fn all_ended(case: &Case, nodes: &[ExecutionId], expected: TerminalOutcome) {
    for id in nodes {
        assert_eq!(outcome(case, *id).await, expected);
        assert_eq!(case.story(*id).await.iter().filter(|fact| fact.starts_with("completed")).count(), 1);
    }
}

pub async fn many_turns_do_what_one_would(case: &mut Case) {
    let (flow, nodes) = submit(case, line(case, 40)).await;
    short_steps(case).await;
    fail(case, nodes[0]).await;
    case.settle().await;
    assert_eq!(skipped(case, flow).await, 39);
    assert!(contents(case, flow).await.continuation.is_none());
    all_ended(case, &nodes[1..], TerminalOutcome::Skipped).await;
}

pub async fn what_is_left_stands_in_the_store(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_out(case, 40)).await;
    one_step(case).await;
    fail(case, nodes[0]).await;
    case.settle().await;
    let first = skipped(case, flow).await;
    assert!((1..10).contains(&first), "{first}");
    let found = contents(case, flow).await;
    assert!(found.continuation.is_some() && found.summary.unwrap().work_left);
    go_on(case).await;
    assert_eq!(skipped(case, flow).await, 40);
    assert!(contents(case, flow).await.continuation.is_none());
    all_ended(case, &nodes[1..], TerminalOutcome::Skipped).await;
}

pub async fn a_crash_after_every_few_turns_strands_nobody(case: &mut Case) {
    let (flow, nodes) = submit(case, line(case, 60)).await;
    one_step(case).await;
    fail(case, nodes[0]).await;
    let mut crashes = 0;
    while contents(case, flow).await.continuation.is_some() {
        case.kill().await;
        case.engine.cascade_completion(nodes[0], Some(flow)).await.unwrap();
        crashes += 1;
        assert!(crashes < 100, "the turns have no end");
    }
    assert!(crashes >= 3, "{crashes} crashes are too few to tell");
    all_ended(case, &nodes[1..], TerminalOutcome::Skipped).await;
}

pub async fn by_hand_the_next_steps_can_be_taken(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_out(case, 20)).await;
    one_step(case).await;
    fail(case, nodes[0]).await;
    let mut calls = 0;
    loop {
        let before = skipped(case, flow).await;
        let outcome = case.engine.cascade_completion(nodes[0], Some(flow)).await.unwrap();
        if outcome == NOTHING {
            break;
        }
        calls += 1;
        assert_eq!(skipped(case, flow).await - before, outcome.cascaded_children);
    }
    assert!(calls > 2, "{calls} calls");
    assert_eq!(skipped(case, flow).await, 20);
}

pub async fn a_member_that_moves_in_between_is_met_as_it_is(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_out(case, 20)).await;
    one_step(case).await;
    fail(case, nodes[0]).await;
    let last = nodes[20];
    assert_eq!(outcome(case, last).await, TerminalOutcome::None);
    cancel(case, last).await;
    go_on(case).await;
    assert_eq!(outcome(case, last).await, TerminalOutcome::Cancelled);
    assert_eq!(skipped(case, flow).await, 19);
}

pub async fn a_wide_success_lets_everybody_go(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_out(case, 40)).await;
    one_step(case).await;
    super::super::graph::succeed(case, nodes[0]).await;
    case.settle().await;
    assert!(contents(case, flow).await.continuation.is_some());
    go_on(case).await;
    assert_eq!(counts(case, flow).await, [(PublicState::Waiting, 40), (PublicState::Completed, 1)]);
}

pub async fn a_replay_in_between_undoes_nothing_of_an_end(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_out(case, 20)).await;
    one_step(case).await;
    fail(case, nodes[0]).await;
    case.engine.replay_execution(act::replay(nodes[0])).await.unwrap();
    go_on(case).await;
    assert_eq!(skipped(case, flow).await, 20);
}

pub async fn siblings_left_over_are_cancelled_in_turns(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_in(case, 30, any_of("cancel_remaining"))).await;
    one_step(case).await;
    super::super::graph::succeed(case, nodes[0]).await;
    let found = contents(case, flow).await;
    assert_eq!(found.siblings.len(), 1);
    let left = found.siblings[0].members.len();
    assert!((1..30).contains(&left), "{left}");
    assert_eq!(found.siblings[0].reason, "sibling_quorum_satisfied");
    go_on(case).await;
    assert!(contents(case, flow).await.siblings.is_empty());
    all_ended(case, &nodes[1..30], TerminalOutcome::Cancelled).await;
    assert_eq!(outcome(case, nodes[30]).await, TerminalOutcome::None);
}

pub async fn a_flow_with_work_left_holds_up_no_other(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_out(case, 20)).await;
    one_step(case).await;
    fail(case, nodes[0]).await;
    let mut other = flow_at(case, flow).await;
    let join = join_in(case, other, all_of(), 1).await;
    super::super::graph::succeed(case, join.upstreams[0]).await;
    assert_eq!(outcome(case, join.child).await, TerminalOutcome::None);
    lease(case, join.child).await;
    other = flow;
    assert!(contents(case, other).await.continuation.is_some());
    let [up, down] = members(case, other).await;
    link(case, other, up, down).await;
    let late = member(case, other).await;
    go_on(case).await;
    assert_eq!(outcome(case, late).await, TerminalOutcome::None);
    assert_eq!(skipped(case, flow).await, 20);
}

/// Another flow in the same partition.
async fn flow_at(case: &Case, of: FlowId) -> FlowId {
    loop {
        let other = flow(case).await;
        if super::super::graph::home(case, other) == super::super::graph::home(case, of) {
            return other;
        }
    }
}
