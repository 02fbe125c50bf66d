//! `replay_execution` of a member: one that was skipped waits anew, and what
//! comes after it stays as it was.

use super::cascade_completion::{go_on, one_step};
use super::graph::{
    all_of, any_of, cancelling, chain, counts, fail, flow, header, join, lease, link, member_record, members, outcome,
    public, quorum, refused, succeed,
};
use super::shapes::{fan_in, submit};
use crate::case::Case;
use crate::states::{WAITING, awaiting, eligible};
use leasehold_contract::{CancelWait, Replayed};
use leasehold_core::flow::{GroupState, SlotState};
use leasehold_core::ids::ExecutionId;
use leasehold_core::record::flow::CancellationPolicy;
use leasehold_core::state::{PublicState, TerminalOutcome};
use leasehold_tests::harness::act;

async fn replayed(case: &Case, id: ExecutionId) -> PublicState {
    let Replayed { execution_id, public_state, .. } =
        case.engine.replay_execution(act::replay(id)).await.expect("it can be replayed");
    assert_eq!((execution_id, public_state), (id, public(case, id).await));
    public_state
}

pub async fn an_ended_member_is_eligible_again(case: &mut Case) {
    let join = join(case, all_of(), 1).await;
    let [up, down] = [join.upstreams[0], join.child];
    succeed(case, up).await;
    succeed(case, down).await;
    assert_eq!(replayed(case, down).await, PublicState::Waiting);
    assert_eq!(case.vector(down).await, eligible("pending_replay_attempt"));
    assert_eq!(case.story(down).await.last().unwrap(), "replay_initiated 1 normal");
    assert_eq!(counts(case, join.flow).await, [(PublicState::Waiting, 1), (PublicState::Completed, 1)]);
    let group = member_record(case, join.flow, down).await.inbound.clone();
    assert_eq!((group.state, group.succeeded), (GroupState::Satisfied, 1));
    succeed(case, down).await;
}

pub async fn a_skipped_member_waits_anew(case: &mut Case) {
    let join = join(case, all_of(), 2).await;
    fail(case, join.upstreams[0]).await;
    assert_eq!(replayed(case, join.upstreams[0]).await, PublicState::Waiting);
    // What comes after a replayed member is not opened with it.
    assert_eq!(outcome(case, join.child).await, TerminalOutcome::Skipped);
    assert_eq!(replayed(case, join.child).await, PublicState::WaitingChildren);
    assert_eq!(case.vector(join.child).await, awaiting("pending_replay_attempt"));
    let record = case.record(join.child).await;
    assert_eq!(record.blocking_detail.as_deref(), Some("2 dep(s) unsatisfied after replay"));
    assert_eq!((record.completed_at, record.replay_count), (None, 1));
    let told = ["completed skipped", "replay_initiated 1 skipped_flow_member"];
    assert_eq!(case.story(join.child).await, told);
    let group = member_record(case, join.flow, join.child).await.inbound.clone();
    assert_eq!((group.state, group.failed, group.skipped, group.running()), (GroupState::Pending, 0, 0, 2));
    assert_eq!(group.slot(0), Some(SlotState::Unsatisfied));
    succeed(case, join.upstreams[0]).await;
    succeed(case, join.upstreams[1]).await;
    assert_eq!(case.vector(join.child).await, eligible("pending_replay_attempt"));
    succeed(case, join.child).await;
}

pub async fn what_succeeded_before_still_counts(case: &mut Case) {
    let join = join(case, quorum(2, "let_run"), 3).await;
    let [good, bad, worse] = join.upstreams[..] else { panic!("three") };
    succeed(case, good).await;
    fail(case, bad).await;
    fail(case, worse).await;
    assert_eq!(outcome(case, join.child).await, TerminalOutcome::Skipped);
    replayed(case, bad).await;
    assert_eq!(replayed(case, join.child).await, PublicState::WaitingChildren);
    let record = case.record(join.child).await;
    assert_eq!(record.blocking_detail.as_deref(), Some("2 dep(s) unsatisfied after replay"));
    case.settle().await;
    let group = member_record(case, join.flow, join.child).await.inbound.clone();
    assert_eq!((group.succeeded, group.failed, group.state), (1, 1, GroupState::Pending));
    succeed(case, bad).await;
    assert_eq!(case.vector(join.child).await, eligible("pending_replay_attempt"));
}

