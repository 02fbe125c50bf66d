//! What a walk does next, drawn from a seed.

use super::cast::{POLICIES, WORKERS, capabilities, instance, worker};
use super::{
    CancelExecution, Claim, Delay, FailExecution, Ledger, RenewLease, Settle, UnblockExecution, UpdateProgress,
};
use super::{Command, CommandSource, CompleteExecution, FenceTriple, Operation, WaitChildren};
use crate::fixture::{START, TTL_MS, World, lane};
use leasehold_core::backoff::FailureClass;
use leasehold_core::command::{
    AdmissionBlock, Admit, BlockExecution, ChangePriority, ClaimExecution, ClaimResumedExecution, CreateExecution,
    ExpireExecution, ExpirePhase, IssueClaimGrant, IssueGrantAndClaim, IssueReclaimGrant, MarkLeaseExpired,
    PromoteDelayed, ReclaimExecution, ReplayExecution, RevokeLease, SetExecutionTag, StoreRenewal,
};
use leasehold_core::ids::{AttemptIndex, ExecutionId, LeaseEpoch};
use leasehold_core::inbox;
use leasehold_core::index::next_due;
use leasehold_core::record::{Execution, Holder, Record};
use leasehold_core::time::TimestampMs;
use std::sync::Arc;

/// What a scheduler is about.
#[derive(Clone, Copy)]
enum Errand {
    GrantClaim,
    ClaimFresh,
    ClaimResumed,
    GrantReclaim,
    Reclaim,
    Claim,
}

const ERRANDS: [Errand; 6] = [
    Errand::GrantClaim,
    Errand::ClaimFresh,
    Errand::ClaimResumed,
    Errand::GrantReclaim,
    Errand::Reclaim,
    Errand::Claim,
];

pub struct Drawn {
    pub command: Command,
    pub promised_until: Option<TimestampMs>,
}

/// A small generator (splitmix64): the same seed, the same walk.
pub struct Seed(u64);

impl Seed {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    /// Mostly a little, sometimes exactly to what is due, sometimes far.
    pub fn let_time_pass(&mut self, world: &mut World) {
        world.random = self.below(1000) as f64 / 1000.0;
        match self.below(24) {
            0..12 => {}
            12..21 => world.pass(self.below(15)),
            21 | 22 => world.pass(self.below(300)),
            _ => {
                let dues = executions(world).into_iter().filter_map(|execution| {
                    let lease = execution.lease.as_ref().map(|lease| lease.expires_at);
                    [next_due(&execution).map(|(at, _)| at), lease].into_iter().flatten().min()
                });
                if let Some(due) = dues.filter(|due| *due > world.now).min() {
                    world.now = due.minus(self.below(2)).max(world.now);
                }
            }
        }
    }

    pub fn command(&mut self, world: &mut World, ledger: &Ledger) -> Drawn {
        let known = executions(world);
        if known.len() < 4 || (known.len() < 12 && self.one_in(25)) {
            return Drawn { command: self.create(world), promised_until: None };
        }
        let execution = self.pick(&known).clone();
        let id = if self.one_in(60) { ExecutionId::from_parts(7, world.mint()) } else { execution.id };
        let promised_until = self.one_in(12).then(|| world.now.plus(self.below(50)));
        let command = if self.one_in(5) {
            self.as_waiter(world, ledger, &execution, id)
        } else {
            self.on(world, ledger, &execution, id)
        };
        if let Command::StoreRenewal(_) = &command {
            // What was promised is what there is to store.
            return Drawn { command, promised_until: Some(world.now.plus(self.below(2 * TTL_MS))) };
        }
        Drawn { command, promised_until }
    }

    fn create(&mut self, world: &mut World) -> Command {
        let mut args: CreateExecution = world.create_args();
        args.priority = *self.pick(&[-1, 0, 1, 5, 9000, 9001]);
        args.policy_json = Some(self.pick(&POLICIES).as_bytes().into());
        args.delay_until = self.one_in(3).then(|| world.now.plus(self.below(60)));
        args.execution_deadline_at = self.one_in(4).then(|| world.now.plus(self.below(20_000)));
        args.idempotency_key = self.one_in(2).then(|| format!("key-{}", self.below(4)).into());
        if !self.one_in(4) {
            return args.into_command();
        }
        let mut entry = inbox::encode(&args).expect("it is well-formed");
        if self.one_in(8) {
            entry.pop();
        }
        Admit::new(self.below(1000) as i64, args.execution_id, &entry).into_command()
    }

