//! `read_suspension`: the last suspension of an execution, with what resumed
//! it.

use crate::case::Case;
use bytes::Bytes;
use leasehold_contract::{ClosedView, DeliverSignal, SuspensionView};
use leasehold_core::ids::{AttemptIndex, ExecutionId};
use leasehold_core::record::{CloseReason, Requester, SuspensionReason, TimeoutBehavior};
use leasehold_core::suspension::{CompositeBody, ResumeCondition};
use leasehold_tests::harness::act::{cancellation, completion, replay};
use leasehold_tests::harness::{by_name, resumption};

async fn read(case: &Case, id: ExecutionId) -> Option<SuspensionView> {
    case.engine.read_suspension(id).await.unwrap()
}

fn closed(view: Option<SuspensionView>) -> Option<ClosedView> {
    view.and_then(|view| view.closed)
}

pub async fn an_execution_that_was_never_suspended_has_none(case: &mut Case) {
    let held = case.leased().await;
    assert_eq!(read(case, held.execution.execution_id).await, None);
    case.engine.complete_execution(completion(&held.execution)).await.unwrap();
    assert_eq!(read(case, held.execution.execution_id).await, None);
}

pub async fn an_unknown_execution_has_none(case: &mut Case) {
    for id in [case.id(), case.id_in(case.partitions())] {
        assert_eq!(read(case, id).await, None);
    }
}

pub async fn an_open_one_is_shown_as_it_was_asked_for(case: &mut Case) {
    let (since, deadline) = (case.now(), case.now().plus(60_000));
    let waiting = case
        .suspended(|args| {
            args.reason_code = SuspensionReason::WaitingForApproval;
            *args = args
                .clone()
                .with_timeout(deadline, TimeoutBehavior::Escalate)
                .with_continuation_metadata_pointer("step 3")
                .with_requester(Requester::Operator);
        })
        .await;
    case.advance(10);
    for _ in 0..2 {
        let view = read(case, waiting.id).await.unwrap();
        assert_eq!((&view.suspension_id, view.attempt_index), (&waiting.details.suspension_id, AttemptIndex(0)));
        assert_eq!((&view.reason, view.requested_by), (&SuspensionReason::WaitingForApproval, Requester::Operator));
        let timeout = view.timeout.unwrap();
        assert_eq!((view.created_at, timeout.at, timeout.behavior), (since, deadline, TimeoutBehavior::Escalate));
        assert_eq!(view.continuation_metadata_pointer.as_deref(), Some("step 3"));
        assert_eq!((view.satisfied_at, view.closed, view.signals), (None, None, Vec::new()));
        // Once more by an owner that has nothing in memory.
        case.kill().await;
    }
}

pub async fn what_resumed_it_is_shown_with_where_it_came_to(case: &mut Case) {
    let both = ResumeCondition::Composite(CompositeBody::AllOf { members: vec![by_name("a", "x"), by_name("b", "y")] });
    let waiting = case.suspended_on(&["a", "b"], both).await;
    let issued = waiting.waitpoints();
    let mut sent = Vec::new();
    for (at, key, name) in [(1, "b", "y"), (0, "a", "z"), (0, "a", "x")] {
        let payload = Some(Bytes::from(name.repeat(400)));
        let args = DeliverSignal { signal_name: name.to_owned(), payload, ..case.signal_to(waiting.id, issued[at]) };
        sent.push((key, args.signal_id, args.payload.clone()));
        case.deliver(args).await;
        case.advance(1);
    }
    let resumed_at = case.now().minus(1);
    for _ in 0..2 {
        let view = read(case, waiting.id).await.unwrap();
        let seen = view
            .signals
            .iter()
            .map(|seen| (seen.waitpoint_key.as_str(), seen.signal.signal_id, seen.signal.payload.clone()));
        assert_eq!(seen.collect::<Vec<_>>(), [sent[0].clone(), sent[2].clone()]);
        let how = ClosedView { at: resumed_at, reason: CloseReason::Resumed, resume_trigger: None };
        assert_eq!((view.satisfied_at, view.closed), (Some(resumed_at), Some(how)));
        case.kill().await;
    }
}

pub async fn a_closed_one_says_which_door_closed_it(case: &mut Case) {
    let reason = |view| closed(view).map(|closed| closed.reason);
    let waiting = case.waiting_for_signal().await;
    case.engine.cancel_execution(cancellation(waiting.id)).await.unwrap();
    assert_eq!(reason(read(case, waiting.id).await), Some(CloseReason::Cancelled));

    let at = case.now().plus(5);
    let waiting = case.suspended(|args| *args = args.clone().with_timeout(at, TimeoutBehavior::Fail)).await;
    case.advance(5);
    case.engine.expire_suspension(waiting.id).await.unwrap();
    assert_eq!(reason(read(case, waiting.id).await), Some(CloseReason::TimedOutFail));

    let waiting = case.waiting_for_signal().await;
    case.engine.resume_execution(resumption(waiting.id)).await.unwrap();
    let how = closed(read(case, waiting.id).await).unwrap();
    assert_eq!((how.reason, how.resume_trigger), (CloseReason::Resumed, Some(resumption(waiting.id).trigger)));
}

pub async fn the_next_suspension_takes_its_place(case: &mut Case) {
    let first = case.resumed().await;
    let id = first.execution.execution_id;
    let before = read(case, id).await.unwrap();
    let args = case.suspension();
    let second = case.suspend(first, args).await;
    let view = read(case, id).await.unwrap();
    assert_eq!((view.suspension_id, view.closed), (second.details.suspension_id, None));
    assert_ne!(view.suspension_id, before.suspension_id);
    assert_eq!((before.signals.len(), view.signals.len()), (1, 0));
}

pub async fn it_outlives_the_attempt_and_tells_which_one_it_was(case: &mut Case) {
    let held = case.resumed().await;
    let id = held.execution.execution_id;
    let before = read(case, id).await;
    case.engine.complete_execution(completion(&held.execution)).await.unwrap();
    assert_eq!(read(case, id).await, before);
    case.engine.replay_execution(replay(id)).await.unwrap();
    let again = case.lease(id).await.execution;
    assert_ne!(again.attempt_index, AttemptIndex(0));
    assert_eq!(read(case, id).await, before, "the attempt has not been suspended");
}
