//! What can go wrong in a store, by what the engine does about it.

use leasehold_core::error::EngineError;

/// Result of a store call.
pub type StoreResult<T> = Result<T, StoreError>;

/// A failed store call, by what the engine does about it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written; the same call may succeed later.
    #[error("store busy: {message}")]
    Busy {
        /// For people.
        message: String,
    },
    /// The call was sent and nobody knows whether it was applied.
    #[error("outcome unknown: {message}")]
    Unknown {
        /// For people.
        message: String,
    },
    /// Nothing was written and the same call will fail again.
    #[error("store refused the call: {message}")]
    Permanent {
        /// For people.
        message: String,
    },
    /// Nothing was written: the store has no room for it.
    #[error("the store is full: {message}")]
    Full {
        /// For people.
        message: String,
    },
    /// The store holds something the engine cannot read.
    #[error("stored data is not readable: {0}")]
    Corrupt(EngineError),
    /// The engine must not run on this store as it is.
    #[error("{message}")]
    Refused {
        /// For people: what is wrong and how to mend it.
        message: String,
    },
}

impl StoreError {
    /// Nothing was written; try again.
    pub fn busy(message: impl Into<String>) -> Self {
        Self::Busy { message: message.into() }
    }

    /// Nobody knows.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::Unknown { message: message.into() }
    }

    /// It will fail again.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::Permanent { message: message.into() }
    }

    /// There is no room.
    pub fn full(message: impl Into<String>) -> Self {
        Self::Full { message: message.into() }
    }

    /// The engine must not run here.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::Refused { message: message.into() }
    }
}

impl From<EngineError> for StoreError {
    fn from(error: EngineError) -> Self {
        Self::Corrupt(error)
    }
}
