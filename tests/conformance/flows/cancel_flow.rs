//! `cancel_flow`: nobody joins any more, and the members that the policy
//! selects end.

use super::cascade_completion::{go_on, one_step};
use super::graph::{
    all_of, any_of, cancelling, contents, counts, fail, flow, flow_id, header, heading, join, lease, link, member,
    members, outcome, refused, succeed, unheard,
};
use super::shapes::{fan_out, line, submit};
use crate::case::Case;
use crate::states::{LEASED, WAITING, ended, ended_without};
use leasehold_contract::{CancelFlow, CancelFlowOutcome, CancelWait};
use leasehold_core::error::EngineError;
use leasehold_core::flow::PublicFlowState;
use leasehold_core::ids::{ExecutionId, FlowId};
use leasehold_core::record::flow::CancellationPolicy::{self, CancelAll, CancelPending, FlowOnly};
use leasehold_core::state::{PublicState, TerminalOutcome};
use leasehold_tests::harness::act;

async fn cancelled(case: &Case, flow: FlowId, policy: CancellationPolicy, wait: CancelWait) -> CancelFlowOutcome {
    case.engine.cancel_flow(cancelling(flow, policy), wait).await.expect("it can be cancelled")
}

/// One that runs, one that waits for it, one that waits for a worker, one
/// that is parked and one that has ended.
struct Cast {
    flow: FlowId,
    running: ExecutionId,
    child: ExecutionId,
    waiting: ExecutionId,
    parked: ExecutionId,
    done: ExecutionId,
}

impl Cast {
    async fn new(case: &Case) -> Self {
        let flow = flow(case).await;
        let [running, child, waiting, parked, done] = members(case, flow).await;
        link(case, flow, running, child).await;
        let held = lease(case, parked).await;
        case.engine.delay(&held.handle, case.now().plus(1000)).await.unwrap();
        succeed(case, done).await;
        lease(case, running).await;
        Self { flow, running, child, waiting, parked, done }
    }

    fn all(&self) -> Vec<ExecutionId> {
        vec![self.running, self.child, self.waiting, self.parked, self.done]
    }
}

pub async fn all_that_have_not_ended_end(case: &mut Case) {
    let cast = Cast::new(case).await;
    case.advance(5);
    let outcome = cancelled(case, cast.flow, CancelAll, CancelWait::Indefinite).await;
    assert_eq!(outcome, CancelFlowOutcome::Cancelled { cancellation_policy: CancelAll, members: cast.all() });
    let header = header(case, cast.flow).await;
    let stored = header.cancelled.clone().unwrap();
    assert_eq!((stored.at, stored.reason.as_str(), stored.policy), (case.now(), "not needed", CancelAll));
    assert_eq!(header.last_mutation_at, case.now());
    assert_eq!(case.vector(cast.running).await, ended("cancelled"));
    assert_eq!(case.vector(cast.parked).await, ended("cancelled"));
    for id in [cast.child, cast.waiting] {
        assert_eq!(case.vector(id).await, ended_without("cancelled", "pending_first_attempt"));
    }
    for id in [cast.running, cast.child, cast.waiting, cast.parked] {
        let record = case.record(id).await;
        assert_eq!(record.cancellation_reason.as_deref(), Some("not needed"));
        assert_eq!(record.cancelled_by.as_deref(), Some("flow_cascade"));
    }
    let story = ["acquired 1", "released 1 cancelled", "completed cancelled by cascade"];
    assert_eq!(case.story(cast.running).await, story);
    assert_eq!(case.story(cast.child).await, ["completed cancelled by cascade"]);
    assert_eq!(case.vector(cast.done).await, ended("success"));
    assert_eq!(counts(case, cast.flow).await, [(PublicState::Completed, 1), (PublicState::Cancelled, 4)]);
    let found = contents(case, cast.flow).await;
    assert!(found.pending.is_none() && found.continuation.is_none());
    let shown = case.engine.describe_flow(cast.flow).await.unwrap().unwrap();
    assert_eq!(shown.public_flow_state, PublicFlowState::Cancelled);
}

pub async fn the_pending_end_and_the_running_finish(case: &mut Case) {
    let cast = Cast::new(case).await;
    let outcome = cancelled(case, cast.flow, CancelPending, CancelWait::Indefinite).await;
    assert_eq!(outcome, CancelFlowOutcome::Cancelled { cancellation_policy: CancelPending, members: cast.all() });
    assert_eq!(case.vector(cast.running).await, LEASED);
    for id in [cast.child, cast.waiting, cast.parked] {
        assert_eq!(super::graph::outcome(case, id).await, TerminalOutcome::Cancelled);
    }
    cancel_by_hand(case, cast.running).await;
    let shown = case.engine.describe_flow(cast.flow).await.unwrap().unwrap();
    assert_eq!(shown.public_flow_state, PublicFlowState::Cancelled);
}

