//! What a store keeps of suspensions and flows, in words.

use super::seen::Seen;
use crate::sim::kept;
use leasehold_backend::Backend;
use leasehold_core::ids::WaitpointId;
use leasehold_core::record::{KeptKind, RecordKey, SignalDedupKey, SignalKey, SuspendDedupKey, WaitKey};
use std::collections::BTreeSet;

/// Reads a store at rest. What is not listed by the store is asked for by the
/// names that were seen.
pub async fn describe(backend: &dyn Backend, partitions: u16, seen: &Seen) -> Vec<String> {
    let mut lines = Vec::new();
    for partition in 0..partitions {
        for record in kept::scan(backend, partition, KeptKind::Suspended).await {
            lines.push(format!("partition {partition} lists {record:?}"));
        }
        let keyring = kept::load(backend, partition, &[WaitKey::Keyring.into()]).await;
        lines.push(format!("partition {partition} {keyring:?}"));
    }
    for flow in kept::flows(backend, partitions).await {
        let id = flow.flow.flow_id;
        lines.push(format!("{:?} {:?}", flow.flow, flow.summary));
        lines.extend(flow.members.iter().map(|member| format!("flow {id} {member:?}")));
        lines.extend(flow.edges.iter().map(|edge| format!("flow {id} {edge:?}")));
        lines.extend(flow.left.iter().map(|record| format!("flow {id} has left {record:?}")));
        lines.extend(flow.broken.iter().map(|broken| format!("flow {id} is broken: {broken}")));
    }
    let mut named: BTreeSet<(u16, WaitpointId)> =
        seen.waitpoints.iter().map(|seen| (seen.execution_id.partition(), seen.waitpoint_id)).collect();
    for id in kept::executions(backend, partitions).await.into_keys() {
        let Some(waits) = kept::waits(backend, id).await else { continue };
        let bound = waits.current.iter().flat_map(|suspension| &suspension.waitpoints);
        let of_it = waits.open_waitpoints.iter().copied().chain(bound.map(|bound| bound.waitpoint_id));
        named.extend(of_it.map(|waitpoint| (id.partition(), waitpoint)));
        lines.push(format!("{id} {waits:?}"));
    }
    for (partition, key) in named.into_iter().map(|(at, id)| (at, RecordKey::from(WaitKey::Waitpoint(id)))) {
        lines.push(format!("{:?}", kept::load(backend, partition, &[key]).await));
    }
    for sent in &seen.sent {
        let key = SignalKey { waitpoint_id: sent.waitpoint_id, signal_id: sent.signal_id };
        let mut keys = vec![WaitKey::Signal(key), WaitKey::SignalBytes(key)];
        keys.extend(
            sent.idempotency_key
                .as_deref()
                .map(|key| WaitKey::SignalDedup(SignalDedupKey { waitpoint_id: sent.waitpoint_id, key: key.into() })),
        );
        let keys: Vec<RecordKey> = keys.into_iter().map(RecordKey::from).collect();
        lines.push(format!("{:?}", kept::load(backend, sent.execution_id.partition(), &keys).await));
    }
    for (ticket, args) in &seen.suspends {
        let Some(key) = args.idempotency_key.as_deref() else { continue };
        let id = ticket.says.execution_id;
        let key = RecordKey::from(WaitKey::SuspendDedup(SuspendDedupKey { execution: id.uuid(), key: key.into() }));
        lines.push(format!("{:?}", kept::load(backend, id.partition(), &[key]).await));
    }
    lines
}
