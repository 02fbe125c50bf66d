//! What the demo submits, and what must become of it.

use leasehold::policy::{Backoff, ExecutionPolicy, RetryPolicy, RoutingRequirements, TimeoutPolicy};
use leasehold::state::PublicState;
use leasehold::{Client, Submission};
use leasehold_contract::EngineResult;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::time::TimestampMs;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The lane that only the remote worker serves.
pub(super) const REMOTE_LANE: &str = "render";

/// What only the remote worker offers.
pub(super) const REMOTE_CAPABILITY: &str = "gpu";

/// How long leases of the demo last without a renewal.
pub(super) const LEASE_TTL: Duration = Duration::from_secs(2);

/// The tag that carries the time before which an execution must not start.
pub(super) const NOT_BEFORE: &str = "demo.not_before";

/// One kind of execution.
#[derive(Debug)]
pub(super) struct Kind {
    pub name: &'static str,
    pub lane: &'static str,
    /// What it shows, for people.
    pub about: &'static str,
    /// How many of a thousand; the first kind takes what is left.
    share: u32,
    /// How it must end.
    pub ends: PublicState,
    /// Attempts that follow a failure.
    pub retries: RangeInclusive<u32>,
    /// Attempts that follow a lost lease, at least. More are no fault: a slow
    /// machine may lose a lease.
    pub reclaims_min: u32,
    /// Attempts that follow a replay.
    pub replays: u32,
    /// Whether it must never have been started.
    pub never_starts: bool,
}

const fn kind(name: &'static str, lane: &'static str, share: u32, ends: PublicState, about: &'static str) -> Kind {
    Kind { name, lane, about, share, ends, retries: 0..=0, reclaims_min: 0, replays: 0, never_starts: false }
}

/// Every kind. The first one fills up the number asked for.
pub(super) static KINDS: [Kind; 12] = [
    kind("resize", "media", 0, PublicState::Completed, "ten priorities"),
    kind("invoice", "billing", 150, PublicState::Completed, "needs a capability one fleet has"),
    kind("email", "mail", 150, PublicState::Completed, "delayed by up to 9 s"),
    Kind { retries: 1..=2, ..kind("sync", "mail", 120, PublicState::Completed, "fails once or twice") },
    Kind { retries: 1..=1, ..kind("crash", "media", 40, PublicState::Completed, "panics once") },
    Kind { retries: 2..=2, ..kind("webhook", "mail", 40, PublicState::Failed, "fails until retries are used up") },
    kind("parse", "media", 40, PublicState::Failed, "fails for good"),
    kind("hang", "batch", 20, PublicState::Expired, "hangs until the attempt timeout"),
    Kind {
        never_starts: true,
        ..kind("vault", "batch", 15, PublicState::Expired, "no worker can do it; deadline 6 s")
    },
    kind(REMOTE, REMOTE_LANE, 90, PublicState::Completed, "remote worker only; it is killed once"),
    Kind {
        reclaims_min: 1,
        ..kind(STALL, REMOTE_LANE, 10, PublicState::Completed, "remote worker lets the lease lapse")
    },
    Kind { never_starts: true, ..kind("recall", "batch", 5, PublicState::Cancelled, "cancelled by an operator") },
];

/// The kind that fails for good and completes when it is run once more.
pub(super) static REPAIR: Kind =
    Kind { replays: 1, ..kind("repair", "media", 0, PublicState::Completed, "fails, is replayed by an operator") };

/// The kind of the remote worker.
const REMOTE: &str = "render";

/// The kind whose first lease the remote worker lets lapse.
pub(super) const STALL: &str = "stall";

/// The kind of this name.
pub(super) fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().chain([&REPAIR]).find(|kind| kind.name == name)
}

/// What a handler is told.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Job {
    /// Its number within its kind.
    pub number: u32,
    /// How often it fails before it succeeds.
    pub fails: u32,
    /// How long the work takes.
    pub pause_ms: u64,
}

