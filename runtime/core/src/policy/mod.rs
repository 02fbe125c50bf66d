//! Policies: how an execution is retried, timed out and routed.
//!
//! They travel as JSON. Absent options are omitted and never `null`, missing
//! fields take their default, unknown fields are ignored.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::capability::CapabilitySet;
use crate::error::{EngineError, ValidationKind};
use crate::ids::BudgetId;
use crate::time::TimestampMs;

/// How large a policy may be as JSON.
pub const POLICY_BYTES_MAX: usize = 64 * 1024;

/// How often an execution may be reclaimed unless its policy says otherwise.
pub const DEFAULT_MAX_RECLAIM_COUNT: u32 = 100;

/// How often an execution may be replayed unless its policy says otherwise.
pub const DEFAULT_MAX_REPLAY_COUNT: u32 = 10;

/// The delay where a backoff does not say one.
pub const DEFAULT_BACKOFF_MS: u64 = 1_000;

/// Everything a caller may say about how an execution is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(default)]
pub struct ExecutionPolicy {
    /// Kept for the caller; the priority of an execution is an argument of its creation.
    pub priority: i32,
    /// When it may start, unless the creation says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_until: Option<TimestampMs>,
    /// When failures are retried; never, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<RetryPolicy>,
    /// How long it may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_policy: Option<TimeoutPolicy>,
    /// What its suspensions default to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspension_policy: Option<SuspensionPolicy>,
    /// What else it may be run with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_policy: Option<FallbackPolicy>,
    /// How often it may be reclaimed.
    pub max_reclaim_count: u32,
    /// How often it may be replayed.
    pub max_replay_count: u32,
    /// Which budgets it draws on.
    pub budget_ids: Vec<BudgetId>,
    /// Which workers may take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_requirements: Option<RoutingRequirements>,
    /// How long its idempotency key is remembered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup_window_ms: Option<u64>,
    /// How its output is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_policy: Option<StreamPolicy>,
    /// How many signals it accepts.
    pub max_signals_per_execution: u32,
}

impl Default for ExecutionPolicy {
    fn default() -> Self {
        Self {
            priority: 0,
            delay_until: None,
            retry_policy: None,
            timeout_policy: None,
            suspension_policy: None,
            fallback_policy: None,
            max_reclaim_count: DEFAULT_MAX_RECLAIM_COUNT,
            max_replay_count: DEFAULT_MAX_REPLAY_COUNT,
            budget_ids: Vec::new(),
            routing_requirements: None,
            dedup_window_ms: None,
            stream_policy: None,
            max_signals_per_execution: 10_000,
        }
    }
}

/// When failures are retried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(default)]
pub struct RetryPolicy {
    /// Retries after the first attempt.
    pub max_retries: u32,
    /// How long to wait before each.
    pub backoff: Backoff,
    /// Which failures are retried; empty means all.
    pub retryable_categories: Vec<String>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_retries: 3, backoff: Backoff::default(), retryable_categories: Vec::new() }
    }
}

/// How long to wait before a retry.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(tag = "type", rename_all = "snake_case", from = "LooseBackoff")]
pub enum Backoff {
    /// A delay that grows with each retry.
    Exponential {
        /// The first delay.
        initial_delay_ms: u64,
        /// The longest delay.
        max_delay_ms: u64,
        /// The factor from one delay to the next.
        multiplier: f64,
        /// Whether a random part of the delay is waited instead of all of it.
        jitter: bool,
    },
    /// The same delay each time.
    Fixed {
        /// The delay.
        delay_ms: u64,
    },
}

impl Default for Backoff {
    fn default() -> Self {
        Self::Exponential { initial_delay_ms: DEFAULT_BACKOFF_MS, max_delay_ms: 60_000, multiplier: 2.0, jitter: false }
    }
}

/// A backoff as callers write it, where every field may be missing.
#[derive(Deserialize)]
struct LooseBackoff {
    r#type: Option<Value>,
    initial_delay_ms: Option<u64>,
    max_delay_ms: Option<u64>,
    multiplier: Option<f64>,
    jitter: Option<bool>,
    delay_ms: Option<u64>,
}

impl From<LooseBackoff> for Backoff {
    fn from(loose: LooseBackoff) -> Self {
        match loose.r#type.as_ref().and_then(Value::as_str) {
            Some("exponential") => Self::Exponential {
                initial_delay_ms: loose.initial_delay_ms.unwrap_or(DEFAULT_BACKOFF_MS),
                max_delay_ms: loose.max_delay_ms.unwrap_or(60_000),
                multiplier: loose.multiplier.unwrap_or(2.0),
                jitter: loose.jitter.unwrap_or(false),
            },
            Some("fixed") => Self::Fixed { delay_ms: loose.delay_ms.unwrap_or(DEFAULT_BACKOFF_MS) },
            // A missing or unknown type waits the default delay, whatever else it says.
            _ => Self::Fixed { delay_ms: DEFAULT_BACKOFF_MS },
        }
    }
}

/// How long an execution may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(default)]
pub struct TimeoutPolicy {
    /// One attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_timeout_ms: Option<u64>,
    /// The whole execution, from its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_deadline_ms: Option<u64>,
    /// Kept for the caller; the execution policy's own count decides.
    pub max_reclaim_count: u32,
}

impl Default for TimeoutPolicy {
    fn default() -> Self {
        Self { attempt_timeout_ms: None, execution_deadline_ms: None, max_reclaim_count: DEFAULT_MAX_RECLAIM_COUNT }
    }
}

