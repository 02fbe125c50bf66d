//! One command of a program: choosing it, running it, and what it came to.

use super::arguments::{capabilities, create, lane, worker};
use super::flow_op::FlowOp;
use super::known::Known;
use super::wait_op::WaitOp;
use super::world::PARTITION_CONFIG;
use leasehold_backend::Entropy;
use leasehold_contract::{
    AdmissionBlock, ClaimForWorker, ClaimPolicy, CreateExecution, ExpirePhase, Handle, IssueClaimGrant,
    IssueGrantAndClaim, IssueReclaimGrant, PollTasks,
};
use leasehold_core::backoff::FailureClass;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::ids::{AttemptId, ExecutionId, LaneId, LeaseId, RequestId};
use leasehold_core::time::TimestampMs;
use std::time::Duration;
use uuid::Uuid;

/// A lease that a simulated worker holds.
#[derive(Clone, Debug)]
pub struct Held {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The lease.
    pub lease_id: LeaseId,
    /// What the worker carries.
    pub handle: Handle,
}

/// A command with its arguments.
#[derive(Clone, Debug)]
pub enum Op {
    /// Create one.
    Create(Box<CreateExecution>),
    /// Create several.
    CreateMany(Vec<CreateExecution>),
    /// Poll once.
    Claim(LaneId, CapabilitySet, Box<ClaimPolicy>),
    /// Wait for work.
    Poll(Box<PollTasks>),
    /// Grant, then claim.
    GrantAndClaim(Box<IssueClaimGrant>, Uuid, Uuid),
    /// Reclaim grant, then reclaim.
    Reclaim(Box<IssueReclaimGrant>, Uuid, Uuid),
    /// The scheduler's grant.
    ClaimForWorker(Box<ClaimForWorker>),
    /// An operator takes one.
    OperatorClaim(IssueGrantAndClaim),
    /// Renew.
    Renew(Held),
    /// Say how far it is.
    Progress(Held, u8),
    /// End well.
    Complete(Held),
    /// End in failure.
    Fail(Held, FailureClass),
    /// Give back until later.
    Delay(Held, TimestampMs),
    /// Wait for nothing.
    WaitChildren(Held),
    /// Cancel under the lease.
    Cancel(Held),
    /// Cancel from outside.
    CancelExecution(ExecutionId),
    /// Take the lease away.
    Revoke(ExecutionId),
    /// Mark the lease.
    MarkExpired(ExecutionId),
    /// Run again.
    Replay(ExecutionId),
    /// Change the priority.
    Priority(ExecutionId, i32),
    /// Set a tag.
    Tag(ExecutionId, String),
    /// Expire.
    Expire(ExecutionId, ExpirePhase),
    /// Promote.
    Promote(ExecutionId),
    /// Put aside.
    Block(ExecutionId, AdmissionBlock),
    /// Take back.
    Unblock(ExecutionId),
    /// Look.
    Describe(ExecutionId),
    /// A command of suspension.
    Wait(WaitOp),
    /// A command of flows.
    Flow(FlowOp),
}

/// What a seed is about: how many commands of a hundred are of suspension,
/// and how many of flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Focus {
    /// Of suspension.
    pub waits: u64,
    /// Of flows.
    pub flows: u64,
}

impl Op {
    /// Chooses a command.
    pub fn choose(
        entropy: &dyn Entropy,
        focus: Focus,
        executions: &[ExecutionId],
        held: &[Held],
        known: &Known,
        now: TimestampMs,
    ) -> Self {
        let roll = entropy.next_u64() % 100;
        let special = if roll < focus.waits && !executions.is_empty() {
            let any = executions[(entropy.next_u64() % executions.len() as u64) as usize];
            WaitOp::choose(entropy, any, held, known, now).map(Self::Wait)
        } else if (focus.waits..focus.waits + focus.flows).contains(&roll) {
            FlowOp::choose(entropy, executions, known, now).map(Self::Flow)
        } else {
            None
        };
        special.unwrap_or_else(|| Self::plain(entropy, executions, held, now))
    }

