//! What is shown of suspensions: what a worker asks for when it goes on comes
//! from the owner's memory where it is there, the lists from the store.

use super::super::records::{named, typed};
use super::super::{EngineHandle, paging};
use bytes::Bytes;
use leasehold_backend::StoreError;
use leasehold_contract::{
    ClosedView, EngineResult, KeyedSignal, ListPendingWaitpoints, PendingWaitpointPage, ResumeSignal, SuspendedPage,
    SuspensionView, WaitpointTokenRead,
};
use leasehold_core::error::EngineError;
use leasehold_core::handle::HandlePayload;
use leasehold_core::ids::{ExecutionId, WaitpointId};
use leasehold_core::partition::Partition;
use leasehold_core::record::{KeptKind, RecordKey, Signal, SignalPayload, Suspended, WaitKey, Waitpoint, Waits};
use leasehold_core::record::{Record, SignalBytes, SignalKey, WaitRecord};
use leasehold_core::token::{Keyring, Kids};
use leasehold_core::wait_lists::{self, Page, SuspendedCursor, SuspendedInfo, observed_signals};
use std::sync::Arc;

/// Signals whose records and payloads are read at once.
const SIGNALS_AT_ONCE: usize = 64;

impl EngineHandle {
    pub(super) async fn observed(&self, held: &HandlePayload) -> EngineResult<Vec<ResumeSignal>> {
        const OP: &str = "observe_signals";
        let (execution, partition) = (held.execution_id, held.execution_id.partition());
        if partition >= self.partition_count() {
            return Ok(Vec::new());
        }
        let Some(waits) = self.waits(OP, execution).await? else { return Ok(Vec::new()) };
        self.signals(OP, partition, &observed_signals(&waits, held.attempt_index)).await
    }

    pub(super) async fn last_suspension(&self, execution_id: ExecutionId) -> EngineResult<Option<SuspensionView>> {
        const OP: &str = "read_suspension";
        let partition = execution_id.partition();
        if partition >= self.partition_count() {
            return Ok(None);
        }
        let waits = self.waits(OP, execution_id).await?;
        let Some(suspension) = waits.as_ref().and_then(|waits| waits.current.as_ref()) else { return Ok(None) };
        let keys = suspension.observed();
        let signals = self.signals(OP, partition, &keys).await?;
        let signals = keys.iter().zip(signals).filter_map(|(key, signal)| {
            let bound = suspension.waitpoints.iter().find(|bound| bound.waitpoint_id == key.waitpoint_id)?;
            Some(KeyedSignal { waitpoint_key: bound.waitpoint_key.as_ref().to_owned(), signal })
        });
        Ok(Some(SuspensionView {
            suspension_id: suspension.suspension_id,
            attempt_index: suspension.attempt_index,
            reason: suspension.reason.clone(),
            requested_by: suspension.requested_by,
            created_at: suspension.created_at,
            timeout: suspension.timeout,
            continuation_metadata_pointer: suspension.continuation_metadata_pointer.as_deref().map(str::to_owned),
            satisfied_at: suspension.satisfied_at,
            closed: suspension.closed.as_ref().map(|closed| ClosedView {
                at: closed.at,
                reason: closed.reason,
                resume_trigger: closed.resume_trigger,
            }),
            signals: signals.collect(),
        }))
    }

    /// What an execution waits for, as its worker sees it.
    async fn waits(&self, op: &'static str, execution_id: ExecutionId) -> EngineResult<Option<Arc<Waits>>> {
        let key = RecordKey::from(WaitKey::Waits(execution_id.uuid()));
        let record = self.read_near(op, execution_id.partition(), std::slice::from_ref(&key)).await?.pop().flatten();
        typed(&key, record)
    }

    /// Signals with what they carry, in the order of their keys.
    async fn signals(&self, op: &'static str, partition: u16, keys: &[SignalKey]) -> EngineResult<Vec<ResumeSignal>> {
        let mut signals = Vec::with_capacity(keys.len());
        for keys in keys.chunks(SIGNALS_AT_ONCE) {
            let keys: Vec<RecordKey> = keys.iter().map(|key| WaitKey::Signal(*key).into()).collect();
            let records = self.read_near(op, partition, &keys).await?;
            let found: Vec<Arc<Signal>> =
                keys.iter().zip(records).map(|(key, record)| named(key, record)).collect::<Result<_, _>>()?;
            let is_stored = |signal: &&Arc<Signal>| matches!(signal.payload, Some(SignalPayload::Stored(_)));
            let keys: Vec<RecordKey> =
                found.iter().filter(is_stored).map(|signal| WaitKey::SignalBytes(signal.key).into()).collect();
            let records = self.read_near(op, partition, &keys).await?;
            let mut stored = keys.iter().zip(records);
            for signal in &found {
                let bytes = match is_stored(&signal).then(|| stored.next()).flatten() {
                    Some((key, record)) => typed::<SignalBytes>(key, record)?,
                    None => None,
                };
                signals.push(resume_signal(signal, bytes.as_deref())?);
            }
        }
        Ok(signals)
    }

