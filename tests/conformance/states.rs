//! State vectors by their wire names: phase, ownership, eligibility, blocking
//! reason, outcome, attempt.

/// A state vector as the store spells it.
pub type Vector = [&'static str; 6];

/// Eligible, never tried.
pub const WAITING: Vector = eligible("pending_first_attempt");

/// Claimed, the lease in force.
pub const LEASED: Vector = ["active", "leased", "not_applicable", "none", "none", "running_attempt"];

/// Claimed, the lease marked as run out.
pub const LAPSED: Vector =
    ["active", "lease_expired_reclaimable", "not_applicable", "waiting_for_worker", "none", "attempt_interrupted"];

/// Claimed, the lease taken away.
pub const REVOKED: Vector =
    ["active", "lease_revoked", "not_applicable", "waiting_for_worker", "none", "attempt_interrupted"];

/// Eligible now, with the attempt that comes next.
pub const fn eligible(attempt: &'static str) -> Vector {
    runnable("eligible_now", "waiting_for_worker", attempt)
}

/// Not eligible before a time.
pub const fn delayed(reason: &'static str, attempt: &'static str) -> Vector {
    runnable("not_eligible_until_time", reason, attempt)
}

/// Given back until something comes.
pub const fn suspended(reason: &'static str) -> Vector {
    ["suspended", "unowned", "not_applicable", reason, "none", "attempt_interrupted"]
}

/// Runnable, whatever keeps it from running.
pub const fn runnable(eligibility: &'static str, reason: &'static str, attempt: &'static str) -> Vector {
    ["runnable", "unowned", eligibility, reason, "none", attempt]
}

/// Ended, having run.
pub const fn ended(outcome: &'static str) -> Vector {
    ended_without(outcome, "attempt_terminal")
}

/// Ended, with the attempt that never came.
pub const fn ended_without(outcome: &'static str, attempt: &'static str) -> Vector {
    ["terminal", "unowned", "not_applicable", "none", outcome, attempt]
}

/// Kept back by the executions it depends on.
pub const fn awaiting(attempt: &'static str) -> Vector {
    runnable("blocked_by_dependencies", "waiting_for_children", attempt)
}