/// Which kinds to submit, in order; kinds are spread evenly.
pub(super) fn plan(executions: u32) -> Vec<(&'static Kind, u32)> {
    let mut counts: Vec<(&'static Kind, u32)> =
        KINDS.iter().skip(1).map(|kind| (kind, (executions * kind.share / 1000).max(1))).collect();
    counts.push((&REPAIR, 1));
    let others: u32 = counts.iter().map(|(_, count)| count).sum();
    counts.push((&KINDS[0], executions.saturating_sub(others)));
    let mut plan = Vec::with_capacity(executions as usize);
    for (kind, count) in counts {
        for number in 0..count {
            // Where it stands between the beginning and the end.
            let place = (f64::from(number) + 0.5) / f64::from(count);
            plan.push((place, kind, number));
        }
    }
    plan.sort_by(|a, b| a.0.total_cmp(&b.0));
    plan.into_iter().map(|(_, kind, number)| (kind, number)).collect()
}

/// One execution as it is submitted.
pub(super) fn submission(client: &Client, kind: &Kind, number: u32, now: TimestampMs) -> EngineResult<Submission> {
    let mut job = Job { number, fails: 0, pause_ms: 20 + u64::from(number % 7) * 10 };
    let mut policy = ExecutionPolicy::default();
    let mut delay_ms = 0;
    match kind.name {
        "invoice" => policy.routing_requirements = requires("ledger")?,
        "email" => delay_ms = 200 + u64::from(number) * 7919 % 8_800,
        "sync" => {
            job.fails = 1 + number % 2;
            let backoff =
                Backoff::Exponential { initial_delay_ms: 150, max_delay_ms: 1_000, multiplier: 2.0, jitter: true };
            policy.retry_policy = retries(4, backoff);
        }
        "crash" => policy.retry_policy = retries(2, Backoff::Fixed { delay_ms: 300 }),
        "webhook" => policy.retry_policy = retries(2, Backoff::Fixed { delay_ms: 250 }),
        "parse" | "repair" => policy.retry_policy = retries(5, Backoff::default()),
        "hang" => {
            policy.timeout_policy = Some(TimeoutPolicy { attempt_timeout_ms: Some(700), ..TimeoutPolicy::default() });
        }
        "vault" => policy.routing_requirements = requires("hsm")?,
        REMOTE => {
            // Every tenth outlives its lease unless it is renewed.
            job.pause_ms = if number % 10 == 9 { 2_500 } else { 150 + u64::from(number % 6) * 40 };
            policy.routing_requirements = requires(REMOTE_CAPABILITY)?;
        }
        STALL => policy.routing_requirements = requires(REMOTE_CAPABILITY)?,
        "recall" => delay_ms = 3_600_000,
        _ => {}
    }
    let mut submission = client
        .submit_json(kind.name, &job)
        .lane(kind.lane)
        .priority(i32::try_from(number % 10).unwrap_or(0) * 100)
        .tag("demo.kind", kind.name)
        .creator("leasehold demo")
        .policy(&policy);
    if kind.name == "vault" {
        submission = submission.deadline(Duration::from_secs(6));
    }
    if delay_ms > 0 {
        let at = now.plus(delay_ms);
        submission = submission.delay_until(at).tag(NOT_BEFORE, at.0.to_string());
    }
    Ok(submission)
}

fn requires(capability: &str) -> EngineResult<Option<RoutingRequirements>> {
    let required_capabilities = CapabilitySet::parse_required([capability])?;
    Ok(Some(RoutingRequirements { required_capabilities, ..RoutingRequirements::default() }))
}

fn retries(max_retries: u32, backoff: Backoff) -> Option<RetryPolicy> {
    Some(RetryPolicy { max_retries, backoff, retryable_categories: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_has_as_many_as_were_asked_for_and_every_kind() {
        for executions in [100, 300, 3000] {
            let plan = plan(executions);
            assert_eq!(plan.len(), executions as usize);
            for kind in KINDS.iter().chain([&REPAIR]) {
                assert!(plan.iter().any(|(planned, _)| planned.name == kind.name), "{}", kind.name);
            }
        }
    }
}