    pub(super) async fn token_of(
        &self,
        partition: Partition,
        waitpoint_id: WaitpointId,
    ) -> EngineResult<Option<WaitpointTokenRead>> {
        let partition = self.flow_partition(partition)?;
        let key = WaitKey::Waitpoint(waitpoint_id);
        let waitpoint = self.read_wait::<Waitpoint>("read_waitpoint_token", partition, key).await?;
        Ok(waitpoint.and_then(|waitpoint| {
            let token = waitpoint.token.clone().filter(|token| !token.reveal().is_empty())?;
            Some(WaitpointTokenRead { execution_id: waitpoint.execution_id, token })
        }))
    }

    pub(super) async fn pending_waitpoints(&self, args: ListPendingWaitpoints) -> EngineResult<PendingWaitpointPage> {
        const OP: &str = "list_pending_waitpoints";
        let execution = self.get(OP, args.execution_id).await?;
        let (partition, waits_key) = (execution.id.partition(), WaitKey::Waits(execution.id.uuid()));
        let Some(waits) = self.read_wait::<Waits>(OP, partition, waits_key.clone()).await? else {
            return Ok(Page { entries: Vec::new(), next_cursor: None });
        };
        // Read once more with the waitpoints, so that what is shown of them is
        // of one moment.
        let mut keys: Vec<RecordKey> = vec![waits_key.into()];
        let mut open = waits.open_waitpoints.clone();
        open.sort_unstable();
        open.retain(|id| args.after.is_none_or(|after| *id > after));
        let limit = args.limit.unwrap_or(wait_lists::PENDING_WAITPOINTS_DEFAULT);
        let more = open.len() > limit.clamp(1, wait_lists::PENDING_WAITPOINTS_MAX);
        open.truncate(limit.clamp(1, wait_lists::PENDING_WAITPOINTS_MAX) + 1);
        keys.extend(open.into_iter().map(|id| RecordKey::from(WaitKey::Waitpoint(id))));
        let records = self.env.backend.load(partition, &keys, &[]).await.map_err(self.store_failed(OP))?.records;
        let mut records = keys.iter().zip(records);
        let waits = match records.next() {
            Some((key, record)) => typed::<Waits>(key, record)?.unwrap_or(waits),
            None => waits,
        };
        let waitpoints: Vec<Arc<Waitpoint>> =
            records.map(|(key, record)| named(key, record)).collect::<Result<_, _>>()?;
        let mut page =
            wait_lists::list_pending_waitpoints(&waits, waitpoints.iter().map(Arc::as_ref), args.after, args.limit);
        // One that closed between the two reads must not end the list early.
        if more && page.next_cursor.is_none() {
            page.next_cursor = page.entries.last().map(|entry| entry.waitpoint_id);
        }
        Ok(page)
    }

    pub(super) async fn suspended(
        &self,
        partition: Partition,
        cursor: Option<SuspendedCursor>,
        limit: usize,
    ) -> EngineResult<SuspendedPage> {
        let index = self.flow_partition(partition)?;
        if let Some(stranger) = cursor.filter(|cursor| cursor.execution_id.partition() != index) {
            let id = stranger.execution_id;
            return Err(EngineError::invalid_input(format!("cursor {id} is not in partition {partition}")));
        }
        let backend = &self.env.backend;
        let page = paging::page(cursor, limit, place, |after, limit| async move {
            let after = after
                .map(|after| RecordKey::Wait(WaitKey::Suspended(after.suspended_at_ms, after.execution_id.uuid())));
            let records = backend.scan_kept(index, KeptKind::Suspended, after.as_ref(), limit).await?;
            records.into_iter().map(suspended).collect::<Result<Vec<_>, _>>().map_err(StoreError::Corrupt)
        });
        let (entries, next_cursor) = page.await.map_err(self.store_failed("list_suspended"))?;
        let entries = entries.iter().map(|entry| SuspendedInfo {
            execution_id: entry.execution_id,
            suspended_at_ms: entry.since,
            reason: entry.reason.clone(),
        });
        Ok(Page { entries: entries.collect(), next_cursor })
    }

