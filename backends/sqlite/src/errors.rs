//! What a failed statement means for the engine.

use leasehold_backend::StoreError;
use leasehold_core::error::EngineError;

/// SQLite's primary result codes that matter here.
mod code {
    pub const BUSY: i32 = 5;
    pub const LOCKED: i32 = 6;
    pub const NOMEM: i32 = 7;
    pub const READONLY: i32 = 8;
    pub const INTERRUPT: i32 = 9;
    pub const IOERR: i32 = 10;
    pub const CORRUPT: i32 = 11;
    pub const SCHEMA: i32 = 17;
    pub const NOTADB: i32 = 26;
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Somebody else holds a lock, or memory is short for the moment.
    Busy,
    /// The file could not be read or written.
    Io,
    /// The file is damaged.
    Corrupt,
    /// The statement itself: a constraint, a full disk, a mistake.
    Permanent,
    /// The connection's thread is gone; what it did last is not known.
    Gone,
}

/// The primary result code behind an error, if SQLite gave one.
pub(crate) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    // The upper bytes of an extended code only detail the lowest one.
    Some(code & 0xff)
}

/// Sorts an error.
pub(crate) fn classify(error: &sqlx::Error) -> Failure {
    match primary_code(error) {
        Some(code::BUSY | code::LOCKED | code::NOMEM | code::INTERRUPT | code::SCHEMA) => Failure::Busy,
        Some(code::IOERR) => Failure::Io,
        Some(code::CORRUPT | code::NOTADB) => Failure::Corrupt,
        Some(code::READONLY) => Failure::Permanent,
        Some(_) => Failure::Permanent,
        None => match error {
            sqlx::Error::PoolTimedOut => Failure::Busy,
            sqlx::Error::Io(_) => Failure::Io,
            sqlx::Error::Encode(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolClosed => Failure::Permanent,
            _ => Failure::Gone,
        },
    }
}

/// The damage of the file as an error of the engine.
pub(crate) fn damaged(error: &sqlx::Error) -> StoreError {
    StoreError::Corrupt(EngineError::corruption("database", "file", &error.to_string()))
}

/// What a failed read means: it had no effect, so it may be tried again
/// unless the statement itself is at fault.
pub(crate) fn of_read(error: sqlx::Error) -> StoreError {
    match classify(&error) {
        Failure::Busy | Failure::Io | Failure::Gone => StoreError::busy(error.to_string()),
        Failure::Corrupt => damaged(&error),
        Failure::Permanent => StoreError::permanent(error.to_string()),
    }
}

/// What a failed write means, once its transaction is out of the way.
///
/// `committing` tells that the `COMMIT` itself failed; `rolled_back` that the
/// connection took the rollback.
pub(crate) fn of_write(error: &sqlx::Error, committing: bool, rolled_back: bool) -> StoreError {
    let text = error.to_string();
    match classify(error) {
        Failure::Corrupt => damaged(error),
        _ if !rolled_back => StoreError::unknown(text),
        // A commit that was refused for a lock or for want of space has not
        // written its last frame, without which the others count for nothing.
        Failure::Busy => StoreError::busy(text),
        Failure::Permanent => StoreError::permanent(text),
        Failure::Gone if !committing => StoreError::busy(text),
        Failure::Io | Failure::Gone => StoreError::unknown(text),
    }
}

/// A stored value that cannot be read, with its table and row.
pub(crate) fn corrupt(table: &str, row: impl std::fmt::Display, column: &str, why: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(EngineError::corruption(&format!("{table}[{row}]"), column, &why.to_string()))
}
