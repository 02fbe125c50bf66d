//! What a failed statement means for the engine.

use leasehold_backend::StoreError;
use leasehold_core::error::EngineError;

/// SQLite's primary result codes that matter here.
mod code {
    pub const BUSY: i32 = 5;
    pub const LOCKED: i32 = 6;
    pub const NOMEM: i32 = 7;
    pub const INTERRUPT: i32 = 9;
    pub const IOERR: i32 = 10;
    pub const CORRUPT: i32 = 11;
    pub const FULL: i32 = 13;
    pub const SCHEMA: i32 = 17;
    pub const NOTADB: i32 = 26;
    /// An extended code, as sqlx spells it.
    pub const CONSTRAINT_TRIGGER: &str = "1811";
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
    /// There is no room on the disk.
    Full,
    /// The statement itself: a constraint, a mistake.
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

/// Whether a statement did not find what it expects: the trigger behind
/// `temp.expected`, the only one there is, ended its transaction.
pub(crate) fn is_unexpected(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == code::CONSTRAINT_TRIGGER)
}

/// Sorts an error.
pub(crate) fn classify(error: &sqlx::Error) -> Failure {
    match primary_code(error) {
        Some(code::BUSY | code::LOCKED | code::NOMEM | code::INTERRUPT | code::SCHEMA) => Failure::Busy,
        Some(code::IOERR) => Failure::Io,
        Some(code::FULL) => Failure::Full,
        Some(code::CORRUPT | code::NOTADB) => Failure::Corrupt,
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
        Failure::Full => StoreError::full(error.to_string()),
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
        Failure::Full => StoreError::full(text),
        Failure::Permanent => StoreError::permanent(text),
        Failure::Gone if !committing => StoreError::busy(text),
        Failure::Io | Failure::Gone => StoreError::unknown(text),
    }
}

/// A stored value that cannot be read, with its table and row.
pub(crate) fn corrupt(
    table: &str,
    row: impl std::fmt::Display,
    column: &str,
    why: impl std::fmt::Display,
) -> StoreError {
    StoreError::Corrupt(EngineError::corruption(&format!("{table}[{row}]"), column, &why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{ConnectOptions, Executor};

    async fn failing(sql: &'static str) -> sqlx::Error {
        let mut connection = SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
        connection.execute(sql).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_constraint_is_permanent_once_it_is_rolled_back() {
        let error = failing("CREATE TABLE t (x UNIQUE); INSERT INTO t VALUES (1), (1)").await;
        assert_eq!(classify(&error), Failure::Permanent);
        assert!(matches!(of_write(&error, false, true), StoreError::Permanent { .. }));
        assert!(matches!(of_write(&error, false, false), StoreError::Unknown { .. }));
        assert!(matches!(of_read(error), StoreError::Permanent { .. }));
    }

    #[tokio::test]
    async fn a_mistake_in_a_statement_is_permanent() {
        assert_eq!(classify(&failing("SELECT x FROM nowhere").await), Failure::Permanent);
    }

    #[test]
    fn a_lost_connection_leaves_only_a_commit_unknown() {
        let error = sqlx::Error::WorkerCrashed;
        assert!(matches!(of_write(&error, true, true), StoreError::Unknown { .. }));
        assert!(matches!(of_write(&error, false, false), StoreError::Unknown { .. }));
        assert!(matches!(of_write(&error, false, true), StoreError::Busy { .. }));
    }

    #[test]
    fn an_unreadable_file_leaves_a_write_unknown_and_a_read_to_be_repeated() {
        let error = || sqlx::Error::Io(std::io::Error::other("gone"));
        assert!(matches!(of_write(&error(), false, true), StoreError::Unknown { .. }));
        assert!(matches!(of_read(error()), StoreError::Busy { .. }));
    }
}
