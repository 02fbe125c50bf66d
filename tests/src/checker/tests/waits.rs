//! Suspensions and signals, honestly written and not.

use super::broken_by;
use super::workbench::{Workbench, alter, tell_twice};
use crate::checker::waits::hides;
use crate::checker::{Report, Rule};
use leasehold_core::command::{
    ClaimedExecution, CreateWaitpoint, DeliverSignal, ExpireSuspension, PendingWaitpoint, SeedWaitpointHmacSecret,
    Suspend,
};
use leasehold_core::decision::ChangeSet;
use leasehold_core::ids::ExecutionId;
use leasehold_core::record::{
    IssuedWaitpoint, Record, RecordKey, Requester, ResumePolicy, SuspensionReason, TimeoutBehavior, WaitKey,
    WaitRecord, Waitpoint,
};
use leasehold_core::suspension::{ResumeCondition, SignalMatcher, WaitpointBinding};
use leasehold_core::time::TimestampMs;
use leasehold_core::token::{SecretHex, WaitpointToken};
use std::sync::Arc;

fn key() -> SeedWaitpointHmacSecret {
    SeedWaitpointHmacSecret { partition: 0, kid: "k1".to_owned(), secret_hex: SecretHex::new("07".repeat(32)) }
}

/// Arguments that suspend at a new waitpoint `a`.
fn suspension(bench: &mut Workbench, held: &ClaimedExecution) -> Suspend {
    let waitpoint_id = bench.mint().into();
    Suspend {
        execution_id: held.execution_id,
        fence: held.fence().into(),
        handle_kind: None,
        attempt_index: None,
        suspension_id: bench.mint().into(),
        waitpoints: vec![WaitpointBinding::Fresh { waitpoint_id, waitpoint_key: "a".to_owned() }],
        resume_condition: ResumeCondition::Single {
            waitpoint_key: "a".to_owned(),
            matcher: SignalMatcher::ByName("go".to_owned()),
        },
        resume_policy: ResumePolicy::default(),
        reason_code: SuspensionReason::WaitingForSignal,
        requested_by: Requester::Worker,
        timeout_at: None,
        timeout_behavior: TimeoutBehavior::Fail,
        continuation_metadata_pointer: None,
        now: TimestampMs(0),
        idempotency_key: None,
    }
}

/// A new execution, suspended.
async fn suspended(bench: &mut Workbench) -> (ExecutionId, IssuedWaitpoint) {
    bench.run(key()).await;
    let held = bench.running().await;
    let suspend = suspension(bench, &held);
    let outcome = bench.run(suspend).await;
    (held.execution_id, outcome.details().primary.clone())
}

fn creation(bench: &mut Workbench, held: &ClaimedExecution) -> CreateWaitpoint {
    CreateWaitpoint {
        execution_id: held.execution_id,
        fence: held.fence().into(),
        attempt_index: None,
        waitpoint_id: bench.mint().into(),
        waitpoint_key: "b".to_owned(),
        expires_in_ms: 1000,
    }
}

fn signal(bench: &mut Workbench, execution_id: ExecutionId, to: &IssuedWaitpoint, name: &str) -> DeliverSignal {
    DeliverSignal {
        execution_id,
        waitpoint_id: to.waitpoint_id,
        signal_id: bench.mint().into(),
        signal_name: name.to_owned(),
        signal_category: String::new(),
        source_type: String::new(),
        source_identity: String::new(),
        payload: None,
        payload_encoding: String::new(),
        correlation_id: None,
        idempotency_key: None,
        target_scope: String::new(),
        created_at: None,
        dedup_ttl_ms: 0,
        resume_delay_ms: 0,
        max_signals_per_execution: 0,
        waitpoint_token: to.waitpoint_token.clone(),
    }
}

/// Writes waitpoints other than decided.
fn alter_waitpoints(set: &mut ChangeSet, f: impl Fn(&mut Waitpoint)) {
    for change in &mut set.changes {
        if let Some(Record::Wait(WaitRecord::Waitpoint(waitpoint))) = &mut change.new {
            f(Arc::make_mut(waitpoint));
        }
    }
}

fn forget(set: &mut ChangeSet, forgotten: fn(&WaitKey) -> bool) {
    set.changes.retain(|change| !matches!(&change.key, RecordKey::Wait(key) if forgotten(key)));
}

