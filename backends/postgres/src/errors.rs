//! What a failed call means for the engine.

use leasehold_backend::StoreError;
use leasehold_core::error::EngineError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};
use std::fmt::Display;

/// How far a call had come when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing was sent.
    Before,
    /// In a transaction whose `COMMIT` was not sent: it ends with the
    /// connection.
    Within,
    /// A statement that is its own transaction was sent.
    Sent,
    /// The server ran all of it, or was told `COMMIT`, and did not confirm.
    Committing,
}

/// A call that failed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) source: sqlx::Error,
    pub(crate) phase: Phase,
}

impl Failed {
    pub(crate) fn before(source: sqlx::Error) -> Self {
        Self { source, phase: Phase::Before }
    }

    /// Whether the server itself answered that the statement failed, which
    /// leaves the connection as it was.
    pub(crate) fn is_answer(&self) -> bool {
        matches!(sort(&self.source), Sorted::Answered { ended_connection: false, .. })
    }
}

/// What kind of failure the server reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Busy,
    Full,
    Permanent,
    Corrupt,
}

/// The SQLSTATE with which a commit fails that did not find its rows.
const DAMAGED: &str = "LH001";

fn kind_of(code: &str) -> Kind {
    match code {
        "53100" => Kind::Full,
        DAMAGED | "XX001" | "XX002" => Kind::Corrupt,
        // A read-only server is one that is being replaced, and a plan or a
        // statement that is gone belonged to a connection that is, too.
        "25006" | "0A000" | "26000" => Kind::Busy,
        // Locks, serialisation, resources, intervention, the system below.
        _ if ["40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class)) => Kind::Busy,
        _ => Kind::Permanent,
    }
}

enum Sorted {
    /// The server answered.
    Answered { kind: Kind, ended_connection: bool },
    /// The connection is gone or out of step, or there never was one.
    Lost,
    /// The call could not be put on the wire.
    Unsendable,
}

fn sort(error: &sqlx::Error) -> Sorted {
    if let Some(answer) = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>()) {
        // Connection errors are also what a pooler makes up when its own
        // connection to the server breaks: they say nothing of the outcome.
        if answer.code().starts_with("08") {
            return Sorted::Lost;
        }
        let ended_connection = matches!(answer.severity(), PgSeverity::Fatal | PgSeverity::Panic);
        return Sorted::Answered { kind: kind_of(answer.code()), ended_connection };
    }
    match error {
        sqlx::Error::Encode(_) => Sorted::Unsendable,
        _ => Sorted::Lost,
    }
}

fn of_kind(kind: Kind, text: String) -> StoreError {
    match kind {
        Kind::Busy => StoreError::busy(text),
        Kind::Full => StoreError::full(text),
        Kind::Permanent => StoreError::permanent(text),
        Kind::Corrupt => StoreError::Corrupt(EngineError::corruption("database", "rows", &text)),
    }
}

/// What a failed read means: it had no effect, so it may be tried again
/// unless the statement itself is at fault.
pub(crate) fn of_read(failed: &Failed) -> StoreError {
    let text = text_of(&failed.source);
    match sort(&failed.source) {
        Sorted::Answered { ended_connection: true, .. } | Sorted::Lost => StoreError::busy(text),
        Sorted::Answered { kind, .. } => of_kind(kind, text),
        Sorted::Unsendable => StoreError::permanent(text),
    }
}

/// What a failed write means.
///
/// An error that the server answers with has rolled the transaction back,
/// except where the server was about to end: then a commit whose statement
/// had run may have become durable.
pub(crate) fn of_write(failed: &Failed) -> StoreError {
    let text = text_of(&failed.source);
    match (sort(&failed.source), failed.phase) {
        (Sorted::Unsendable, _) => StoreError::permanent(text),
        (Sorted::Answered { ended_connection: true, .. }, Phase::Committing)
        | (Sorted::Lost, Phase::Sent | Phase::Committing) => StoreError::unknown(text),
        (Sorted::Answered { ended_connection: true, .. } | Sorted::Lost, _) => StoreError::busy(text),
        (Sorted::Answered { kind, .. }, _) => of_kind(kind, text),
    }
}

/// The error in one line; the server's detail says which row it is about.
pub(crate) fn text_of(error: &sqlx::Error) -> String {
    let Some(answer) = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>()) else {
        return error.to_string();
    };
    let detail = answer.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
    format!("{}{detail} [{}]", answer.message(), answer.code())
}

/// The SQLSTATE, where the server answered with one.
pub(crate) fn code_of(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// A stored value that cannot be read, with its table and row.
pub(crate) fn corrupt(table: &str, row: impl Display, column: &str, why: impl Display) -> StoreError {
    StoreError::Corrupt(EngineError::corruption(&format!("{table}[{row}]"), column, &why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(phase: Phase) -> Failed {
        Failed { source: sqlx::Error::Io(std::io::Error::other("gone")), phase }
    }

    #[test]
    fn a_lost_connection_leaves_only_what_was_sent_unknown() {
        for phase in [Phase::Before, Phase::Within] {
            assert!(matches!(of_write(&failed(phase)), StoreError::Busy { .. }));
        }
        for phase in [Phase::Sent, Phase::Committing] {
            assert!(matches!(of_write(&failed(phase)), StoreError::Unknown { .. }));
        }
        assert!(matches!(of_read(&failed(Phase::Sent)), StoreError::Busy { .. }));
    }

    #[test]
    fn codes_are_sorted_by_what_the_engine_does() {
        for (code, kind) in [
            ("40001", Kind::Busy),
            ("40P01", Kind::Busy),
            ("55P03", Kind::Busy),
            ("57014", Kind::Busy),
            ("57P03", Kind::Busy),
            ("53300", Kind::Busy),
            ("53200", Kind::Busy),
            ("58030", Kind::Busy),
            ("25006", Kind::Busy),
            ("53100", Kind::Full),
            ("23505", Kind::Permanent),
            ("42P01", Kind::Permanent),
            ("42501", Kind::Permanent),
            ("22021", Kind::Permanent),
            ("LH001", Kind::Corrupt),
            ("XX001", Kind::Corrupt),
            ("XX000", Kind::Permanent),
        ] {
            assert_eq!(kind_of(code), kind, "{code}");
        }
    }
}
