//! What a caller can do about an error.

use serde::{Deserialize, Serialize};

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Give up; the same call will be refused again.
    Terminal,
    /// Try again later.
    Retryable,
    /// The worker should wind its work down.
    Cooperative,
    /// The state is already as wanted, or a race was lost.
    Informational,
    /// Worth noting; the call had its effect.
    Advisory,
    /// The engine contradicts itself.
    Bug,
    /// Part of normal operation, such as reading what was never written.
    Expected,
    /// Refused without consequence for the work as a whole.
    SoftError,
}

impl ErrorClass {
    /// The wire spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Retryable => "retryable",
            Self::Cooperative => "cooperative",
            Self::Informational => "informational",
            Self::Advisory => "advisory",
            Self::Bug => "bug",
            Self::Expected => "expected",
            Self::SoftError => "soft_error",
        }
    }
}

/// What went wrong between the engine and its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackendErrorKind {
    /// The connection failed.
    Transport,
    /// The store answered something unexpected.
    Protocol,
    /// The store did not answer in time.
    Timeout,
    /// The store refused the credentials.
    Auth,
    /// The store's cluster is changing.
    Cluster,
    /// The store is still loading its data.
    BusyLoading,
    /// The store lost its scripts.
    ScriptNotLoaded,
    /// Anything else.
    Other,
}

impl BackendErrorKind {
    /// Whether the same call may succeed later.
    pub const fn retryable(self) -> bool {
        matches!(self, Self::Transport | Self::Timeout | Self::Cluster | Self::BusyLoading)
    }

    /// The wire spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::Protocol => "protocol",
            Self::Timeout => "timeout",
            Self::Auth => "auth",
            Self::Cluster => "cluster",
            Self::BusyLoading => "busy_loading",
            Self::ScriptNotLoaded => "script_not_loaded",
            Self::Other => "other",
        }
    }
}
