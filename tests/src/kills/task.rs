//! What the executions of the load are.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The lane of the node's own fleet.
pub const FLEET_LANE: &str = "fleet";

/// The lane of the workers in the client's process.
pub const REMOTE_LANE: &str = "remote";

/// Completes at once.
pub const QUICK: &str = "quick";

/// Fails [`FLAKY_FAILURES`] times, then completes.
pub const FLAKY: &str = "flaky";

/// Takes [`Task::sleep_ms`].
pub const SLOW: &str = "slow";

/// Fails for good.
pub const DOOMED: &str = "doomed";

/// For a remote worker.
pub const REMOTE: &str = "remote";

/// How often a [`FLAKY`] one fails.
pub const FLAKY_FAILURES: u32 = 2;

/// The namespace of all of them.
pub const NAMESPACE: &str = "kills";

/// A payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// No two submissions share one; a repeat of a submission does.
    pub key: String,
    /// How long a [`SLOW`] one takes.
    pub sleep_ms: u64,
    /// Weight.
    pub fill: String,
}

/// The policy of all of them: short retries, and reclaims without end.
pub fn policy() -> Value {
    json!({
        "retry_policy": {"max_retries": 5, "backoff": {"type": "fixed", "delay_ms": 30}},
        "max_reclaim_count": 1000,
    })
}

/// The result a remote worker gives under a lease.
pub fn remote_result(execution: &str, lease_epoch: u64) -> Vec<u8> {
    format!("{execution} under {lease_epoch}").into_bytes()
}
