//! Records that a store keeps as bytes under a name.
//!
//! Every store writes, reads and reports them alike: the name and the bytes
//! are the core's, and what a store reads back must be the record that belongs
//! under the name.

use crate::{StoreError, StoreResult};
use leasehold_core::error::EngineError;
use leasehold_core::record::{KeptKind, Record, RecordKey};
use std::fmt;

/// The kind and the name under which a record is kept.
///
/// # Errors
///
/// [`StoreError::Permanent`] for a record that has columns of its own.
pub fn kept_name(key: &RecordKey) -> StoreResult<(KeptKind, Vec<u8>)> {
    key.kept().ok_or_else(|| StoreError::permanent(format!("{key:?} is not kept under a name")))
}

/// The name under which a record is kept, and its bytes.
///
/// # Errors
///
/// [`StoreError::Permanent`] for a record that has columns of its own and for
/// one over the size limit.
pub fn kept_row(record: &Record) -> StoreResult<(Vec<u8>, Vec<u8>)> {
    let (_, name) = kept_name(&record.key())?;
    match record.kept_bytes() {
        Some(Ok(bytes)) => Ok((name, bytes)),
        Some(Err(error)) => Err(StoreError::permanent(error.to_string())),
        None => Err(StoreError::permanent(format!("{:?} has no bytes of its own", record.key()))),
    }
}

/// Reads a kept record back from what a store has under a name.
///
/// # Errors
///
/// [`StoreError::Corrupt`], with the partition and the name, for bytes that
/// are no record of the kind and for one that belongs under another name.
pub fn kept_record(partition: u16, kind: KeptKind, name: &[u8], bytes: &[u8]) -> StoreResult<Record> {
    Record::from_kept(kind, name, bytes).map_err(|error| {
        let place = format!("kept[{partition}/{}]", Hex(name));
        EngineError::corruption(&place, "record", &error.to_string()).into()
    })
}

/// Bytes as people read them.
struct Hex<'b>(&'b [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_core::ids::{SignalId, WaitpointId};
    use leasehold_core::record::{SignalBytes, SignalKey, WaitRecord};
    use std::sync::Arc;
    use uuid::Uuid;

    fn bytes_of_a_signal(number: u128) -> Record {
        let key = SignalKey {
            waitpoint_id: WaitpointId::from_uuid(Uuid::from_u128(number)),
            signal_id: SignalId::from_uuid(Uuid::from_u128(2)),
        };
        Record::Wait(WaitRecord::SignalBytes(Arc::new(SignalBytes { key, bytes: vec![1, 2, 3] })))
    }

    #[test]
    fn a_record_reads_back_under_its_name_and_is_reported_with_any_other() {
        let (name, bytes) = kept_row(&bytes_of_a_signal(1)).unwrap();
        let read = |name: &[u8], bytes: &[u8]| kept_record(7, KeptKind::SignalBytes, name, bytes);
        assert_eq!(read(&name, &bytes).unwrap(), bytes_of_a_signal(1));
        let (other, _) = kept_row(&bytes_of_a_signal(255)).unwrap();
        for (name, bytes) in [(&other, &bytes[..]), (&other, &[][..])] {
            let error = read(name, bytes).unwrap_err();
            assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
            let place = format!("kept[7/04{:032x}{:032x}]", 255, 2);
            assert!(error.to_string().contains(&place), "{error}");
        }
    }

    #[test]
    fn a_record_with_columns_of_its_own_has_no_name() {
        assert!(matches!(kept_name(&RecordKey::Execution(Uuid::nil())), Err(StoreError::Permanent { .. })));
    }
}
