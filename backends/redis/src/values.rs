//! Reading answers. A value of another shape than the command gives is
//! damage and named with its key.

use crate::errors;
use leasehold_backend::{StoreError, StoreResult};
use leasehold_core::codec;
use leasehold_core::ids::ExecutionId;
use leasehold_core::record::{Execution, KeptKind, Record};
use redis::Value;
use std::fmt::Display;
use std::sync::Arc;
use uuid::Uuid;

/// An answer as text, if it is text.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.clone()),
        Value::Okay => Some("OK".to_owned()),
        _ => None,
    }
}

/// Where a value came from, for errors.
pub(crate) struct Place<'a> {
    pub(crate) key: &'a str,
    pub(crate) row: &'a (dyn Display + Sync),
}

impl<'a> Place<'a> {
    pub(crate) fn new(key: &'a str, row: &'a (dyn Display + Sync)) -> Self {
        Self { key, row }
    }

    pub(crate) fn corrupt(&self, field: &str, why: impl Display) -> StoreError {
        errors::corrupt(self.key, self.row, field, why)
    }

    pub(crate) fn unexpected(&self, value: &Value) -> StoreError {
        // The kind only: an answer may be long, and a payload is secret.
        let kind = match value {
            Value::Nil => "nothing",
            Value::Int(_) => "a number",
            Value::BulkString(_) => "bytes",
            Value::Array(_) => "a list",
            Value::SimpleString(_) | Value::Okay => "a status",
            _ => "something else",
        };
        self.corrupt("answer", format!("{kind} was not expected"))
    }

    /// A list.
    pub(crate) fn list(&self, value: Value) -> StoreResult<Vec<Value>> {
        match value {
            Value::Array(values) => Ok(values),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Bytes, or nothing.
    pub(crate) fn maybe_bytes(&self, value: Value) -> StoreResult<Option<Vec<u8>>> {
        match value {
            Value::BulkString(bytes) => Ok(Some(bytes)),
            Value::Nil => Ok(None),
            other => Err(self.unexpected(&other)),
        }
    }

    /// Bytes.
    pub(crate) fn bytes(&self, value: Value) -> StoreResult<Vec<u8>> {
        self.maybe_bytes(value)?.ok_or_else(|| self.unexpected(&Value::Nil))
    }

    /// A list of bytes.
    pub(crate) fn bytes_list(&self, value: Value) -> StoreResult<Vec<Vec<u8>>> {
        self.list(value)?.into_iter().map(|value| self.bytes(value)).collect()
    }

    /// A number in decimal text, or nothing.
    pub(crate) fn maybe_number<T>(&self, field: &str, value: &Value) -> StoreResult<Option<T>>
    where
        T: std::str::FromStr<Err: Display>,
    {
        match value {
            Value::Nil => Ok(None),
            value => {
                let text = text(value).ok_or_else(|| self.unexpected(value))?;
                text.parse().map(Some).map_err(|error| self.corrupt(field, format!("{text:?}: {error}")))
            }
        }
    }

    /// A whole number as the server counts.
    pub(crate) fn int(&self, value: &Value) -> StoreResult<i64> {
        match value {
            Value::Int(number) => Ok(*number),
            other => Err(self.unexpected(other)),
        }
    }

    /// A record.
    pub(crate) fn decode<T: codec::Stored>(&self, bytes: &[u8]) -> StoreResult<T> {
        codec::decode(bytes).map_err(|error| self.corrupt("record", error))
    }
}

/// The execution of an id, which must be the one its record is about.
pub(crate) fn execution(partition: u16, id: Uuid, bytes: &[u8]) -> StoreResult<Arc<Execution>> {
    let id = ExecutionId::from_parts(partition, id);
    let place = Place::new("execution", &id);
    let execution: Execution = place.decode(bytes)?;
    if execution.id != id {
        return Err(place.corrupt("record", format!("it is about {}", execution.id)));
    }
    Ok(Arc::new(execution))
}

/// The kept record of a name, which must be its own.
pub(crate) fn kept(partition: u16, kind: KeptKind, name: &[u8], bytes: &[u8]) -> StoreResult<Record> {
    Record::from_kept(kind, name, bytes).map_err(|error| {
        let row = format!("{partition}/{kind:?}/{}", name.escape_ascii());
        Place::new("kept", &row).corrupt("record", error)
    })
}