    /// A fence: mostly the current one, sometimes an old one, sometimes a
    /// forged or partial one.
    pub fn fence(&mut self, world: &mut World, ledger: &Ledger, execution: &Execution) -> FenceTriple {
        let current = execution.lease.as_ref().map(|lease| FenceTriple::from(lease.fence()));
        let fences = ledger.fences(execution.id);
        match self.below(16) {
            0..12 if current.is_some() => current.unwrap_or_default(),
            0..14 if !fences.is_empty() => *self.pick(fences),
            14 => FenceTriple::NONE,
            _ => {
                let base = current.unwrap_or_default();
                match self.below(4) {
                    0 => FenceTriple { lease_id: Some(world.lease_id()), ..base },
                    1 => FenceTriple { lease_epoch: Some(LeaseEpoch(self.below(9))), ..base },
                    2 => FenceTriple { attempt_id: Some(world.attempt_id()), ..base },
                    _ => FenceTriple { lease_id: None, ..base },
                }
            }
        }
    }

    fn source(&mut self) -> CommandSource {
        match self.below(8) {
            0 => CommandSource::OperatorOverride,
            1 => CommandSource::FlowCascade,
            _ => CommandSource::LeaseHolder,
        }
    }

    fn on(&mut self, world: &mut World, ledger: &Ledger, execution: &Execution, execution_id: ExecutionId) -> Command {
        if self.one_in(3) {
            return match self.below(30) {
                0..10 => {
                    let errand = *self.pick(&ERRANDS);
                    self.as_scheduler(world, errand, execution, execution_id)
                }
                10..22 => self.as_worker(world, ledger, execution, execution_id),
                22..26 => self.as_operator(world, ledger, execution, execution_id),
                _ => self.as_timer(world, execution, execution_id),
            };
        }
        let vector = execution.vector();
        let granted = execution.grant.is_some();
        if vector.is_eligible() || vector.is_reclaimable() {
            let errands: &[Errand] = match (granted, vector.is_eligible()) {
                (false, true) => &[Errand::GrantClaim, Errand::Claim],
                (true, true) => &[Errand::ClaimFresh, Errand::ClaimResumed],
                (false, false) => &[Errand::GrantReclaim, Errand::Claim],
                (true, false) => &[Errand::Reclaim],
            };
            let errand = *self.pick(errands);
            return self.as_scheduler(world, errand, execution, execution_id);
        }
        if vector.is_active() {
            return self.as_worker(world, ledger, execution, execution_id);
        }
        if vector.is_terminal() && self.one_in(4) {
            return ReplayExecution { execution_id, requested_by: None, reason: None }.into_command();
        }
        match self.below(3) {
            0 => self.as_operator(world, ledger, execution, execution_id),
            _ => self.as_timer(world, execution, execution_id),
        }
    }

    fn as_scheduler(
        &mut self,
        world: &mut World,
        errand: Errand,
        execution: &Execution,
        execution_id: ExecutionId,
    ) -> Command {
        let holder_of_grant = execution
            .grant
            .as_ref()
            .and_then(|grant| WORKERS.iter().position(|name| *name == grant.worker_id.as_str()))
            .filter(|_| !self.one_in(6));
        let n = holder_of_grant.unwrap_or_else(|| self.below(4) as usize);
        let (worker_id, worker_instance_id) = (worker(n), instance(n));
        let lease_ttl_ms = *self.pick(&[0, 1, 50, 200, 200, 1000, 1000]);
        let grant_ttl_ms = *self.pick(&[0, 20, 100]);
        let (lease_id, attempt_id) = (world.lease_id(), world.attempt_id());
        match errand {
            Errand::GrantClaim => IssueClaimGrant {
                execution_id,
                lane_id: lane(),
                worker_id,
                worker_instance_id,
                capabilities: capabilities(n),
                capability_hash: None,
                route_snapshot_json: None,
                admission_summary: None,
                grant_ttl_ms,
            }
            .into_command(),
            Errand::ClaimFresh => ClaimExecution {
                execution_id,
                worker_id,
                worker_instance_id,
                lane_id: lane(),
                lease_id,
                lease_ttl_ms,
                attempt_id,
                expected_attempt_index: self.one_in(8).then(|| AttemptIndex(self.below(3) as u32)),
                attempt_policy_json: None,
                attempt_timeout_ms: self.one_in(4).then(|| self.below(300)),
                execution_deadline_at: None,
            }
            .into_command(),
            Errand::ClaimResumed => ClaimResumedExecution {
                execution_id,
                worker_id,
                worker_instance_id,
                lane_id: lane(),
                lease_id,
                lease_ttl_ms,
                current_attempt_index: None,
                remaining_attempt_timeout_ms: self.one_in(4).then(|| self.below(300)),
            }
            .into_command(),
            Errand::GrantReclaim => IssueReclaimGrant {
                execution_id,
                worker_id,
                worker_instance_id,
                capabilities: capabilities(n),
                capability_hash: None,
                route_snapshot_json: None,
                admission_summary: None,
                grant_ttl_ms,
            }
            .into_command(),
            Errand::Reclaim => ReclaimExecution {
                execution_id,
                worker_id,
                worker_instance_id,
                lease_id,
                lease_ttl_ms,
                attempt_id,
                attempt_policy_json: None,
                max_reclaim_count: self.one_in(8).then_some(1),
            }
            .into_command(),
            Errand::Claim => Claim {
                execution_id,
                worker_id,
                worker_instance_id,
                holder: Holder::Remote,
                capabilities: capabilities(n),
                request_id: None,
                lease_id,
                attempt_id,
                lease_ttl_ms,
            }
            .into_command(),
        }
    }

