//! `create_waitpoint`: a waitpoint whose token can be handed out before the
//! worker suspends.

use crate::case::Case;
use crate::fencing::{Answer, told, under_lease};
use crate::handles::handle_form;
use crate::states::LEASED;
use crate::suspension::detail;
use futures::future::join_all;
use leasehold_actors::env::WaitpointKey;
use leasehold_contract::Handle;
use leasehold_core::command::ClaimedExecution;
use leasehold_core::ids::AttemptIndex;
use leasehold_core::record::{CloseReason, WaitpointState, WaitsMark};
use leasehold_core::state::TerminalOutcome;
use leasehold_core::time::TimestampMs;
use leasehold_tests::harness::act::{cancellation, failure};
use leasehold_tests::harness::seed;

const MINUTE_MS: u64 = 60_000;

fn with_handle<'a>(case: &'a Case, handle: &'a Handle) -> Answer<'a> {
    Box::pin(async { told(case.engine.create_waitpoint(handle, "a".to_owned(), MINUTE_MS).await) })
}

fn call<'a>(case: &'a Case, held: &'a ClaimedExecution) -> Answer<'a> {
    Box::pin(async {
        let handle = held.handle(case.backend.tag());
        told(case.engine.create_waitpoint(&handle, "a".to_owned(), MINUTE_MS).await)
    })
}

under_lease!(marks);
handle_form!();

pub async fn it_is_pending_and_the_execution_goes_on(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let before = case.record(id).await;
    case.advance(5);
    let pending = case.engine.create_waitpoint(&held.handle, "wpk:1".to_owned(), MINUTE_MS).await.unwrap();
    let due = case.now().plus(MINUTE_MS);
    let waitpoint = case.waitpoint(id, pending.waitpoint_id).await;
    assert_eq!((waitpoint.execution_id, waitpoint.attempt_index), (id, AttemptIndex(0)));
    assert_eq!((&*waitpoint.waitpoint_key, waitpoint.state), ("wpk:1", WaitpointState::Pending));
    assert_eq!((waitpoint.suspension_id, waitpoint.activated_at), (None, None));
    assert_eq!((waitpoint.created_at, waitpoint.expires_at), (case.now(), Some(due)));
    assert_eq!(waitpoint.token.as_ref(), Some(&pending.hmac_token));
    assert_eq!(pending.hmac_token.kid(), "k1");
    let waits = case.waits(id).await;
    assert_eq!(
        (&waits.open_waitpoints, &waits.expiries),
        (&vec![pending.waitpoint_id], &vec![(pending.waitpoint_id, due)])
    );
    assert_eq!(waits.current, None);

    assert_eq!(case.vector(id).await, LEASED);
    assert_eq!(case.story(id).await, ["acquired 1"], "nothing is told of it");
    let record = case.record(id).await;
    assert_eq!(record.waits, Some(WaitsMark { due_at: Some(due) }));
    assert_eq!((&record.lease, record.last_transition_at), (&before.lease, before.last_transition_at));
    assert_eq!(case.timer(id).await, Some(due));
    let shown = format!("{pending:?}");
    assert!(!shown.contains(pending.hmac_token.reveal()), "a token is not shown: {shown}");
}

pub async fn each_call_makes_another_one(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let first = case.pending(&held, MINUTE_MS).await;
    let second = case.pending(&held, 5000).await;
    assert_ne!(first.waitpoint_id, second.waitpoint_id);
    assert_ne!(first.hmac_token, second.hmac_token);
    assert_eq!(case.waits(id).await.open_waitpoints, [first.waitpoint_id, second.waitpoint_id]);
    assert_eq!(case.timer(id).await, Some(case.now().plus(5000)), "the first to run out is the timer");
}

pub async fn it_outlives_the_engine(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, MINUTE_MS).await;
    let before = case.waitpoint(id, pending.waitpoint_id).await;
    case.kill().await;
    assert_eq!(case.waitpoint(id, pending.waitpoint_id).await, before);
    assert_eq!(case.deliver(case.signal_early(id, &pending)).await, "buffered_for_pending_waitpoint");
}

pub async fn it_may_stay_pending_for_ever(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, u64::MAX).await;
    assert_eq!(case.waitpoint(id, pending.waitpoint_id).await.expires_at, Some(TimestampMs(i64::MAX)));
    assert_eq!(case.deliver(case.signal_early(id, &pending)).await, "buffered_for_pending_waitpoint");
    case.engine.close_waitpoint(leasehold_tests::harness::abandonment(id, pending.waitpoint_id)).await.unwrap();
}

pub async fn another_attempt_index_is_stale(case: &mut Case) {
    let held = case.leased().await.execution;
    let other = ClaimedExecution { attempt_index: AttemptIndex(1), ..held.clone() };
    let handle = other.handle(case.backend.tag());
    let call = case.engine.create_waitpoint(&handle, "a".to_owned(), MINUTE_MS);
    case.refused(held.execution_id, call, "stale_lease").await;
}

