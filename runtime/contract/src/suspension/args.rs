//! What callers say.

use leasehold_core::command::{FenceTriple, Suspend};
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::{AttemptIndex, ExecutionId, SuspensionId, WaitpointId};
use leasehold_core::record::{Requester, ResumePolicy, SuspensionReason, TimeoutBehavior};
use leasehold_core::suspension::{ResumeCondition, WaitpointBinding};
use leasehold_core::time::TimestampMs;
use leasehold_core::token::SecretHex;

/// How long a key verifies after another one has become current, unless an
/// operator says otherwise: a day.
pub const DEFAULT_HMAC_GRACE_MS: u64 = 86_400_000;

/// Arguments of `suspend` and `suspend_by_triple`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuspendArgs {
    /// Minted by the caller.
    pub suspension_id: SuspensionId,
    /// The primary waitpoint, then the others.
    pub waitpoints: Vec<WaitpointBinding>,
    /// What must come.
    pub resume_condition: ResumeCondition,
    /// How the execution goes on.
    pub resume_policy: ResumePolicy,
    /// Why.
    pub reason_code: SuspensionReason,
    /// Who asks.
    pub requested_by: Requester,
    /// The deadline.
    pub timeout_at: Option<TimestampMs>,
    /// What the deadline does.
    pub timeout_behavior: TimeoutBehavior,
    /// The worker's note on where to go on.
    pub continuation_metadata_pointer: Option<String>,
    /// The caller's clock. Only judges whether the deadline is long past and
    /// how long the key is remembered.
    pub now: TimestampMs,
    /// Makes a repeat answer what the first call answered.
    pub idempotency_key: Option<String>,
}

impl SuspendArgs {
    /// A suspension at one waitpoint without a deadline, asked for by the
    /// worker. What the deadline would do is to fail the execution.
    pub fn new(
        suspension_id: SuspensionId,
        waitpoint: WaitpointBinding,
        resume_condition: ResumeCondition,
        reason_code: SuspensionReason,
        now: TimestampMs,
    ) -> Self {
        Self {
            suspension_id,
            waitpoints: vec![waitpoint],
            resume_condition,
            resume_policy: ResumePolicy::default(),
            reason_code,
            requested_by: Requester::Worker,
            timeout_at: None,
            timeout_behavior: TimeoutBehavior::Fail,
            continuation_metadata_pointer: None,
            now,
            idempotency_key: None,
        }
    }

    /// Sets a deadline and what it does.
    #[must_use]
    pub fn with_timeout(mut self, at: TimestampMs, behavior: TimeoutBehavior) -> Self {
        self.timeout_at = Some(at);
        self.timeout_behavior = behavior;
        self
    }

    /// Says who asks.
    #[must_use]
    pub const fn with_requester(mut self, requester: Requester) -> Self {
        self.requested_by = requester;
        self
    }

    /// Leaves a note on where to go on.
    #[must_use]
    pub fn with_continuation_metadata_pointer(mut self, pointer: impl Into<String>) -> Self {
        self.continuation_metadata_pointer = Some(pointer.into());
        self
    }

    /// Makes a repeat answer what the first call answered.
    #[must_use]
    pub fn with_idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Adds a waitpoint.
    #[must_use]
    pub fn with_waitpoint(mut self, waitpoint: WaitpointBinding) -> Self {
        self.waitpoints.push(waitpoint);
        self
    }

    /// Names all waitpoints anew.
    #[must_use]
    pub fn with_waitpoints(mut self, waitpoints: Vec<WaitpointBinding>) -> Self {
        self.waitpoints = waitpoints;
        self
    }

    /// The command, with what proves the lease. Kind and attempt are those of
    /// the caller's handle, if it has one.
    pub fn into_command(
        self,
        execution_id: ExecutionId,
        fence: FenceTriple,
        handle: Option<(HandleKind, AttemptIndex)>,
    ) -> Suspend {
        Suspend {
            execution_id,
            fence,
            handle_kind: handle.map(|(kind, _)| kind),
            attempt_index: handle.map(|(_, index)| index),
            suspension_id: self.suspension_id,
            waitpoints: self.waitpoints,
            resume_condition: self.resume_condition,
            resume_policy: self.resume_policy,
            reason_code: self.reason_code,
            requested_by: self.requested_by,
            timeout_at: self.timeout_at,
            timeout_behavior: self.timeout_behavior,
            continuation_metadata_pointer: self.continuation_metadata_pointer,
            now: self.now,
            idempotency_key: self.idempotency_key,
        }
    }
}

