//! `observe_signals`: what a resumed worker was waiting for.

use crate::case::Case;
use crate::fencing::{Answer, told};
use crate::handles::handle_form;
use bytes::Bytes;
use leasehold_contract::{DeliverSignal, Handle, ResumeSignal};
use leasehold_core::command::ClaimedExecution;
use leasehold_core::ids::AttemptIndex;
use leasehold_core::record::TimeoutBehavior;
use leasehold_core::suspension::{CompositeBody, CountKind, ResumeCondition};
use leasehold_tests::harness::act::{cancellation, completion, replay};
use leasehold_tests::harness::{by_name, resumption};

fn with_handle<'a>(case: &'a Case, handle: &'a Handle) -> Answer<'a> {
    Box::pin(async { told(case.engine.observe_signals(handle).await) })
}

handle_form!();

async fn observed(case: &Case, handle: &Handle) -> Vec<ResumeSignal> {
    case.engine.observe_signals(handle).await.unwrap()
}

fn many(n: u32) -> ResumeCondition {
    ResumeCondition::Composite(CompositeBody::Count {
        n,
        count_kind: CountKind::DistinctSignals,
        matcher: None,
        waitpoints: vec!["a".into()],
    })
}

pub async fn a_signal_is_shown_as_it_was_sent(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    case.advance(5);
    let args = DeliverSignal {
        payload: Some(Bytes::from_static(b"\xff\0")),
        correlation_id: Some("c-1".into()),
        ..case.signal_to(waiting.id, waiting.primary())
    };
    case.deliver(args.clone()).await;
    let expected = ResumeSignal {
        signal_id: args.signal_id,
        signal_name: "go".into(),
        signal_category: "callback".into(),
        source_type: "service".into(),
        source_identity: "billing".into(),
        correlation_id: Some("c-1".into()),
        accepted_at: case.now(),
        payload: Some(Bytes::from_static(b"\xff\0")),
    };
    let held = case.take_again(waiting.id).await;
    case.kill().await;
    assert_eq!(observed(case, &held.handle).await, std::slice::from_ref(&expected));
    // The attempt is what counts, so the handle from before serves as well.
    assert_eq!(observed(case, &waiting.held.handle).await, [expected]);
}

pub async fn only_what_brought_the_condition_further_is_shown_in_order(case: &mut Case) {
    let both = ResumeCondition::Composite(CompositeBody::AllOf { members: vec![by_name("a", "x"), by_name("b", "y")] });
    let waiting = case.suspended_on(&["a", "b"], both).await;
    let issued = waiting.waitpoints();
    let mut sent = Vec::new();
    for (at, name) in [(1, "y"), (0, "z"), (1, "y"), (0, "x")] {
        let args = DeliverSignal { signal_name: name.to_owned(), ..case.signal_to(waiting.id, issued[at]) };
        sent.push(args.signal_id);
        case.deliver(args).await;
        case.advance(1);
    }
    let held = case.take_again(waiting.id).await;
    let seen: Vec<_> = observed(case, &held.handle).await.iter().map(|signal| signal.signal_id).collect();
    assert_eq!(seen, [sent[0], sent[3]]);
}

pub async fn nothing_is_shown_before_the_resume(case: &mut Case) {
    let held = case.leased().await;
    assert!(observed(case, &held.handle).await.is_empty());
    let args = case.suspension_on(&["a"], many(2));
    let waiting = case.suspend(held, args).await;
    case.deliver(case.signal_to(waiting.id, waiting.primary())).await;
    assert!(observed(case, &waiting.held.handle).await.is_empty());
    case.engine.resume_execution(resumption(waiting.id)).await.unwrap();
    let held = case.take_again(waiting.id).await;
    assert_eq!(observed(case, &held.handle).await.len(), 1, "an operator's resume shows what had come");
}

pub async fn a_suspension_that_ended_otherwise_shows_nothing(case: &mut Case) {
    let waiting = case.suspended_on(&["a"], many(2)).await;
    case.deliver(case.signal_to(waiting.id, waiting.primary())).await;
    case.engine.cancel_execution(cancellation(waiting.id)).await.unwrap();
    assert!(observed(case, &waiting.held.handle).await.is_empty());
    let held = case.leased().await;
    let args = case.suspension_on(&["a"], many(2)).with_timeout(case.now().plus(5), TimeoutBehavior::Fail);
    let waiting = case.suspend(held, args).await;
    case.deliver(case.signal_to(waiting.id, waiting.primary())).await;
    case.advance(5);
    case.engine.expire_suspension(waiting.id).await.unwrap();
    assert!(observed(case, &waiting.held.handle).await.is_empty());
}

pub async fn only_the_last_suspension_of_the_attempt_is_shown(case: &mut Case) {
    let first = case.resumed().await;
    assert_eq!(observed(case, &first.handle).await.len(), 1);
    let args = case.suspension();
    let second = case.suspend(first, args).await;
    assert!(observed(case, &second.held.handle).await.is_empty(), "an open one has taken its place");
    let args = case.signal_to(second.id, second.primary());
    case.deliver(args.clone()).await;
    let held = case.take_again(second.id).await;
    let seen = observed(case, &held.handle).await;
    assert_eq!(seen.iter().map(|signal| signal.signal_id).collect::<Vec<_>>(), [args.signal_id]);
}

pub async fn another_attempt_sees_nothing_of_it(case: &mut Case) {
    let held = case.resumed().await;
    let id = held.execution.execution_id;
    let other = ClaimedExecution { attempt_index: AttemptIndex(1), ..held.execution.clone() };
    assert!(observed(case, &other.handle(case.backend.tag())).await.is_empty());
    case.engine.complete_execution(completion(&held.execution)).await.unwrap();
    assert_eq!(observed(case, &held.handle).await.len(), 1, "it stays when the execution has ended");
    case.engine.replay_execution(replay(id)).await.unwrap();
    let again = case.lease(id).await;
    assert!(observed(case, &again.handle).await.is_empty());
}

pub async fn more_signals_than_are_read_at_once_are_all_shown(case: &mut Case) {
    let waiting = case.suspended_on(&["a"], many(150)).await;
    let mut sent = Vec::new();
    for at in 0..150_u32 {
        let payload = Bytes::from(at.to_be_bytes().repeat(if at % 2 == 0 { 1 } else { 100 }));
        let args = DeliverSignal { payload: Some(payload), ..case.signal_to(waiting.id, waiting.primary()) };
        sent.push((args.signal_id, args.payload.clone()));
        case.deliver(args).await;
    }
    let held = case.take_again(waiting.id).await;
    let seen = observed(case, &held.handle).await;
    assert_eq!(seen.into_iter().map(|signal| (signal.signal_id, signal.payload)).collect::<Vec<_>>(), sent);
}

pub async fn an_unknown_execution_has_received_nothing(case: &mut Case) {
    let held = case.leased().await.execution;
    for id in [case.id(), case.id_in(case.partitions())] {
        let stranger = ClaimedExecution { execution_id: id, ..held.clone() };
        assert!(observed(case, &stranger.handle(case.backend.tag())).await.is_empty());
    }
}