    fn as_worker(
        &mut self,
        world: &mut World,
        ledger: &Ledger,
        execution: &Execution,
        execution_id: ExecutionId,
    ) -> Command {
        let fence = self.fence(world, ledger, execution);
        let source = self.source();
        let attempt_index = execution.current_attempt_index();
        match self.below(12) {
            0..3 => RenewLease { execution_id, attempt_index, fence, lease_ttl_ms: self.below(400) }.into_command(),
            3 => {
                let percent = self.one_in(2).then(|| self.below(110) as u8);
                UpdateProgress { execution_id, fence, percent, message: None }.into_command()
            }
            4 => {
                let size = *self.pick(&[0, 10, 300]);
                CompleteExecution {
                    execution_id,
                    fence,
                    attempt_index: None,
                    result_payload: Some(vec![1; size].into()),
                    result_encoding: None,
                    source,
                }
                .into_command()
            }
            5..8 => FailExecution {
                execution_id,
                fence,
                attempt_index: Some(attempt_index),
                failure_reason: "drawn".into(),
                failure_category: "x".into(),
                failure_class: *self.pick(&[None, Some(FailureClass::Transient), Some(FailureClass::Permanent)]),
                retry_policy_json: None,
                source,
            }
            .into_command(),
            8 => CancelExecution { execution_id, reason: "drawn".into(), source, fence }.into_command(),
            9 | 10 => {
                let delay_until = world.now.plus(self.below(40)).minus(5);
                Delay { execution_id, fence, source, delay_until }.into_command()
            }
            _ => WaitChildren { execution_id, fence, source }.into_command(),
        }
    }

    fn as_operator(
        &mut self,
        world: &mut World,
        ledger: &Ledger,
        execution: &Execution,
        execution_id: ExecutionId,
    ) -> Command {
        match self.below(12) {
            0 => IssueGrantAndClaim {
                execution_id,
                lane_id: lane(),
                lease_id: world.lease_id(),
                attempt_id: world.attempt_id(),
                lease_duration_ms: 50,
            }
            .into_command(),
            1 => {
                let fence = if self.one_in(2) { FenceTriple::NONE } else { self.fence(world, ledger, execution) };
                let source = CommandSource::OperatorOverride;
                CancelExecution { execution_id, reason: "operator".into(), source, fence }.into_command()
            }
            2..4 => RevokeLease {
                execution_id,
                expected_lease_id: None,
                worker_instance_id: self.one_in(2).then(|| instance(1)),
                reason: "operator".into(),
            }
            .into_command(),
            4 => {
                let reason = *self.pick(AdmissionBlock::ALL);
                BlockExecution { execution_id, reason, detail: Some("drawn".into()) }.into_command()
            }
            5 | 6 => UnblockExecution { execution_id, expected_reason: None }.into_command(),
            7 => ChangePriority { execution_id, new_priority: self.below(4) as i32 }.into_command(),
            8 => {
                let key = format!("drawn.t{}", self.below(3));
                SetExecutionTag { execution_id, key, value: self.below(3).to_string() }.into_command()
            }
            _ => ReplayExecution { execution_id, requested_by: None, reason: None }.into_command(),
        }
    }

    fn as_timer(&mut self, world: &World, execution: &Execution, execution_id: ExecutionId) -> Command {
        let phase = *self.pick(&[ExpirePhase::AttemptTimeout, ExpirePhase::ExecutionDeadline]);
        match self.below(7) {
            6 => StoreRenewal { execution_id, lease_epoch: execution.lease_epoch }.into_command(),
            0 => MarkLeaseExpired { execution_id }.into_command(),
            1 => PromoteDelayed { execution_id }.into_command(),
            2 => {
                let attempt_index = self.one_in(2).then(|| execution.current_attempt_index());
                ExpireExecution { execution_id, phase, attempt_index }.into_command()
            }
            _ => {
                let gone = self.one_in(6) && world.now > START;
                Settle { execution_id, holder_gone: gone.then_some(execution.lease_epoch) }.into_command()
            }
        }
    }
}

fn executions(world: &World) -> Vec<Arc<Execution>> {
    let mut all: Vec<_> = world.records.values().filter_map(Record::as_execution).cloned().collect();
    all.sort_by_key(|execution| execution.id);
    all
}