pub async fn where_the_upstream_is_still_lost_it_is_skipped_again(case: &mut Case) {
    let flow = flow(case).await;
    let [a, b, c] = chain(case, flow).await;
    fail(case, a).await;
    let answer = case.engine.replay_execution(act::replay(b)).await.unwrap();
    assert_eq!(answer.public_state, PublicState::WaitingChildren);
    case.settle().await;
    assert_eq!(outcome(case, b).await, TerminalOutcome::Skipped);
    let told = ["completed skipped", "replay_initiated 1 skipped_flow_member", "completed skipped"];
    assert_eq!(case.story(b).await, told);
    assert_eq!(case.story(c).await, ["completed skipped"]);
    assert_eq!(counts(case, flow).await.iter().map(|(_, count)| count).sum::<u32>(), 3);
}

pub async fn a_chain_is_replayed_from_its_top(case: &mut Case) {
    let flow = flow(case).await;
    let chain: [_; 3] = chain(case, flow).await;
    fail(case, chain[0]).await;
    for id in chain {
        replayed(case, id).await;
    }
    case.kill().await;
    for id in chain {
        succeed(case, id).await;
        case.settle().await;
    }
    assert_eq!(counts(case, flow).await, [(PublicState::Completed, 3)]);
}

pub async fn the_rechecks_of_a_large_join_outlive_a_crash(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_in(case, 20, any_of("let_run"))).await;
    for id in &nodes[..20] {
        fail(case, *id).await;
    }
    let child = nodes[20];
    assert_eq!(outcome(case, child).await, TerminalOutcome::Skipped);
    replayed(case, nodes[19]).await;
    one_step(case).await;
    assert_eq!(replayed(case, child).await, PublicState::WaitingChildren);
    go_on(case).await;
    let group = member_record(case, flow, child).await.inbound.clone();
    assert_eq!((group.failed, group.running(), group.state), (19, 1, GroupState::Pending));
    succeed(case, nodes[19]).await;
    assert_eq!(case.vector(child).await, eligible("pending_replay_attempt"));
}

pub async fn a_replayed_upstream_resolves_nothing_a_second_time(case: &mut Case) {
    let join = join(case, all_of(), 2).await;
    let up = join.upstreams[0];
    succeed(case, up).await;
    replayed(case, up).await;
    fail(case, up).await;
    assert_eq!(case.vector(join.child).await, awaiting("pending_first_attempt"));
    succeed(case, join.upstreams[1]).await;
    assert_eq!(case.vector(join.child).await, WAITING);
}

pub async fn in_a_cancelled_flow_nothing_is_replayed(case: &mut Case) {
    let flow = flow(case).await;
    let [good, bad, lost, running] = members(case, flow).await;
    link(case, flow, bad, lost).await;
    succeed(case, good).await;
    fail(case, bad).await;
    lease(case, running).await;
    let cancel = cancelling(flow, CancellationPolicy::FlowOnly);
    case.engine.cancel_flow(cancel, CancelWait::NoWait).await.unwrap();
    for id in [good, bad, lost] {
        refused(case, flow, case.engine.replay_execution(act::replay(id)), "flow_already_terminal").await;
    }
    refused(case, flow, case.engine.replay_execution(act::replay(running)), "execution_not_terminal").await;
    assert!(header(case, flow).await.cancelled.is_some());
}

pub async fn replays_of_a_skipped_member_are_limited_too(case: &mut Case) {
    let flow = flow(case).await;
    let policy = act::policy(r#"{"max_replay_count":2}"#);
    let up = super::graph::member(case, flow).await;
    let down = super::graph::member_with(case, flow, |args| args.policy_json = policy).await;
    link(case, flow, up, down).await;
    fail(case, up).await;
    for _ in 0..2 {
        case.engine.replay_execution(act::replay(down)).await.unwrap();
        case.settle().await;
        assert_eq!(outcome(case, down).await, TerminalOutcome::Skipped);
    }
    refused(case, flow, case.engine.replay_execution(act::replay(down)), "max_replays_exhausted").await;
}
