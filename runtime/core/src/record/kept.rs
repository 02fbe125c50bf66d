//! Records that stores keep as bytes under a name.
//!
//! What nobody filters by column needs no column: a record of suspension or of
//! a flow is one row, named by bytes that sort as its key does. So a store
//! needs one table for all kinds, and a kind is listed by walking the names.

use super::flow::{FlowKey, FlowRecord};
use super::{Record, RecordKey, SignalDedupKey, SuspendDedupKey, WaitKey, WaitRecord};
use crate::codec::{decode, encode};
use crate::error::EngineError;
use crate::ids::FlowId;
use crate::time::TimestampMs;
use std::sync::Arc;
use uuid::Uuid;

/// The kinds of kept records. The number opens every name and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum KeptKind {
    /// What an execution waits for.
    Waits = 1,
    /// A waitpoint.
    Waitpoint = 2,
    /// A signal.
    Signal = 3,
    /// The bytes of a signal's payload.
    SignalBytes = 4,
    /// What an idempotency key of signals stands for.
    SignalDedup = 5,
    /// What an idempotency key of suspends stands for.
    SuspendDedup = 6,
    /// A suspended execution, in the list of them.
    Suspended = 7,
    /// The key ring.
    Keyring = 8,
    /// The header of a flow.
    Flow = 32,
    /// The counts of a flow.
    Summary = 33,
    /// A page of members.
    MemberPage = 34,
    /// A member.
    Member = 35,
    /// A dependency.
    Edge = 36,
    /// A page of the dependencies that leave a member.
    OutPage = 37,
    /// A page of the dependencies that enter a member.
    InPage = 38,
    /// What is left to do about a flow.
    Continuation = 39,
    /// What a fired join cancels.
    SiblingCancels = 40,
    /// What the cancellation of a flow still has to end.
    PendingCancels = 41,
    /// How far the building of a flow has come.
    Build = 42,
}

impl KeptKind {
    /// The least key of a kind that stores must be able to list by name; none
    /// for the other kinds. Names of a listed kind all have the same length.
    pub fn first(self) -> Option<RecordKey> {
        const NO_FLOW: FlowId = FlowId::from_uuid(Uuid::nil());
        match self {
            Self::Suspended => Some(RecordKey::Wait(WaitKey::Suspended(TimestampMs(i64::MIN), Uuid::nil()))),
            Self::Flow => Some(RecordKey::Flow(FlowKey::Flow(NO_FLOW))),
            Self::Continuation => Some(RecordKey::Flow(FlowKey::Continuation(NO_FLOW))),
            Self::PendingCancels => Some(RecordKey::Flow(FlowKey::PendingCancels(NO_FLOW))),
            Self::Build => Some(RecordKey::Flow(FlowKey::Build(NO_FLOW))),
            _ => None,
        }
    }

    /// Whether a store must be able to list the records of this kind.
    pub fn is_listed(self) -> bool {
        self.first().is_some()
    }

    /// The byte that opens the names of this kind.
    pub const fn byte(self) -> u8 {
        self as u8
    }
}

/// Signed numbers as bytes that sort alike.
fn ordered(number: i64) -> [u8; 8] {
    (number ^ i64::MIN).to_be_bytes()
}

fn name(kind: KeptKind, parts: &[&[u8]]) -> Vec<u8> {
    let mut name = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    name.push(kind.byte());
    for part in parts {
        name.extend_from_slice(part);
    }
    name
}

impl WaitKey {
    fn kept(&self) -> (KeptKind, Vec<u8>) {
        let of = |kind, parts: &[&[u8]]| (kind, name(kind, parts));
        let uuid = |id: &Uuid| *id.as_bytes();
        match self {
            Self::Waits(id) => of(KeptKind::Waits, &[&uuid(id)]),
            Self::Waitpoint(id) => of(KeptKind::Waitpoint, &[&uuid(&id.as_uuid())]),
            Self::Signal(key) => {
                of(KeptKind::Signal, &[&uuid(&key.waitpoint_id.as_uuid()), &uuid(&key.signal_id.as_uuid())])
            }
            Self::SignalBytes(key) => {
                of(KeptKind::SignalBytes, &[&uuid(&key.waitpoint_id.as_uuid()), &uuid(&key.signal_id.as_uuid())])
            }
            Self::SignalDedup(SignalDedupKey { waitpoint_id, key }) => {
                of(KeptKind::SignalDedup, &[&uuid(&waitpoint_id.as_uuid()), key.as_bytes()])
            }
            Self::SuspendDedup(SuspendDedupKey { execution, key }) => {
                of(KeptKind::SuspendDedup, &[&uuid(execution), key.as_bytes()])
            }
            Self::Suspended(TimestampMs(since), id) => of(KeptKind::Suspended, &[&ordered(*since), &uuid(id)]),
            Self::Keyring => of(KeptKind::Keyring, &[]),
        }
    }
}

