//! Reading many records of one partition, a bounded number at a time.
//!
//! What is read together may come from several snapshots, each newer than the
//! one before. Callers read what never changes this way, or say that what they
//! show may be newer than what led to it.

use super::EngineHandle;
use leasehold_contract::EngineResult;
use leasehold_core::error::EngineError;
use leasehold_core::ids::FlowId;
use leasehold_core::partition::PartitionFamily;
use leasehold_core::record::flow::{FlowKey, FlowRecord};
use leasehold_core::record::{Record, RecordKey, WaitKey, WaitRecord};
use std::sync::Arc;

/// Records asked of the store at once.
const LOAD_KEYS: usize = 256;

/// What was read under a key is something else.
pub(super) fn stranger(key: &RecordKey) -> EngineError {
    EngineError::corruption(key.kind(), "kind", "another kind of record")
}

/// What another record names is not there.
pub(super) fn missing(key: &RecordKey) -> EngineError {
    EngineError::corruption(key.kind(), &format!("{key:?}"), "missing")
}

/// A kind of record that readers ask for by type.
pub(super) trait Kept: Sized {
    /// The record, if it is of this kind.
    fn of(record: Record) -> Option<Arc<Self>>;
}

macro_rules! kept {
    ($($wrap:ident $records:ident: $($kind:ident = $type:ty),+;)+) => {
        $($(impl Kept for $type {
            fn of(record: Record) -> Option<Arc<Self>> {
                match record {
                    Record::$wrap($records::$kind(kept)) => Some(kept),
                    _ => None,
                }
            }
        })+)+
    };
}

kept! {
    Wait WaitRecord:
        Waits = leasehold_core::record::Waits,
        Waitpoint = leasehold_core::record::Waitpoint,
        Signal = leasehold_core::record::Signal,
        SignalBytes = leasehold_core::record::SignalBytes,
        Suspended = leasehold_core::record::Suspended,
        Keyring = leasehold_core::token::Keyring;
    Flow FlowRecord:
        Flow = leasehold_core::record::flow::Flow,
        Summary = leasehold_core::record::flow::FlowSummary,
        MemberPage = leasehold_core::record::flow::MemberPage,
        Member = leasehold_core::record::flow::Member,
        Edge = leasehold_core::record::flow::Edge,
        OutPage = leasehold_core::record::flow::OutPage,
        InPage = leasehold_core::record::flow::InPage;
}

impl Kept for leasehold_core::record::Execution {
    fn of(record: Record) -> Option<Arc<Self>> {
        match record {
            Record::Execution(execution) => Some(execution),
            _ => None,
        }
    }
}

/// A record by its type; none where there is none.
pub(super) fn typed<T: Kept>(key: &RecordKey, record: Option<Record>) -> EngineResult<Option<Arc<T>>> {
    record.map(|record| T::of(record).ok_or_else(|| stranger(key))).transpose()
}

/// As [`typed`], where another record says that it exists.
pub(super) fn named<T: Kept>(key: &RecordKey, record: Option<Record>) -> EngineResult<Arc<T>> {
    typed(key, record)?.ok_or_else(|| missing(key))
}

impl EngineHandle {
    /// The partition that a flow and all its members live in.
    pub(super) fn flow_home(&self, flow_id: FlowId) -> u16 {
        self.env.options.partitions.partition_of(PartitionFamily::Flow, flow_id.as_uuid().as_bytes()).index
    }

    /// Records in the order of their keys.
    pub(super) async fn read(
        &self,
        op: &'static str,
        partition: u16,
        keys: &[RecordKey],
    ) -> EngineResult<Vec<Option<Record>>> {
        let mut records = Vec::with_capacity(keys.len());
        for keys in keys.chunks(LOAD_KEYS) {
            let loaded = self.env.backend.load(partition, keys, &[]).await.map_err(self.store_failed(op))?;
            records.extend(loaded.records);
        }
        Ok(records)
    }

    /// As [`Self::read`], from the owner's memory where it has all of them: what
    /// a worker asks for right after its claim is there, and costs no trip.
    pub(super) async fn read_near(
        &self,
        op: &'static str,
        partition: u16,
        keys: &[RecordKey],
    ) -> EngineResult<Vec<Option<Record>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let at_hand = if keys.len() <= LOAD_KEYS { self.router.recall(partition, keys.to_vec()).await } else { None };
        match at_hand {
            Some(records) => Ok(records),
            None => self.read(op, partition, keys).await,
        }
    }

    /// One record; none where there is none.
    pub(super) async fn read_one<T: Kept>(
        &self,
        op: &'static str,
        partition: u16,
        key: impl Into<RecordKey>,
    ) -> EngineResult<Option<Arc<T>>> {
        let key = key.into();
        let record = self.read(op, partition, std::slice::from_ref(&key)).await?.pop().flatten();
        typed(&key, record)
    }

    /// Records that other records say exist.
    pub(super) async fn read_named<T: Kept>(
        &self,
        op: &'static str,
        partition: u16,
        keys: impl IntoIterator<Item = impl Into<RecordKey>>,
    ) -> EngineResult<Vec<Arc<T>>> {
        let keys: Vec<RecordKey> = keys.into_iter().map(Into::into).collect();
        let records = self.read(op, partition, &keys).await?;
        keys.iter().zip(records).map(|(key, record)| named(key, record)).collect()
    }

    /// One record of a flow.
    pub(super) async fn read_flow<T: Kept>(&self, op: &'static str, key: FlowKey) -> EngineResult<Option<Arc<T>>> {
        self.read_one(op, self.flow_home(key.flow_id()), key).await
    }

    /// One record of suspension.
    pub(super) async fn read_wait<T: Kept>(
        &self,
        op: &'static str,
        partition: u16,
        key: WaitKey,
    ) -> EngineResult<Option<Arc<T>>> {
        self.read_one(op, partition, key).await
    }
}
