//! Kept records, and commits of them that no command makes.

#![allow(dead_code, reason = "every test file uses its own part of it")]

use crate::support::Engine;
use leasehold_backend_suite::START;
use leasehold_core::decision::{Change, ChangeSet};
use leasehold_core::flow::StateCounts;
use leasehold_core::ids::{ExecutionId, FlowId, Namespace, SignalId, WaitpointId};
use leasehold_core::record::flow::{Flow, FlowRecord, FlowSummary, Ordinals, PendingCancels};
use leasehold_core::record::{
    Record, SignalBytes, SignalDedup, SignalDedupKey, SignalKey, Suspended, SuspensionReason, WaitRecord, Waits,
};
use leasehold_core::time::TimestampMs;
use leasehold_core::token::Keyring;
use std::sync::Arc;
use uuid::Uuid;

fn flow_id(number: u128) -> FlowId {
    FlowId::from_uuid(Uuid::from_u128(number))
}

/// What an execution waits for.
pub fn waits(number: u128, signal_count: u64) -> Record {
    let waits = Waits::new(ExecutionId::from_parts(1, Uuid::from_u128(number)));
    Record::Wait(WaitRecord::Waits(Arc::new(Waits { signal_count, ..waits })))
}

/// The bytes of a signal.
pub fn signal_bytes(number: u128, bytes: Vec<u8>) -> Record {
    let waitpoint_id = WaitpointId::from_uuid(Uuid::from_u128(7));
    let key = SignalKey { waitpoint_id, signal_id: SignalId::from_uuid(Uuid::from_u128(number)) };
    Record::Wait(WaitRecord::SignalBytes(Arc::new(SignalBytes { key, bytes })))
}

/// What an idempotency key of signals stands for.
pub fn signal_dedup(key: &str) -> Record {
    let key = SignalDedupKey { waitpoint_id: WaitpointId::from_uuid(Uuid::from_u128(7)), key: key.into() };
    let signal_id = SignalId::from_uuid(Uuid::from_u128(1));
    Record::Wait(WaitRecord::SignalDedup(Arc::new(SignalDedup { key, signal_id, expires_at: START })))
}

/// A suspended execution in the list of them.
pub fn suspended(since: i64, number: u128) -> Record {
    let execution_id = ExecutionId::from_parts(1, Uuid::from_u128(number));
    let reason = SuspensionReason::WaitingForSignal;
    Record::Wait(WaitRecord::Suspended(Arc::new(Suspended { since: TimestampMs(since), execution_id, reason })))
}

/// A key ring, whose name is one byte.
pub fn keyring() -> Record {
    let (ring, _) = Keyring::default().seed("k1", &"5a".repeat(32)).unwrap();
    Record::Wait(WaitRecord::Keyring(Arc::new(ring.unwrap())))
}

/// The header of a flow.
pub fn flow(number: u128, graph_revision: u64) -> Record {
    let flow = Flow {
        flow_id: flow_id(number),
        partition: 1,
        flow_kind: "release".into(),
        namespace: Namespace::new("tests"),
        graph_revision,
        node_count: 0,
        edge_count: 0,
        created_at: START,
        last_mutation_at: START,
        cancelled: None,
        tags: Arc::default(),
        sealed: true,
        digest: None,
    };
    Record::Flow(FlowRecord::from(flow))
}

/// The counts of a flow.
pub fn summary(number: u128) -> Record {
    Record::Flow(FlowRecord::from(FlowSummary {
        flow_id: flow_id(number),
        counts: StateCounts::default(),
        cancels_pending: false,
        work_left: false,
        last_summary_update_at: START,
    }))
}

/// What the cancellation of a flow still has to end.
pub fn pending_cancels(number: u128) -> Record {
    let mut members = Ordinals::default();
    members.insert(3);
    Record::Flow(FlowRecord::from(PendingCancels { flow_id: flow_id(number), members, due_at: START }))
}

/// A record that comes into being.
pub fn put(record: &Record) -> Change {
    Change { key: record.key(), old: None, new: Some(record.clone()) }
}

/// A record that is replaced by another one under its key.
pub fn replace(old: &Record, new: &Record) -> Change {
    Change { key: new.key(), old: Some(old.clone()), new: Some(new.clone()) }
}

/// A record that goes.
pub fn delete(record: &Record) -> Change {
    Change { key: record.key(), old: Some(record.clone()), new: None }
}

pub fn set(changes: impl IntoIterator<Item = Change>) -> ChangeSet {
    ChangeSet { changes: changes.into_iter().collect(), ..ChangeSet::default() }
}

/// Commits changes that must go through.
pub async fn write(engine: &mut Engine, partition: u16, changes: impl IntoIterator<Item = Change>) {
    engine.commit(vec![(partition, set(changes))]).await;
}