    /// Chooses a command of neither.
    fn plain(entropy: &dyn Entropy, known: &[ExecutionId], held: &[Held], now: TimestampMs) -> Self {
        let below = |count: u64| entropy.next_u64() % count.max(1);
        let any = || known[below(known.len() as u64) as usize];
        let mine = || held[below(held.len() as u64) as usize].clone();
        if known.is_empty() {
            return Self::Create(Box::new(create(entropy, now, &PARTITION_CONFIG)));
        }
        let lease_ttl_ms = 500 + below(8000);
        let (worker_id, worker_instance_id) = worker(below(3));
        let offered = capabilities(below(3));
        match below(if held.is_empty() { 66 } else { 100 }) {
            0..=13 => Self::Create(Box::new(create(entropy, now, &PARTITION_CONFIG))),
            14..=15 => Self::CreateMany((0..2 + below(6)).map(|_| create(entropy, now, &PARTITION_CONFIG)).collect()),
            16..=23 => Self::Claim(
                lane(below(2)),
                offered,
                Box::new(ClaimPolicy {
                    worker_id,
                    worker_instance_id,
                    lease_ttl_ms: lease_ttl_ms as u32,
                    max_wait_ms: None,
                    request_id: None,
                }),
            ),
            24..=33 => Self::Poll(Box::new(PollTasks {
                lanes: vec![lane(0), lane(1)],
                worker_id,
                worker_instance_id,
                capabilities: offered,
                credits: 1 + below(5) as u32,
                lease_ttl_ms,
                max_wait: Duration::from_millis(below(3000)),
                request_id: (below(3) == 0).then(|| RequestId::from_uuid(entropy.uuid())),
            })),
            34..=37 => Self::GrantAndClaim(
                Box::new(IssueClaimGrant {
                    execution_id: any(),
                    lane_id: lane(below(2)),
                    worker_id,
                    worker_instance_id,
                    capabilities: offered,
                    capability_hash: None,
                    route_snapshot_json: None,
                    admission_summary: None,
                    grant_ttl_ms: 1 + below(2000),
                }),
                entropy.uuid(),
                entropy.uuid(),
            ),
            38..=40 => Self::Reclaim(
                Box::new(IssueReclaimGrant {
                    execution_id: any(),
                    worker_id,
                    worker_instance_id,
                    capabilities: offered,
                    capability_hash: None,
                    route_snapshot_json: None,
                    admission_summary: None,
                    grant_ttl_ms: 1 + below(2000),
                }),
                entropy.uuid(),
                entropy.uuid(),
            ),
            41 => Self::ClaimForWorker(Box::new(ClaimForWorker {
                lane_id: lane(below(2)),
                worker_id,
                worker_instance_id,
                worker_capabilities: offered,
                grant_ttl_ms: 1 + below(2000),
            })),
            42 => Self::OperatorClaim(IssueGrantAndClaim {
                execution_id: any(),
                lane_id: lane(0),
                lease_id: LeaseId::from_uuid(entropy.uuid()),
                attempt_id: AttemptId::from_uuid(entropy.uuid()),
                lease_duration_ms: lease_ttl_ms,
            }),
            43..=44 => Self::CancelExecution(any()),
            45..=46 => Self::Revoke(any()),
            47 => Self::MarkExpired(any()),
            48..=50 => Self::Replay(any()),
            51..=53 => Self::Priority(any(), below(12_000) as i32 - 1000),
            54..=55 => Self::Tag(any(), format!("value-{}", below(9))),
            56 => Self::Expire(any(), ExpirePhase::AttemptTimeout),
            57 => Self::Expire(any(), ExpirePhase::ExecutionDeadline),
            58..=59 => Self::Promote(any()),
            60 => Self::Block(any(), AdmissionBlock::PausedByOperator),
            61 => Self::Block(any(), AdmissionBlock::WaitingForBudget),
            62 => Self::Unblock(any()),
            63..=65 => Self::Describe(any()),
            66..=72 => Self::Renew(mine()),
            73..=75 => Self::Progress(mine(), below(101) as u8),
            76..=86 => Self::Complete(mine()),
            87..=92 => {
                let classes = [FailureClass::Transient, FailureClass::Permanent, FailureClass::Timeout];
                Self::Fail(mine(), classes[below(3) as usize])
            }
            93..=95 => Self::Delay(mine(), now.plus(below(3000))),
            96..=97 => Self::WaitChildren(mine()),
            _ => Self::Cancel(mine()),
        }
    }

    /// Completes what a worker holds.
    pub fn complete(held: Held) -> Self {
        Self::Complete(held)
    }

    /// Takes whatever is left, as a worker that can do everything.
    pub fn take_all(entropy: &dyn Entropy) -> Self {
        let (worker_id, worker_instance_id) = worker(0);
        Self::Poll(Box::new(PollTasks {
            lanes: vec![lane(0), lane(1)],
            worker_id,
            worker_instance_id,
            capabilities: capabilities(1),
            credits: 64,
            lease_ttl_ms: 30_000,
            max_wait: Duration::from_millis(500),
            request_id: Some(RequestId::from_uuid(entropy.uuid())),
        }))
    }

    /// The operation's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create_execution",
            Self::CreateMany(_) => "create_executions",
            Self::Claim(..) => "claim",
            Self::Poll(_) => "poll_tasks",
            Self::GrantAndClaim(..) => "claim_execution",
            Self::Reclaim(..) => "reclaim_execution",
            Self::ClaimForWorker(_) => "claim_for_worker",
            Self::OperatorClaim(_) => "issue_grant_and_claim",
            Self::Renew(_) => "renew",
            Self::Progress(..) => "progress",
            Self::Complete(_) => "complete",
            Self::Fail(..) => "fail",
            Self::Delay(..) => "delay",
            Self::WaitChildren(_) => "wait_children",
            Self::Cancel(_) => "cancel",
            Self::CancelExecution(_) => "cancel_execution",
            Self::Revoke(_) => "revoke_lease",
            Self::MarkExpired(_) => "mark_lease_expired_if_due",
            Self::Replay(_) => "replay_execution",
            Self::Priority(..) => "change_priority",
            Self::Tag(..) => "set_execution_tag",
            Self::Expire(..) => "expire_execution",
            Self::Promote(_) => "promote_delayed",
            Self::Block(..) => "block_execution_for_admission",
            Self::Unblock(_) => "unblock_execution",
            Self::Describe(_) => "describe_execution",
            Self::Wait(op) => op.name(),
            Self::Flow(op) => op.name(),
        }
    }
}