    pub(super) async fn kids(&self, partition: Partition) -> EngineResult<Kids> {
        let partition = self.flow_partition(partition)?;
        let ring = self.read_wait::<Keyring>("list_waitpoint_hmac_kids", partition, WaitKey::Keyring).await?;
        Ok(ring.unwrap_or_default().kids(self.router.partition_time()))
    }
}

fn place(entry: &Arc<Suspended>) -> SuspendedCursor {
    SuspendedCursor { suspended_at_ms: entry.since, execution_id: entry.execution_id }
}

fn suspended(record: Record) -> EngineResult<Arc<Suspended>> {
    let key = record.key();
    match record {
        Record::Wait(WaitRecord::Suspended(entry)) => Ok(entry),
        _ => Err(super::super::records::stranger(&key)),
    }
}

fn resume_signal(signal: &Signal, stored: Option<&SignalBytes>) -> EngineResult<ResumeSignal> {
    let payload = match &signal.payload {
        None => None,
        Some(SignalPayload::Inline(bytes)) => Some(Bytes::copy_from_slice(bytes)),
        Some(SignalPayload::Stored(length)) => Some(stored_payload(signal.key, *length, stored)?),
    };
    Ok(ResumeSignal {
        signal_id: signal.key.signal_id,
        signal_name: signal.signal_name.clone(),
        signal_category: signal.signal_category.clone(),
        source_type: signal.source_type.clone(),
        source_identity: signal.source_identity.clone(),
        correlation_id: signal.correlation_id.clone(),
        accepted_at: signal.accepted_at,
        payload,
    })
}

fn stored_payload(key: SignalKey, length: u32, stored: Option<&SignalBytes>) -> EngineResult<Bytes> {
    let stored = stored.filter(|stored| stored.bytes.len() == length as usize);
    let missing = || EngineError::corruption("signal", "payload", &format!("{}: not the bytes stored", key.signal_id));
    stored.map(|stored| Bytes::copy_from_slice(&stored.bytes)).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_core::suspension::SignalEffect;
    use leasehold_core::time::TimestampMs;
    use uuid::Uuid;

    fn signal(payload: Option<SignalPayload>) -> Signal {
        Signal {
            key: SignalKey { waitpoint_id: Uuid::from_u128(1).into(), signal_id: Uuid::from_u128(2).into() },
            execution_id: ExecutionId::from_parts(0, Uuid::from_u128(3)),
            target_scope: "waitpoint".into(),
            signal_name: "go".into(),
            signal_category: "callback".into(),
            source_type: "service".into(),
            source_identity: "billing".into(),
            correlation_id: Some("c-1".into()),
            idempotency_key: None,
            created_at: TimestampMs(1),
            accepted_at: TimestampMs(2),
            payload,
            payload_encoding: "json".into(),
            observed_effect: SignalEffect::ResumeConditionSatisfied,
        }
    }

    fn stored(key: SignalKey, bytes: &[u8]) -> SignalBytes {
        SignalBytes { key, bytes: bytes.to_vec() }
    }

    #[test]
    fn a_payload_is_shown_as_it_was_sent_wherever_it_lies() {
        let inline = signal(Some(SignalPayload::Inline(b"\0x".to_vec())));
        assert_eq!(resume_signal(&inline, None).unwrap().payload.unwrap(), &b"\0x"[..]);
        let apart = signal(Some(SignalPayload::Stored(3)));
        let shown = resume_signal(&apart, Some(&stored(apart.key, b"abc"))).unwrap();
        assert_eq!(shown.payload.unwrap(), &b"abc"[..]);
        assert_eq!((shown.accepted_at, shown.correlation_id.as_deref()), (TimestampMs(2), Some("c-1")));
        assert_eq!(resume_signal(&signal(None), None).unwrap().payload, None);
    }

    #[test]
    fn a_payload_that_is_gone_or_cut_is_corruption() {
        let apart = signal(Some(SignalPayload::Stored(3)));
        for bytes in [None, Some(stored(apart.key, b"ab"))] {
            assert_eq!(resume_signal(&apart, bytes.as_ref()).unwrap_err().code(), "corruption");
        }
    }
}
