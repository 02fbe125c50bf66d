//! What a worker asks for when its execution goes on.

use crate::fixture::Fixture;
use bytes::Bytes;
use leasehold_backend::Backend;
use leasehold_contract::{Handle, SuspendArgs, SuspendOutcome, Suspension};
use leasehold_core::command::{DeliverSignal, SignalOutcome};
use leasehold_core::ids::{ExecutionId, SignalId, SuspensionId, WaitpointId};
use leasehold_core::record::SuspensionReason;
use leasehold_core::suspension::{ResumeCondition, SignalMatcher, WaitpointBinding};
use std::time::Duration;

/// Bytes that do not fit into the record of a signal.
const PAYLOAD: Bytes = Bytes::from_static(&[7; 1000]);

/// An execution that was suspended, signalled and claimed again.
async fn resumed(fixture: &Fixture) -> (ExecutionId, Handle) {
    let execution_id = fixture.create().await;
    let handle = fixture.claim().await.claimed.handle(fixture.backend.tag());
    let uuid = || fixture.entropy.uuid();
    let waitpoint = WaitpointBinding::Fresh { waitpoint_id: WaitpointId::from_uuid(uuid()), waitpoint_key: "a".into() };
    let condition = ResumeCondition::Single { waitpoint_key: "a".into(), matcher: SignalMatcher::Wildcard };
    let (id, reason) = (SuspensionId::from_uuid(uuid()), SuspensionReason::WaitingForSignal);
    let suspend = SuspendArgs::new(id, waitpoint, condition, reason, fixture.engine.env().time.now());
    let outcome = fixture.engine.suspend(&handle, suspend).await.unwrap();
    let SuspendOutcome::Suspended { details, .. } = outcome else { panic!("not suspended: {outcome:?}") };
    let signal = DeliverSignal {
        execution_id,
        waitpoint_id: details.primary.waitpoint_id,
        signal_id: SignalId::from_uuid(uuid()),
        signal_name: "go".to_owned(),
        signal_category: "callback".to_owned(),
        source_type: "service".to_owned(),
        source_identity: "billing".to_owned(),
        payload: Some(PAYLOAD),
        payload_encoding: "json".to_owned(),
        correlation_id: None,
        idempotency_key: None,
        target_scope: "waitpoint".to_owned(),
        created_at: None,
        dedup_ttl_ms: 0,
        resume_delay_ms: 0,
        max_signals_per_execution: 0,
        waitpoint_token: details.primary.waitpoint_token.clone(),
    };
    let outcome = fixture.engine.deliver_signal(signal).await.unwrap();
    assert!(matches!(outcome, SignalOutcome::Accepted { .. }), "{outcome:?}");
    (execution_id, fixture.claim().await.claimed.handle(fixture.backend.tag()))
}

#[tokio::test]
async fn what_resumed_an_execution_is_told_without_the_store() {
    let fixture = Fixture::new().await;
    let (execution_id, handle) = resumed(&fixture).await;
    fixture.no_reads();
    let signals = fixture.engine.observe_signals(&handle).await.unwrap();
    let payloads: Vec<_> = signals.into_iter().map(|signal| signal.payload).collect();
    assert_eq!(payloads, [Some(PAYLOAD)]);
    let view = fixture.engine.read_suspension(execution_id).await.unwrap().unwrap();
    assert_eq!(view.signals.len(), 1);
}

#[tokio::test]
async fn what_is_not_in_memory_any_more_is_told_by_the_store() {
    let mut fixture = Fixture::new().await;
    let (execution_id, handle) = resumed(&fixture).await;
    fixture.crash().await;
    fixture.no_reads();
    fixture.engine.read_suspension(execution_id).await.unwrap_err();
    fixture.plan.calm();
    let signals = fixture.engine.observe_signals(&handle).await.unwrap();
    let payloads: Vec<_> = signals.into_iter().map(|signal| signal.payload).collect();
    assert_eq!(payloads, [Some(PAYLOAD)]);
}

#[tokio::test]
async fn nothing_is_told_from_memory_once_the_lease_of_the_node_has_lapsed() {
    let fixture = Fixture::with(|options| options.heartbeat_every = Duration::from_hours(1)).await;
    let (execution_id, _) = resumed(&fixture).await;
    fixture.no_reads();
    fixture.engine.read_suspension(execution_id).await.unwrap().unwrap();
    fixture.clock.advance(60_000);
    fixture.engine.read_suspension(execution_id).await.unwrap_err();
}