async fn cancel_by_hand(case: &Case, id: ExecutionId) {
    case.engine.cancel_execution(act::cancellation(id)).await.unwrap();
}

pub async fn members_are_left_alone_where_only_the_flow_is_cancelled(case: &mut Case) {
    let cast = Cast::new(case).await;
    let outcome = cancelled(case, cast.flow, FlowOnly, CancelWait::Indefinite).await;
    assert_eq!(outcome, CancelFlowOutcome::Cancelled { cancellation_policy: FlowOnly, members: cast.all() });
    assert_eq!(case.vector(cast.running).await, LEASED);
    assert_eq!(case.vector(cast.waiting).await, WAITING);
    // What was linked goes on as it was.
    cancel_by_hand(case, cast.running).await;
    assert_eq!(super::graph::outcome(case, cast.child).await, TerminalOutcome::Skipped);
}

pub async fn nobody_waits_unless_asked_to(case: &mut Case) {
    let cast = Cast::new(case).await;
    let outcome = cancelled(case, cast.flow, CancelAll, CancelWait::NoWait).await;
    let members = cast.all();
    let expected =
        CancelFlowOutcome::CancellationScheduled { cancellation_policy: CancelAll, member_count: 5, members };
    assert_eq!(outcome, expected);
    case.settle().await;
    assert_eq!(counts(case, cast.flow).await, [(PublicState::Completed, 1), (PublicState::Cancelled, 4)]);
}

pub async fn with_nothing_to_end_it_is_done_at_once(case: &mut Case) {
    let empty = flow(case).await;
    let done = join(case, all_of(), 1).await;
    succeed(case, done.upstreams[0]).await;
    succeed(case, done.child).await;
    for (flow, members) in [(empty, vec![]), (done.flow, vec![done.upstreams[0], done.child])] {
        for wait in [CancelWait::NoWait] {
            let outcome = cancelled(case, flow, CancelAll, wait).await;
            let members = members.clone();
            assert_eq!(outcome, CancelFlowOutcome::Cancelled { cancellation_policy: CancelAll, members });
        }
    }
}

pub async fn a_repeat_is_told_what_is_stored(case: &mut Case) {
    let flow = flow(case).await;
    let [one, two] = members(case, flow).await;
    let members = vec![one, two];
    cancelled(case, flow, FlowOnly, CancelWait::NoWait).await;
    case.advance(5);
    for policy in [CancelAll, CancelPending, FlowOnly] {
        for wait in [CancelWait::NoWait, CancelWait::Timeout(10), CancelWait::Indefinite] {
            let again = unheard(case, flow, case.engine.cancel_flow(cancelling(flow, policy), wait)).await;
            let members = members.clone();
            assert_eq!(again, Ok(CancelFlowOutcome::Cancelled { cancellation_policy: FlowOnly, members }));
        }
    }
    assert_eq!(case.vector(one).await, WAITING);
}

pub async fn a_repeat_names_a_thousand_members_at_most(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_out(case, 1004)).await;
    cancelled(case, flow, FlowOnly, CancelWait::NoWait).await;
    let CancelFlowOutcome::Cancelled { members, .. } = cancelled(case, flow, CancelAll, CancelWait::NoWait).await
    else {
        panic!("it was cancelled before")
    };
    assert_eq!(members, nodes[..1000]);
}

pub async fn an_unknown_flow_is_not_found(case: &mut Case) {
    let flow = flow_id(case);
    for policy in [CancelAll, CancelPending, FlowOnly] {
        for wait in [CancelWait::NoWait, CancelWait::Indefinite] {
            let cancel = case.engine.cancel_flow(cancelling(flow, policy), wait);
            refused(case, flow, cancel, "flow_not_found").await;
        }
    }
}

pub async fn reasons_no_store_can_keep_are_refused(case: &mut Case) {
    let flow = flow_id(case);
    for reason in ["a\0b".to_owned(), "r".repeat(4097)] {
        let args = CancelFlow { reason, ..cancelling(flow, CancelAll) };
        refused(case, flow, case.engine.cancel_flow(args, CancelWait::NoWait), "invalid_input").await;
    }
}

pub async fn a_wait_that_is_over_leaves_the_cancellation_standing(case: &mut Case) {
    let (flow, nodes) = submit(case, line(case, 30)).await;
    one_step(case).await;
    let cancel = case.engine.cancel_flow(cancelling(flow, CancelAll), CancelWait::Timeout(500));
    let (overran, ()) = tokio::join!(cancel, case.pass(500));
    let error = case.code(overran, "timeout");
    assert_eq!(error, EngineError::Timeout { op: "cancel_flow", elapsed_ms: 500 });
    assert!(header(case, flow).await.cancelled.is_some());
    assert!(contents(case, flow).await.pending.is_some());
    go_on(case).await;
    for id in nodes {
        assert_eq!(outcome(case, id).await, TerminalOutcome::Cancelled);
        assert_eq!(case.story(id).await, ["completed cancelled by cascade"]);
    }
    assert!(contents(case, flow).await.pending.is_none());
}