/// Arguments of `list_pending_waitpoints`.
#[derive(Clone, Debug)]
pub struct ListPendingWaitpoints {
    /// Whose.
    pub execution_id: ExecutionId,
    /// The last one seen.
    pub after: Option<WaitpointId>,
    /// At most so many; 100 when absent, kept between 1 and 1000.
    pub limit: Option<usize>,
}

/// Arguments of `seed_waitpoint_hmac_secret`.
///
/// Refused with `invalid_input` (`secret_hex must be 64 hex characters
/// (256-bit secret)`, `kid must be non-empty`, or another key is current) and
/// `invalid_kid`.
#[derive(Clone, Debug)]
pub struct SeedHmacSecret {
    /// The key's id.
    pub kid: String,
    /// 64 hexadecimal digits.
    pub secret_hex: SecretHex,
}

/// Arguments of `rotate_waitpoint_hmac_secret_all`.
///
/// A partition refuses with `invalid_kid`, `invalid_secret_hex`,
/// `invalid_grace_ms` and `rotation_conflict`.
#[derive(Clone, Debug)]
pub struct RotateHmacSecret {
    /// The id of the key that becomes current.
    pub new_kid: String,
    /// An even number of hexadecimal digits.
    pub new_secret_hex: SecretHex,
    /// How long the key that was current verifies; up to 2^53-1.
    pub grace_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_core::suspension::SignalMatcher;
    use uuid::Uuid;

    fn waitpoint(number: u128) -> WaitpointBinding {
        WaitpointBinding::Fresh { waitpoint_id: Uuid::from_u128(number).into(), waitpoint_key: format!("k{number}") }
    }

    fn plain() -> SuspendArgs {
        let condition = ResumeCondition::Single { waitpoint_key: "k1".into(), matcher: SignalMatcher::Wildcard };
        let reason = SuspensionReason::WaitingForSignal;
        SuspendArgs::new(Uuid::from_u128(9).into(), waitpoint(1), condition, reason, TimestampMs(5))
    }

    #[test]
    fn without_more_a_worker_waits_at_one_waitpoint_for_ever() {
        let args = plain();
        assert_eq!(args.waitpoints, [waitpoint(1)]);
        assert_eq!((args.requested_by, args.timeout_at), (Requester::Worker, None));
        assert_eq!(args.timeout_behavior, TimeoutBehavior::Fail);
        assert_eq!(args.resume_policy, ResumePolicy::default());
        assert_eq!((args.continuation_metadata_pointer, args.idempotency_key), (None, None));
    }

    #[test]
    fn every_addition_reaches_the_command() {
        let execution_id = ExecutionId::from_parts(3, Uuid::from_u128(7));
        let command = plain()
            .with_timeout(TimestampMs(50), TimeoutBehavior::Escalate)
            .with_requester(Requester::Operator)
            .with_continuation_metadata_pointer("step-2")
            .with_idempotency_key("once")
            .with_waitpoint(waitpoint(2))
            .into_command(execution_id, FenceTriple::default(), Some((HandleKind::Resumed, AttemptIndex(4))));
        assert_eq!(command.execution_id, execution_id);
        assert_eq!((command.handle_kind, command.attempt_index), (Some(HandleKind::Resumed), Some(AttemptIndex(4))));
        assert_eq!(command.waitpoints, [waitpoint(1), waitpoint(2)]);
        assert_eq!((command.timeout_at, command.timeout_behavior), (Some(TimestampMs(50)), TimeoutBehavior::Escalate));
        assert_eq!(command.requested_by, Requester::Operator);
        assert_eq!(command.continuation_metadata_pointer.as_deref(), Some("step-2"));
        assert_eq!(command.idempotency_key.as_deref(), Some("once"));
        assert_eq!(plain().with_waitpoints(vec![waitpoint(3)]).waitpoints, [waitpoint(3)]);
    }
}