/// What suspensions default to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(default)]
pub struct SuspensionPolicy {
    /// How long a suspension lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_timeout_ms: Option<u64>,
    /// What happens then.
    pub timeout_behavior: String,
}

impl Default for SuspensionPolicy {
    fn default() -> Self {
        Self { default_timeout_ms: None, timeout_behavior: "fail".to_owned() }
    }
}

/// What else an execution may be run with, in order of preference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(default)]
pub struct FallbackPolicy {
    /// The alternatives.
    pub tiers: Vec<FallbackTier>,
}

/// One alternative.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct FallbackTier {
    /// Who provides it.
    pub provider: String,
    /// Which model of theirs.
    pub model: String,
    /// How long it may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// Which workers may take an execution.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(default)]
pub struct RoutingRequirements {
    /// What a worker must be able to do.
    pub required_capabilities: CapabilitySet,
    /// Kept for the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_locality: Option<String>,
    /// Kept for the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation_level: Option<String>,
}

/// How an attempt's output is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(default)]
pub struct StreamPolicy {
    /// How frames are written.
    pub durability_mode: String,
    /// How many frames are kept.
    pub retention_maxlen: u64,
    /// How long they are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_ttl_ms: Option<u64>,
}

impl Default for StreamPolicy {
    fn default() -> Self {
        Self { durability_mode: "buffered".to_owned(), retention_maxlen: 10_000, retention_ttl_ms: None }
    }
}

/// The fields of a policy that are objects. The JSON reader would also take a
/// list of their values in order, which nobody means.
const SUB_POLICIES: [&str; 5] =
    ["retry_policy", "timeout_policy", "suspension_policy", "fallback_policy", "stream_policy"];

fn has_list_as_backoff(retry_policy: &Value) -> bool {
    retry_policy["backoff"].is_array()
}

fn invalid(detail: &str) -> EngineError {
    EngineError::validation(ValidationKind::InvalidPolicyJson, detail)
}

impl ExecutionPolicy {
    /// Reads a policy from outside. The depth is bounded by the JSON reader.
    ///
    /// # Errors
    ///
    /// `invalid_policy_json` with `malformed`, `too_large` or
    /// `routing_requirements:not_object`; `invalid_capabilities` with what is
    /// wrong with the required ones.
    pub fn from_json(json: &[u8]) -> Result<Self, EngineError> {
        if json.len() > POLICY_BYTES_MAX {
            return Err(invalid("too_large"));
        }
        let value: Value = serde_json::from_slice(json).map_err(|_| invalid("malformed"))?;
        if !value.is_object() {
            return Err(invalid("malformed"));
        }
        match &value["routing_requirements"] {
            Value::Null => {}
            Value::Object(requirements) => {
                if let Some(capabilities) = requirements.get("required_capabilities") {
                    CapabilitySet::from_json_required(capabilities)?;
                }
            }
            _ => return Err(invalid("routing_requirements:not_object")),
        }
        if SUB_POLICIES.iter().any(|name| value[name].is_array()) || has_list_as_backoff(&value["retry_policy"]) {
            return Err(invalid("malformed"));
        }
        let policy: Self = serde_json::from_value(value).map_err(|_| invalid("malformed"))?;
        policy.validate()?;
        Ok(policy)
    }

    /// Checks a policy that was built in memory by the bounds that
    /// [`Self::from_json`] sets: it must be readable again, in every store.
    pub fn validate(&self) -> Result<(), EngineError> {
        let json = self.to_json();
        if json.len() > POLICY_BYTES_MAX {
            return Err(invalid("too_large"));
        }
        let finite = match self.retry_policy.as_ref().map(|retry| retry.backoff) {
            Some(Backoff::Exponential { multiplier, .. }) => multiplier.is_finite(),
            _ => true,
        };
        let has_nul = self.texts().any(|text| text.contains('\0'));
        if finite && !has_nul { Ok(()) } else { Err(invalid("malformed")) }
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let categories = self.retry_policy.iter().flat_map(|retry| &retry.retryable_categories);
        let behavior = self.suspension_policy.iter().map(|suspension| &suspension.timeout_behavior);
        let tiers = self.fallback_policy.iter().flat_map(|fallback| &fallback.tiers);
        let routing = self.routing_requirements.iter();
        let mode = self.stream_policy.iter().map(|stream| &stream.durability_mode);
        categories
            .chain(behavior)
            .chain(tiers.flat_map(|tier| [&tier.provider, &tier.model]))
            .chain(routing.flat_map(|needs| needs.preferred_locality.iter().chain(&needs.isolation_level)))
            .chain(mode)
            .map(String::as_str)
    }

    /// The policy as JSON.
    pub fn to_json(&self) -> String {
        // Writing into memory with string keys cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl RetryPolicy {
    /// No retries.
    pub fn never() -> Self {
        Self { max_retries: 0, ..Self::default() }
    }

    /// Reads a policy given with a failure. What is missing or cannot be read
    /// means no retries: a failure must be recorded in any case.
    pub fn from_json_lenient(json: &str) -> Self {
        if json.len() > POLICY_BYTES_MAX {
            return Self::never();
        }
        match serde_json::from_str::<Value>(json) {
            Ok(value) if value.is_object() && !has_list_as_backoff(&value) => {
                serde_json::from_value(value).unwrap_or_else(|_| Self::never())
            }
            _ => Self::never(),
        }
    }
}

#[cfg(test)]
mod tests;