pub async fn a_key_no_store_can_keep_is_refused(case: &mut Case) {
    let held = case.leased().await;
    for (key, words) in [
        (String::new(), "waitpoint_key: empty"),
        ("x".repeat(257), "waitpoint_key: 257 bytes, at most 256"),
        ("a\0".to_owned(), "waitpoint_key: NUL byte"),
    ] {
        let call = case.engine.create_waitpoint(&held.handle, key, MINUTE_MS);
        let error = case.refused(held.execution.execution_id, call, "invalid_input").await;
        assert_eq!(detail(&error), words);
    }
    case.engine.create_waitpoint(&held.handle, "x".repeat(256), MINUTE_MS).await.unwrap();
}

pub async fn a_thousand_and_24_may_be_open(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let made = join_all((0..1024).map(|_| case.pending(&held, MINUTE_MS))).await;
    let one_more = case.engine.create_waitpoint(&held.handle, "a".to_owned(), MINUTE_MS);
    let error = case.refused(id, one_more, "invalid_input").await;
    assert_eq!(detail(&error), "waitpoints: 1024 open, at most 1024");
    let suspend = case.engine.suspend(&held.handle, case.suspension());
    case.other_refused(id, suspend, "invalid_input").await;
    case.engine.close_waitpoint(leasehold_tests::harness::abandonment(id, made[512].waitpoint_id)).await.unwrap();
    case.pending(&held, MINUTE_MS).await;
    case.engine.complete(&held.handle, None).await.unwrap();
    assert!(case.waits(id).await.open_waitpoints.is_empty(), "its end closes them all");
}

pub async fn without_a_key_no_token_is_minted(case: &mut Case) {
    case.options.engine.waitpoint_key = WaitpointKey::Absent;
    case.restart().await;
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let call = || case.engine.create_waitpoint(&held.handle, "a".to_owned(), MINUTE_MS);
    case.refused(id, call(), "hmac_secret_not_initialized").await;
    case.engine.seed_waitpoint_hmac_secret(seed("first", &"07".repeat(32))).await.unwrap();
    assert_eq!(call().await.unwrap().hmac_token.kid(), "first");
}

pub async fn the_first_token_makes_the_first_key(case: &mut Case) {
    let held = case.leased().await;
    let home = held.execution.execution_id.partition();
    assert_eq!(case.keyring(home).await, None);
    case.pending(&held, MINUTE_MS).await;
    let ring = case.keyring(home).await.expect("a key was made");
    assert_eq!(ring.current_kid.as_deref(), Some("k1"));
    for elsewhere in (0..case.partitions()).filter(|partition| *partition != home) {
        assert_eq!(case.keyring(elsewhere).await, None);
    }
    case.kill().await;
    case.pending(&held, MINUTE_MS).await;
    assert_eq!(case.keyring(home).await, Some(ring), "the key stays");
}

pub async fn an_end_by_any_door_closes_it(case: &mut Case) {
    for (outcome, reason) in [
        (TerminalOutcome::Success, CloseReason::ProactiveClose),
        (TerminalOutcome::Failed, CloseReason::ProactiveClose),
        (TerminalOutcome::Cancelled, CloseReason::Cancelled),
    ] {
        let held = case.leased().await;
        let id = held.execution.execution_id;
        let pending = case.pending(&held, MINUTE_MS).await;
        match outcome {
            TerminalOutcome::Success => drop(case.engine.complete(&held.handle, None).await.unwrap()),
            TerminalOutcome::Failed => drop(case.engine.fail_execution(failure(&held.execution)).await.unwrap()),
            _ => drop(case.engine.cancel_execution(cancellation(id)).await.unwrap()),
        }
        let waitpoint = case.waitpoint(id, pending.waitpoint_id).await;
        assert_eq!((waitpoint.state, waitpoint.close_reason), (WaitpointState::Closed, Some(reason)));
        assert_eq!(waitpoint.closed_at, Some(case.now()));
        assert_eq!(case.entry(id).await.due_at, None);
        let late = case.engine.deliver_signal(case.signal_early(id, &pending));
        case.other_refused(id, late, "target_not_signalable").await;
    }
}

pub async fn it_stays_when_the_lease_is_lost_or_given_back(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, 10 * MINUTE_MS).await;
    case.engine.delay(&held.handle, case.now()).await.unwrap();
    case.promote(id).await;
    assert_eq!(case.deliver(case.signal_early(id, &pending)).await, "buffered_for_pending_waitpoint");
    let again = case.take_again(id).await;
    case.lapse(again).await;
    assert_eq!(case.deliver(case.signal_early(id, &pending)).await, "buffered_for_pending_waitpoint");
    assert_eq!(case.waitpoint(id, pending.waitpoint_id).await.state, WaitpointState::Pending);
}