pub async fn an_indefinite_wait_ends_after_five_minutes(case: &mut Case) {
    let (flow, _) = submit(case, line(case, 30)).await;
    one_step(case).await;
    let cancel = case.engine.cancel_flow(cancelling(flow, CancelAll), CancelWait::Indefinite);
    let (overran, ()) = tokio::join!(cancel, case.pass(300_000));
    let error = case.code(overran, "timeout");
    assert_eq!(error, EngineError::Timeout { op: "cancel_flow", elapsed_ms: 300_000 });
    go_on(case).await;
}

pub async fn a_wait_lasts_until_the_last_has_ended(case: &mut Case) {
    let (flow, nodes) = submit(case, line(case, 40)).await;
    super::cascade_completion::short_steps(case).await;
    let outcome = cancelled(case, flow, CancelAll, CancelWait::Indefinite).await;
    assert_eq!(outcome, CancelFlowOutcome::Cancelled { cancellation_policy: CancelAll, members: nodes });
    assert_eq!(counts(case, flow).await, [(PublicState::Cancelled, 40)]);
}

pub async fn what_is_selected_makes_no_step_before_it_ends(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_out(case, 20)).await;
    let held = lease(case, nodes[0]).await;
    one_step(case).await;
    cancelled(case, flow, CancelPending, CancelWait::NoWait).await;
    // The last has not been reached: the end of its upstream does not let it
    // go, and neither does a command about itself.
    assert_eq!(outcome(case, nodes[20]).await, TerminalOutcome::None);
    case.engine.complete_execution(act::completion(&held.execution)).await.unwrap();
    assert_eq!(outcome(case, nodes[20]).await, TerminalOutcome::None);
    let priority = leasehold_contract::ChangePriority { execution_id: nodes[20], new_priority: 1 };
    crate::case::meets(case.engine.change_priority(priority).await, "execution_not_eligible");
    go_on(case).await;
    for id in &nodes[1..] {
        assert_eq!(outcome(case, *id).await, TerminalOutcome::Cancelled);
        assert_eq!(case.story(*id).await, ["completed cancelled by cascade"]);
    }
}

pub async fn a_crash_between_two_steps_leaves_nobody_behind(case: &mut Case) {
    let (flow, nodes) = submit(case, fan_out(case, 60)).await;
    super::cascade_completion::short_steps(case).await;
    cancelled(case, flow, CancelAll, CancelWait::NoWait).await;
    case.kill().await;
    case.kill().await;
    case.settle().await;
    for id in nodes {
        assert_eq!(case.story(id).await, ["completed cancelled by cascade"]);
    }
}

pub async fn the_lost_are_cancelled_and_not_skipped(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down, after] = members(case, flow).await;
    link(case, flow, up, down).await;
    link(case, flow, down, after).await;
    cancelled(case, flow, CancelAll, CancelWait::Indefinite).await;
    for id in [up, down, after] {
        assert_eq!(outcome(case, id).await, TerminalOutcome::Cancelled);
        assert_eq!(case.story(id).await, ["completed cancelled by cascade"]);
    }
}

pub async fn a_running_upstream_that_finishes_resolves_nothing_cancelled(case: &mut Case) {
    let join = join(case, any_of("cancel_remaining"), 2).await;
    let held = lease(case, join.upstreams[0]).await;
    cancelled(case, join.flow, CancelPending, CancelWait::Indefinite).await;
    case.engine.complete_execution(act::completion(&held.execution)).await.unwrap();
    assert_eq!(outcome(case, join.child).await, TerminalOutcome::Cancelled);
    assert_eq!(outcome(case, join.upstreams[0]).await, TerminalOutcome::Success);
}

pub async fn what_ended_badly_stays_as_it_ended(case: &mut Case) {
    let flow = flow(case).await;
    let [bad, lost, other] = members(case, flow).await;
    link(case, flow, bad, lost).await;
    fail(case, bad).await;
    let before = (case.record(bad).await, case.record(lost).await);
    cancelled(case, flow, CancelAll, CancelWait::Indefinite).await;
    assert_eq!((case.record(bad).await, case.record(lost).await), before);
    assert_eq!(outcome(case, other).await, TerminalOutcome::Cancelled);
}

pub async fn after_a_header_it_is_a_repeat(case: &mut Case) {
    let flow = flow(case).await;
    let id = member(case, flow).await;
    case.engine.cancel_flow_header(heading(flow, CancelPending)).await.unwrap();
    let outcome = cancelled(case, flow, CancelAll, CancelWait::NoWait).await;
    assert_eq!(outcome, CancelFlowOutcome::Cancelled { cancellation_policy: CancelPending, members: vec![id] });
    assert!(contents(case, flow).await.pending.is_some());
}
