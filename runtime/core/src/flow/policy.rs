//! When a join opens: the policy over the inbound dependencies of one
//! execution.

use crate::error::EngineError;
use serde::{Deserialize, Serialize};

/// The largest quorum.
pub const QUORUM_MAX: u32 = i32::MAX as u32;

/// What becomes of the upstreams that are still at work when a join fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, bincode::Encode, bincode::Decode)]
pub enum OnSatisfied {
    /// They are cancelled.
    CancelRemaining,
    /// They finish.
    LetRun,
}

impl OnSatisfied {
    /// The wire spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CancelRemaining => "cancel_remaining",
            Self::LetRun => "let_run",
        }
    }

    /// Reads the wire spelling; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "cancel_remaining" => Some(Self::CancelRemaining),
            "let_run" => Some(Self::LetRun),
            _ => None,
        }
    }
}

/// How many upstreams must succeed before the execution may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, bincode::Encode, bincode::Decode)]
pub enum EdgeGroupPolicy {
    /// All of them.
    #[default]
    AllOf,
    /// One of them.
    AnyOf {
        /// What becomes of the others.
        on_satisfied: OnSatisfied,
    },
    /// So many of them.
    Quorum {
        /// How many, from 1 to [`QUORUM_MAX`].
        k: u32,
        /// What becomes of the others.
        on_satisfied: OnSatisfied,
    },
}

impl EdgeGroupPolicy {
    /// The name of the variant.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::AllOf => "all_of",
            Self::AnyOf { .. } => "any_of",
            Self::Quorum { .. } => "quorum",
        }
    }

    /// Whether upstreams still at work are cancelled when the join fires.
    pub const fn cancels_remaining(self) -> bool {
        matches!(
            self,
            Self::AnyOf { on_satisfied: OnSatisfied::CancelRemaining }
                | Self::Quorum { on_satisfied: OnSatisfied::CancelRemaining, .. }
        )
    }

    /// As a caller would write it.
    pub fn spec(self) -> PolicySpec {
        let (k, on_satisfied) = match self {
            Self::AllOf => (None, None),
            Self::AnyOf { on_satisfied } => (None, Some(on_satisfied)),
            Self::Quorum { k, on_satisfied } => (Some(u64::from(k)), Some(on_satisfied)),
        };
        PolicySpec {
            kind: self.kind().to_owned(),
            on_satisfied: on_satisfied.map(|value| value.as_str().to_owned()),
            k,
        }
    }
}

/// A policy as a caller writes it, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySpec {
    /// `all_of`, `any_of` or `quorum`.
    pub kind: String,
    /// `cancel_remaining` or `let_run`; `all_of` does without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_satisfied: Option<String>,
    /// The size of a quorum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<u64>,
}

impl PolicySpec {
    /// Checks the policy. What a variant has no use for is not looked at.
    ///
    /// # Errors
    ///
    /// `invalid_input` naming the first thing that is wrong.
    pub fn check(&self) -> Result<EdgeGroupPolicy, EngineError> {
        match self.kind.as_str() {
            "all_of" => Ok(EdgeGroupPolicy::AllOf),
            "any_of" => Ok(EdgeGroupPolicy::AnyOf { on_satisfied: self.on_satisfied()? }),
            "quorum" => {
                let k = self.k.unwrap_or(0);
                if k == 0 {
                    return Err(EngineError::invalid_input("quorum k must be >= 1"));
                }
                let Some(k) = u32::try_from(k).ok().filter(|k| *k <= QUORUM_MAX) else {
                    return Err(EngineError::invalid_input("quorum k exceeds supported maximum"));
                };
                Ok(EdgeGroupPolicy::Quorum { k, on_satisfied: self.on_satisfied()? })
            }
            other => {
                let shown: String = other.chars().take(64).collect();
                Err(EngineError::invalid_input(format!("unsupported_policy_variant: {shown}")))
            }
        }
    }

    fn on_satisfied(&self) -> Result<OnSatisfied, EngineError> {
        self.on_satisfied.as_deref().and_then(OnSatisfied::parse).ok_or_else(|| {
            EngineError::invalid_input("on_satisfied required for any_of/quorum: cancel_remaining | let_run")
        })
    }
}