broken_by! {
    a_mark_other_than_its_waits_is_found: Waits, async |bench: &mut Workbench| {
        bench.run(key()).await;
        let held = bench.running().await;
        let suspend = suspension(bench, &held);
        bench.run_but(suspend, |set| alter(set, |execution| execution.waits = None)).await;
    };
    a_waitpoint_that_is_named_and_not_stored_is_found: Waitpoint, async |bench: &mut Workbench| {
        bench.run(key()).await;
        let held = bench.running().await;
        let suspend = suspension(bench, &held);
        bench.run_but(suspend, |set| forget(set, |key| matches!(key, WaitKey::Waitpoint(_)))).await;
    };
    a_pending_waitpoint_without_its_timer_is_found: Waitpoint, async |bench: &mut Workbench| {
        bench.run(key()).await;
        let held = bench.running().await;
        let create = creation(bench, &held);
        bench.run_but(create, |set| alter_waitpoints(set, |waitpoint| {
            waitpoint.expires_at = waitpoint.expires_at.map(|at| at.plus(1));
        })).await;
    };
    a_waitpoint_that_stays_open_is_found: Waitpoint, async |bench: &mut Workbench| {
        let (id, to) = suspended(bench).await;
        let go = signal(bench, id, &to, "go");
        bench.run_but(go, |set| forget(set, |key| matches!(key, WaitKey::Waitpoint(_)))).await;
    };
    a_token_of_another_key_is_found: Token, async |bench: &mut Workbench| {
        bench.run(key()).await;
        let held = bench.running().await;
        let suspend = suspension(bench, &held);
        bench.run_but(suspend, |set| alter_waitpoints(set, |waitpoint| {
            waitpoint.token = Some(WaitpointToken::new(format!("k1:{}", "0".repeat(40))));
        })).await;
    };
    a_waitpoint_without_a_token_is_found: Token, async |bench: &mut Workbench| {
        bench.run(key()).await;
        let held = bench.running().await;
        let create = creation(bench, &held);
        bench.run_but(create, |set| alter_waitpoints(set, |waitpoint| waitpoint.token = None)).await;
    };
    a_key_in_use_that_expires_is_found: KeyRing, async |bench: &mut Workbench| {
        bench.run_but(key(), |set| {
            for change in &mut set.changes {
                if let Some(Record::Wait(WaitRecord::Keyring(ring))) = &mut change.new {
                    for key in Arc::make_mut(ring).keys.values_mut() {
                        key.expires_at = Some(TimestampMs(5));
                    }
                }
            }
        }).await;
    };
    a_suspended_execution_that_is_not_listed_is_found: SuspendedList, async |bench: &mut Workbench| {
        bench.run(key()).await;
        let held = bench.running().await;
        let suspend = suspension(bench, &held);
        bench.run_but(suspend, |set| forget(set, |key| matches!(key, WaitKey::Suspended(..)))).await;
    };
    an_execution_that_stays_listed_is_found: SuspendedList, async |bench: &mut Workbench| {
        let (id, to) = suspended(bench).await;
        let go = signal(bench, id, &to, "go");
        bench.run_but(go, |set| forget(set, |key| matches!(key, WaitKey::Suspended(..)))).await;
    };
    a_signal_that_is_told_and_not_stored_is_found: SignalRecord, async |bench: &mut Workbench| {
        let (id, to) = suspended(bench).await;
        let other = signal(bench, id, &to, "other");
        bench.run_but(other, |set| forget(set, |key| matches!(key, WaitKey::Signal(_)))).await;
    };
    a_signal_that_nothing_waits_for_is_found: SignalRecord, async |bench: &mut Workbench| {
        let (id, to) = suspended(bench).await;
        let other = signal(bench, id, &to, "other");
        bench.run_but(other, |set| {
            for event in &mut set.events {
                event.facts.extend(event.facts.clone());
            }
        }).await;
    };
    a_signal_after_the_one_that_satisfied_is_found: SignalHistory, async |bench: &mut Workbench| {
        let (id, to) = suspended(bench).await;
        let go = signal(bench, id, &to, "go");
        bench.run_but(go, tell_twice).await;
    };
}

#[tokio::test]
async fn waits_written_by_the_rules_are_sound_at_every_step() {
    let mut bench = Workbench::new().await;
    let (id, to) = suspended(&mut bench).await;
    bench.check().await.assert_sound();
    let other = signal(&mut bench, id, &to, "other");
    bench.run(other).await;
    bench.check().await.assert_sound();
    let go = signal(&mut bench, id, &to, "go");
    bench.run(go).await;
    bench.check().await.assert_sound();

    let held = bench.claimed(id).await;
    let create = creation(&mut bench, &held);
    let PendingWaitpoint { waitpoint_id, hmac_token } = bench.run(create).await;
    bench.check().await.assert_sound();
    let to = IssuedWaitpoint { waitpoint_id, waitpoint_key: "b".into(), waitpoint_token: hmac_token };
    let early = signal(&mut bench, id, &to, "go");
    bench.run(early).await;
    bench.check().await.assert_sound();
    let suspend = Suspend { timeout_at: Some(TimestampMs(0)), ..suspension(&mut bench, &held) };
    bench.run(Suspend { timeout_behavior: TimeoutBehavior::Escalate, ..suspend }).await;
    bench.check().await.assert_sound();
    let timeout_signal_id = bench.mint().into();
    bench.run(ExpireSuspension { execution_id: id, timeout_signal_id }).await;
    bench.check().await.assert_sound();
}

#[test]
fn a_token_that_is_shown_is_found() {
    let id = ExecutionId::from_parts(0, uuid::Uuid::from_u128(1));
    let token = WaitpointToken::new(format!("k1:{}", "5".repeat(40)));
    let mut report = Report::default();
    hides(&format!("{token:?}"), token.reveal(), id, &mut report);
    report.assert_sound();
    hides(&format!("token {}", token.reveal()), token.reveal(), id, &mut report);
    assert_eq!(report.broken(), [Rule::Secrecy].into());
}
