//! What operators, timers and readers do.

use super::Chooser;
use crate::differential::call::Call;
use leasehold_contract::{
    AdmissionBlock, BlockExecution, CancelExecution, ChangePriority, CommandSource, ExpireExecution, ExpirePhase,
    FenceTriple, MarkLeaseExpired, PromoteDelayed, ReplayExecution, RevokeLease, SetExecutionTag, UnblockExecution,
};
use leasehold_core::ids::{AttemptIndex, ExecutionId};
use leasehold_core::partition::Partition;
use leasehold_core::state::BlockingReason;

/// Fields by name; the last one does not exist.
const FIELDS: &[&str] = &[
    "execution_id",
    "namespace",
    "current_lane",
    "execution_kind",
    "priority",
    "creator_identity",
    "required_capabilities",
    "created_at",
    "lifecycle_phase",
    "ownership_state",
    "eligibility_state",
    "blocking_reason",
    "blocking_detail",
    "terminal_outcome",
    "attempt_state",
    "public_state",
    "delay_until",
    "last_transition_at",
    "last_mutation_at",
    "total_attempt_count",
    "current_attempt_index",
    "current_attempt_id",
    "retry_count",
    "replay_count",
    "lease_reclaim_count",
    "current_lease_id",
    "current_lease_epoch",
    "current_worker_id",
    "lease_expires_at",
    "lease_last_renewed_at",
    "lease_renewal_deadline",
    "lease_expired_at",
    "lease_revoked_at",
    "lease_revoke_reason",
    "started_at",
    "completed_at",
    "progress_pct",
    "progress_message",
    "failure_reason",
    "cancellation_reason",
    "cancelled_by",
    "last_capability_mismatch_at",
    "no_such_field",
];

impl Chooser<'_> {
    /// Any execution, seldom one that nobody created.
    fn target(&self) -> ExecutionId {
        if self.dice.one_in(20) {
            let uuid = self.dice.entropy().uuid();
            return ExecutionId::spread(uuid, &self.setup.config());
        }
        self.seen.any(&self.dice)
    }

    fn held(&self) -> ExecutionId {
        let held: Vec<ExecutionId> = self.seen.held.iter().map(|ticket| ticket.says.execution_id).collect();
        self.seen.mostly(&self.dice, &held)
    }

    /// Somebody without a lease acts.
    pub(super) fn outside(&self) -> Call {
        let dice = &self.dice;
        match dice.below(32) {
            0..=2 => self.cancel_execution(),
            3..=5 => Call::RevokeLease(RevokeLease {
                execution_id: self.held(),
                expected_lease_id: dice.any(&self.seen.held).filter(|_| dice.one_in(3)).map(|t| t.says.lease_id),
                worker_instance_id: dice.one_in(4).then(|| self.worker().1),
                reason: self.text(),
            }),
            6..=8 => Call::MarkLeaseExpiredIfDue(MarkLeaseExpired { execution_id: self.held() }),
            9..=12 => Call::ReplayExecution(ReplayExecution {
                execution_id: self.seen.mostly(dice, &self.seen.ended),
                requested_by: self.maybe_text(),
                reason: self.maybe_text(),
            }),
            13..=15 => {
                let new_priority = dice.below(12_000) as i32 - 1000;
                Call::ChangePriority(ChangePriority { execution_id: self.target(), new_priority })
            }
            16..=18 => Call::SetExecutionTag(SetExecutionTag {
                execution_id: self.target(),
                key: self.tag_key(),
                value: self.text(),
            }),
            19..=21 => Call::ExpireExecution(ExpireExecution {
                execution_id: if dice.one_in(2) { self.held() } else { self.target() },
                phase: dice.pick(&[ExpirePhase::AttemptTimeout, ExpirePhase::ExecutionDeadline]),
                attempt_index: dice.one_in(3).then(|| AttemptIndex(dice.below(2) as u32)),
            }),
            22..=24 => {
                let execution_id = self.seen.mostly(dice, &self.seen.interrupted);
                Call::PromoteDelayed(PromoteDelayed { execution_id })
            }
            25 => Call::BlockRoute(self.target(), self.maybe_text()),
            26..=28 => Call::BlockExecutionForAdmission(BlockExecution {
                execution_id: self.target(),
                reason: dice.pick(AdmissionBlock::ALL),
                detail: self.maybe_text(),
            }),
            _ => Call::UnblockExecution(UnblockExecution {
                execution_id: self.seen.mostly(dice, &self.seen.blocked),
                expected_reason: dice.one_in(4).then_some(BlockingReason::PausedByOperator),
            }),
        }
    }

    fn cancel_execution(&self) -> Call {
        let dice = &self.dice;
        let ticket = dice.any(&self.seen.held).filter(|_| dice.one_in(2));
        let (execution_id, fence, source) = match ticket {
            Some(ticket) => (ticket.says.execution_id, ticket.says.fence().into(), CommandSource::LeaseHolder),
            None => (self.target(), FenceTriple::NONE, CommandSource::OperatorOverride),
        };
        Call::CancelExecution(CancelExecution { execution_id, reason: self.text(), source, fence })
    }

    /// Somebody looks.
    pub(super) fn reading(&self) -> Call {
        let dice = &self.dice;
        let id = self.target();
        let partition = Partition::flow(dice.below(u64::from(self.setup.partitions)) as u16);
        let limit = dice.pick(&[0, 1, 2, 5, 5000]);
        match dice.below(24) {
            0..=2 => Call::DescribeExecution(id),
            3 => Call::ReadExecutionContext(id),
            4 => Call::ReadExecutionInfo(id),
            5 => Call::ReadExecutionState(id),
            6 => Call::GetExecutionResult(self.seen.mostly(dice, &self.seen.ended)),
            7 => Call::GetExecutionNamespace(id),
            8 | 9 => {
                let home = if dice.one_in(8) { partition } else { id.home() };
                let from = dice.below(FIELDS.len() as u64) as usize;
                Call::ReadExecCoreFields(home, id, FIELDS[from..].iter().map(|name| (*name).to_owned()).collect())
            }
            10 => Call::ReadCurrentAttemptIndex(id),
            11 => Call::ReadTotalAttemptCount(id),
            12 | 13 => Call::ListExecutions(partition, dice.one_in(2).then_some(id), limit),
            14 => Call::ListLanes(dice.one_in(2).then(|| self.lane()), limit),
            15 | 16 => Call::ListAttempts(id, dice.one_in(3).then_some(AttemptIndex(0)), limit),
            17 => Call::GetExecutionTag(id, self.tag_key()),
            18 => Call::WaitTerminal(id, self.wait()),
            19 => Call::Prepare,
            20 => Call::Ping,
            21 => Call::ServerTimeMs,
            22 => Call::Capabilities,
            _ => Call::BackendLabel,
        }
    }
}
