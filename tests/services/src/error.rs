//! What can go wrong with a service.

use std::io;
use std::path::Path;

/// Why a service was not installed, did not start or did not end.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The machine lacks it and it could not be installed.
    #[error("{what} cannot be installed: {reason}")]
    Install {
        /// The service.
        what: &'static str,
        /// What a person needs to know to mend it.
        reason: String,
    },
    /// A server did not come to serve, or not in time.
    #[error("{what} does not start: {reason}")]
    Start {
        /// The server.
        what: &'static str,
        /// What it said.
        reason: String,
    },
    /// A server that was told to end goes on.
    #[error("process {pid} has not ended within {seconds} s")]
    StillAlive {
        /// Its process.
        pid: u32,
        /// How long it was given.
        seconds: u64,
    },
    /// A server answered a command with a refusal, or not as the protocol says.
    #[error("`{command}`: {reason}")]
    Command {
        /// What it was asked.
        command: String,
        /// What it said.
        reason: String,
    },
    /// The operating system refused something.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: String,
        /// The refusal.
        #[source]
        source: io::Error,
    },
}

/// What operations on services return.
pub type ServiceResult<T = ()> = Result<T, ServiceError>;

/// Tells what was being done when the operating system refused.
pub(crate) trait During<T> {
    /// Adds the words.
    fn during(self, what: &str) -> ServiceResult<T>;

    /// Adds the path.
    fn at(self, path: &Path) -> ServiceResult<T>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, what: &str) -> ServiceResult<T> {
        self.map_err(|source| ServiceError::Io { what: what.to_owned(), source })
    }

    fn at(self, path: &Path) -> ServiceResult<T> {
        self.map_err(|source| ServiceError::Io { what: path.display().to_string(), source })
    }
}
