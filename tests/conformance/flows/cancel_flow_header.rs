//! `cancel_flow_header`: the flow is cancelled, and its members are left to
//! the caller for a while.

use super::graph::{
    cancelling, contents, counts, flow, flow_id, header, heading, lease, link, member, members, outcome, refused,
    refused_as, succeed, unheard,
};
use crate::case::{Case, meets};
use crate::states::{LEASED, WAITING};
use leasehold_contract::{CancelFlowHeader, CancelHeaderOutcome, CancelWait, PollTasks};
use leasehold_core::command::flow::{CANCEL_GRACE_MS, GRACE_MS_MAX};
use leasehold_core::record::flow::CancellationPolicy::{CancelAll, CancelPending, FlowOnly};
use leasehold_core::state::{PublicState, TerminalOutcome};
use leasehold_tests::harness::act;
use std::time::Duration;

pub async fn the_selected_are_noted_and_left_to_others(case: &mut Case) {
    for policy in [CancelAll, CancelPending, FlowOnly] {
        let flow = flow(case).await;
        let [running, waiting, done, blocked] = members(case, flow).await;
        link(case, flow, waiting, blocked).await;
        lease(case, running).await;
        succeed(case, done).await;
        case.advance(5);
        let selected = match policy {
            CancelAll => vec![running, waiting, blocked],
            CancelPending => vec![waiting, blocked],
            FlowOnly => vec![],
        };
        let expected = CancelHeaderOutcome::Cancelled {
            cancellation_policy: policy,
            members: vec![running, waiting, done, blocked],
            selected: selected.clone(),
        };
        assert_eq!(case.engine.cancel_flow_header(heading(flow, policy)).await, Ok(expected));
        let stored = header(case, flow).await.cancelled.clone().unwrap();
        assert_eq!((stored.at, stored.reason.as_str(), stored.policy), (case.now(), "not needed", policy));
        case.settle().await;
        assert_eq!(case.vector(running).await, LEASED);
        assert_eq!(case.vector(waiting).await, WAITING);
        let found = contents(case, flow).await;
        let noted: Option<Vec<u32>> = found.pending.as_ref().map(|pending| pending.members.iter().collect());
        let place = |id: &_| [running, waiting, done, blocked].iter().position(|member| member == id).unwrap() as u32;
        let places: Vec<u32> = selected.iter().map(place).collect();
        assert_eq!(noted, (!places.is_empty()).then_some(places));
        let due = case.now().plus(CANCEL_GRACE_MS);
        assert_eq!(found.pending.map(|pending| pending.due_at), (policy != FlowOnly).then_some(due));
    }
}

pub async fn a_repeat_is_told_what_is_stored(case: &mut Case) {
    let flow = flow(case).await;
    let id = member(case, flow).await;
    case.engine.cancel_flow_header(heading(flow, CancelPending)).await.unwrap();
    case.advance(5);
    for policy in [CancelAll, CancelPending, FlowOnly] {
        let args = CancelFlowHeader { reason: "again".to_owned(), grace_ms: 0, ..heading(flow, policy) };
        let again = unheard(case, flow, case.engine.cancel_flow_header(args)).await;
        let expected = CancelHeaderOutcome::AlreadyTerminal {
            stored_cancellation_policy: Some(CancelPending),
            stored_cancel_reason: Some("not needed".to_owned()),
            members: vec![id],
        };
        assert_eq!(again, Ok(expected));
    }
}

pub async fn checks_come_in_their_order(case: &mut Case) {
    let flow = flow_id(case);
    let odd = CancelFlowHeader { reason: "a\0b".to_owned(), grace_ms: u64::MAX, ..heading(flow, CancelAll) };
    refused(case, flow, case.engine.cancel_flow_header(odd), "invalid_input").await;
    let long = CancelFlowHeader { grace_ms: GRACE_MS_MAX + 1, ..heading(flow, CancelAll) };
    let detail = format!("{} ms, at most {GRACE_MS_MAX}", GRACE_MS_MAX + 1);
    refused_as(case, flow, case.engine.cancel_flow_header(long), "invalid_grace_ms", &detail).await;
    let longest = CancelFlowHeader { grace_ms: GRACE_MS_MAX, ..heading(flow, CancelAll) };
    refused(case, flow, case.engine.cancel_flow_header(longest), "flow_not_found").await;
}

pub async fn what_is_selected_is_ended_when_it_would_move(case: &mut Case) {
    let flow = flow(case).await;
    let [running, waiting, blocked] = members(case, flow).await;
    link(case, flow, running, blocked).await;
    let held = lease(case, running).await;
    case.engine.cancel_flow_header(heading(flow, CancelAll)).await.unwrap();
    meets(case.engine.issue_claim_grant(case.grant(waiting)).await, "execution_not_eligible");
    assert_eq!(outcome(case, waiting).await, TerminalOutcome::None);
    let poll = PollTasks { max_wait: Duration::ZERO, ..case.poll() };
    assert!(case.engine.poll_tasks(poll).await.unwrap().is_empty());
    let end = case.engine.complete_execution(act::completion(&held.execution)).await;
    assert!(end.is_err(), "{end:?}");
    for id in [running, waiting, blocked] {
        assert_ne!(outcome(case, id).await, TerminalOutcome::Success);
    }
}

pub async fn the_caller_ends_and_acknowledges(case: &mut Case) {
    let flow = flow(case).await;
    let [one, two] = members(case, flow).await;
    case.engine.cancel_flow_header(heading(flow, CancelAll)).await.unwrap();
    for id in [one, two] {
        case.engine.cancel_execution(act::cancellation(id)).await.unwrap();
        case.engine.ack_cancel_member(flow, id).await.unwrap();
        assert_eq!(outcome(case, id).await, TerminalOutcome::Cancelled);
    }
    assert!(contents(case, flow).await.pending.is_none());
    assert_eq!(counts(case, flow).await, [(PublicState::Cancelled, 2)]);
}

pub async fn after_a_cancellation_it_is_a_repeat(case: &mut Case) {
    let flow = flow(case).await;
    let id = member(case, flow).await;
    case.engine.cancel_flow(cancelling(flow, CancelAll), CancelWait::Indefinite).await.unwrap();
    let again = unheard(case, flow, case.engine.cancel_flow_header(heading(flow, FlowOnly))).await;
    let expected = CancelHeaderOutcome::AlreadyTerminal {
        stored_cancellation_policy: Some(CancelAll),
        stored_cancel_reason: Some("not needed".to_owned()),
        members: vec![id],
    };
    assert_eq!(again, Ok(expected));
}