impl FlowKey {
    fn kept(&self) -> (KeptKind, Vec<u8>) {
        let flow = *self.flow_id().as_uuid().as_bytes();
        let of = |kind, parts: &[&[u8]]| {
            let mut all: Vec<&[u8]> = vec![&flow];
            all.extend_from_slice(parts);
            (kind, name(kind, &all))
        };
        match self {
            Self::Flow(_) => of(KeptKind::Flow, &[]),
            Self::Summary(_) => of(KeptKind::Summary, &[]),
            Self::MemberPage(_, page) => of(KeptKind::MemberPage, &[&page.to_be_bytes()]),
            Self::Member(_, id) => of(KeptKind::Member, &[id.as_bytes()]),
            Self::Edge(_, id) => of(KeptKind::Edge, &[id.as_uuid().as_bytes()]),
            Self::OutPage(_, id, page) => of(KeptKind::OutPage, &[id.as_bytes(), &page.to_be_bytes()]),
            Self::InPage(_, id, page) => of(KeptKind::InPage, &[id.as_bytes(), &page.to_be_bytes()]),
            Self::Continuation(_) => of(KeptKind::Continuation, &[]),
            Self::SiblingCancels(_, id) => of(KeptKind::SiblingCancels, &[id.as_bytes()]),
            Self::PendingCancels(_) => of(KeptKind::PendingCancels, &[]),
            Self::Build(_) => of(KeptKind::Build, &[]),
        }
    }
}

impl RecordKey {
    /// The kind and the name under which a store keeps the record; none for
    /// kinds that have columns of their own.
    pub fn kept(&self) -> Option<(KeptKind, Vec<u8>)> {
        match self {
            Self::Wait(key) => Some(key.kept()),
            Self::Flow(key) => Some(key.kept()),
            Self::Execution(_) | Self::Attempt(_) | Self::Idempotency(_) | Self::Lane(_) => None,
        }
    }
}

macro_rules! codecs {
    ($($wrap:ident $records:ident: $($kind:ident)+;)+) => {
        fn bytes_of(record: &Record) -> Option<Result<Vec<u8>, EngineError>> {
            match record {
                $($(Record::$wrap($records::$kind(kept)) => Some(encode(&**kept)),)+)+
                Record::Execution(_) | Record::Attempt(_) | Record::Idempotency(_) | Record::Lane(_) => None,
            }
        }

        fn record_of(kind: KeptKind, bytes: &[u8]) -> Result<Record, EngineError> {
            match kind {
                $($(KeptKind::$kind => Ok(Record::$wrap($records::$kind(Arc::new(decode(bytes)?)))),)+)+
            }
        }
    };
}

codecs! {
    Wait WaitRecord: Waits Waitpoint Signal SignalBytes SignalDedup SuspendDedup Suspended Keyring;
    Flow FlowRecord:
        Flow Summary MemberPage Member Edge OutPage InPage Continuation SiblingCancels PendingCancels
        Build;
}

impl Record {
    /// The bytes a store keeps; none for kinds that have columns of their
    /// own.
    ///
    /// # Errors
    ///
    /// `corruption` for a record over the size limit.
    pub fn kept_bytes(&self) -> Option<Result<Vec<u8>, EngineError>> {
        bytes_of(self)
    }

