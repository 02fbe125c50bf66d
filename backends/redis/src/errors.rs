//! What a failed command means for the engine.

use leasehold_backend::StoreError;
use leasehold_core::error::EngineError;
use redis::ServerError;

/// A stored value that cannot be read, with its key.
pub(crate) fn corrupt(key: &str, row: impl std::fmt::Display, field: &str, why: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(EngineError::corruption(&format!("{key}[{row}]"), field, &why.to_string()))
}

/// What a refused command asks for before it can be sent again. In every case
/// the server has not begun to execute it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Load the library.
    Load,
    /// Look again who serves which slot.
    Refresh,
}

/// The remedy for an error, if there is one.
pub(crate) fn remedy(error: &ServerError) -> Option<Remedy> {
    match error.code() {
        "MOVED" | "READONLY" => Some(Remedy::Refresh),
        "ERR" if error.details().is_some_and(|text| text.contains("Function not found")) => Some(Remedy::Load),
        _ => None,
    }
}

/// What an answer that is an error means, whatever was asked.
pub(crate) fn of_server(error: &ServerError) -> StoreError {
    let text = text(error);
    match error.code() {
        // Not begun; the server or the slot is on its way somewhere.
        "MOVED" | "READONLY" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN" | "LOADING" | "BUSY" | "MISCONF"
        | "NOREPLICAS" => StoreError::busy(text),
        "ERR" if remedy(error) == Some(Remedy::Load) => StoreError::busy(text),
        "OOM" => StoreError::full(text),
        "BROKEN" | "HALFDONE" => StoreError::Corrupt(EngineError::corruption("partition", "head", &quarantine(&text))),
        "WRONGTYPE" => StoreError::Corrupt(EngineError::corruption("key", "type", &text)),
        _ => StoreError::permanent(text),
    }
}

/// An error for people.
pub(crate) fn text(error: &ServerError) -> String {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    }
}

/// A partition that was left half written.
pub(crate) fn half_written(partition: u16, why: &str) -> StoreError {
    corrupt("partition", partition, "head", quarantine(why))
}

fn quarantine(why: &str) -> String {
    format!(
        "the partition was left half written and is out of service ({why}); bring it back from a backup, or mend its \
         keys by hand and delete the field `broken` of its head"
    )
}