    /// Reads a kept record back from the name and the bytes a store has.
    ///
    /// # Errors
    ///
    /// `corruption` for bytes that are no record of this kind, and for a
    /// record that belongs under another name.
    pub fn from_kept(kind: KeptKind, name: &[u8], bytes: &[u8]) -> Result<Self, EngineError> {
        let record = record_of(kind, bytes)?;
        match record.key().kept() {
            Some((_, own)) if own == name => Ok(record),
            _ => Err(EngineError::corruption(record.key().kind(), "name", "it belongs to another record")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{EdgeId, SignalId, WaitpointId};
    use crate::record::SignalKey;

    fn uuid(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn names_sort_as_their_keys_do_within_a_kind() {
        let at = |since, id| RecordKey::from(WaitKey::Suspended(TimestampMs(since), uuid(id)));
        let keys = [at(i64::MIN, 9), at(-1, 1), at(0, 0), at(0, 1), at(5, 0), at(i64::MAX, 0)];
        let names: Vec<_> = keys.iter().map(|key| key.kept().unwrap().1).collect();
        assert!(names.is_sorted());
        let flow = |id| RecordKey::from(FlowKey::Flow(FlowId::from_uuid(uuid(id))));
        assert!(flow(1).kept().unwrap().1 < flow(2).kept().unwrap().1);
    }

    #[test]
    fn names_of_different_records_differ() {
        let (waitpoint, flow) = (WaitpointId::from_uuid(uuid(1)), FlowId::from_uuid(uuid(1)));
        let signal = SignalKey { waitpoint_id: waitpoint, signal_id: SignalId::from_uuid(uuid(1)) };
        let dedup = |key: &str| WaitKey::SignalDedup(SignalDedupKey { waitpoint_id: waitpoint, key: key.into() });
        let keys: Vec<RecordKey> = vec![
            WaitKey::Waits(uuid(1)).into(),
            WaitKey::Waitpoint(waitpoint).into(),
            WaitKey::Signal(signal).into(),
            WaitKey::SignalBytes(signal).into(),
            dedup("a").into(),
            dedup("ab").into(),
            WaitKey::SuspendDedup(SuspendDedupKey { execution: uuid(1), key: "a".into() }).into(),
            WaitKey::Suspended(TimestampMs(1), uuid(1)).into(),
            WaitKey::Keyring.into(),
            FlowKey::Flow(flow).into(),
            FlowKey::Summary(flow).into(),
            FlowKey::MemberPage(flow, 1).into(),
            FlowKey::Member(flow, uuid(1)).into(),
            FlowKey::Edge(flow, EdgeId::from_uuid(uuid(1))).into(),
            FlowKey::OutPage(flow, uuid(1), 1).into(),
            FlowKey::InPage(flow, uuid(1), 1).into(),
            FlowKey::Continuation(flow).into(),
            FlowKey::SiblingCancels(flow, uuid(1)).into(),
            FlowKey::PendingCancels(flow).into(),
            FlowKey::Build(flow).into(),
        ];
        let mut names: Vec<_> = keys.iter().map(|key| key.kept().unwrap().1).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), keys.len());
    }

    #[test]
    fn a_record_is_read_back_under_its_own_name_and_under_no_other() {
        let key = SignalKey { waitpoint_id: WaitpointId::from_uuid(uuid(1)), signal_id: SignalId::from_uuid(uuid(2)) };
        let bytes = crate::record::SignalBytes { key, bytes: vec![1, 2, 3] };
        let record = Record::Wait(WaitRecord::SignalBytes(Arc::new(bytes)));
        let (kind, name) = record.key().kept().unwrap();
        let encoded = record.kept_bytes().unwrap().unwrap();
        assert_eq!(Record::from_kept(kind, &name, &encoded).unwrap(), record);
        let other = SignalKey { signal_id: SignalId::from_uuid(uuid(3)), ..key };
        let (_, other) = RecordKey::from(WaitKey::SignalBytes(other)).kept().unwrap();
        assert!(Record::from_kept(kind, &other, &encoded).is_err());
        assert!(Record::from_kept(KeptKind::Keyring, &name, &encoded).is_err());
    }

    #[test]
    fn listed_kinds_have_names_of_one_length() {
        for (a, b) in [
            (
                RecordKey::from(WaitKey::Suspended(TimestampMs(1), uuid(1))),
                RecordKey::from(WaitKey::Suspended(TimestampMs(i64::MAX), uuid(u128::MAX))),
            ),
            (
                FlowKey::Flow(FlowId::from_uuid(uuid(0))).into(),
                FlowKey::Flow(FlowId::from_uuid(uuid(u128::MAX))).into(),
            ),
        ] {
            let (kind, name) = a.kept().unwrap();
            assert!(kind.is_listed());
            assert_eq!(name.len(), b.kept().unwrap().1.len());
        }
    }
}
