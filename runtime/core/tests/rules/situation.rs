//! Every situation an execution can be in, brought about by commands.

use crate::fixture::{START, TTL_MS, World, holder, operator};
use leasehold_core::command::{
    AdmissionBlock, BlockExecution, CancelExecution, CompleteExecution, Delay, ExpireExecution, ExpirePhase,
    FailExecution, FenceTriple, MarkLeaseExpired, PromoteDelayed, ReplayExecution, RevokeLease, WaitChildren,
};
use leasehold_core::ids::ExecutionId;
use leasehold_core::time::TimestampMs;

/// Where an execution stands. Deadlines are at [`DEADLINE`], and a failure is
/// retried after [`BACKOFF_MS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Situation {
    Missing,
    Eligible,
    Granted,
    GrantVoid,
    Delayed,
    Blocked,
    Leased,
    Lapsed,
    Expired,
    Revoked,
    RetryDelayed,
    RetryEligible,
    InterruptedDelayed,
    Resumable,
    Completed,
    Failed,
    Cancelled,
    CancelledUnstarted,
    TimedOut,
    ReplayPending,
}

use Situation as S;

pub const ALL: &[Situation] = &[
    S::Missing,
    S::Eligible,
    S::Granted,
    S::GrantVoid,
    S::Delayed,
    S::Blocked,
    S::Leased,
    S::Lapsed,
    S::Expired,
    S::Revoked,
    S::RetryDelayed,
    S::RetryEligible,
    S::InterruptedDelayed,
    S::Resumable,
    S::Completed,
    S::Failed,
    S::Cancelled,
    S::CancelledUnstarted,
    S::TimedOut,
    S::ReplayPending,
];

pub const BACKOFF_MS: u64 = 1_000;
pub const DEADLINE: TimestampMs = TimestampMs(START.0 + 10_000_000);

const POLICY: &str = r#"{"retry_policy":{"max_retries":1,"backoff":{"type":"fixed","delay_ms":1000}}}"#;

/// An execution in a world of its own.
pub struct Staged {
    pub world: World,
    pub id: ExecutionId,
    /// The fence of the last lease, or none if there never was one.
    pub fence: FenceTriple,
}

impl Situation {
    /// Brings an execution into the situation.
    pub fn stage(self) -> Staged {
        let mut world = World::new();
        if self == S::Missing {
            let id = ExecutionId::from_parts(7, world.mint());
            return Staged { world, id, fence: FenceTriple::NONE };
        }
        let now = world.now;
        let id = world.create_with(|args| {
            args.policy_json = Some(POLICY.into());
            args.execution_deadline_at = Some(DEADLINE);
            args.delay_until = (self == S::Delayed).then(|| now.plus(BACKOFF_MS));
        });
        let fence = if self.was_claimed() { world.claim(id).fence().into() } else { FenceTriple::NONE };
        world.pass(1);
        self.go_on(&mut world, id, fence);
        Staged { world, id, fence }
    }

    const fn was_claimed(self) -> bool {
        !matches!(
            self,
            S::Missing | S::Eligible | S::Granted | S::GrantVoid | S::Delayed | S::Blocked | S::CancelledUnstarted
        )
    }

    fn go_on(self, world: &mut World, id: ExecutionId, fence: FenceTriple) {
        match self {
            S::Missing | S::Eligible | S::Delayed | S::Leased => {}
            S::Granted => world.grant(id),
            S::GrantVoid => {
                world.grant(id);
                world.pass(crate::fixture::GRANT_TTL_MS + 1);
            }
            S::Blocked => {
                world
                    .run(BlockExecution { execution_id: id, reason: AdmissionBlock::WaitingForBudget, detail: None })
                    .unwrap();
            }
            S::Lapsed => world.pass(TTL_MS),
            S::Expired => {
                world.pass(TTL_MS);
                world.run(MarkLeaseExpired { execution_id: id }).unwrap();
            }
            S::Revoked => {
                let reason = "staged".to_owned();
                world
                    .run(RevokeLease { execution_id: id, expected_lease_id: None, worker_instance_id: None, reason })
                    .unwrap();
            }
            S::RetryDelayed => fail(world, id, fence),
            S::RetryEligible => {
                fail(world, id, fence);
                world.pass(BACKOFF_MS);
                world.run(PromoteDelayed { execution_id: id }).unwrap();
            }
            S::InterruptedDelayed => {
                let delay_until = world.now.plus(BACKOFF_MS);
                world.run(Delay { execution_id: id, fence, source: holder(), delay_until }).unwrap();
            }
            S::Resumable => {
                world.run(WaitChildren { execution_id: id, fence, source: holder() }).unwrap();
            }
            S::Completed => complete(world, id, fence),
            S::Failed => {
                let mut args = fail_args(id, fence);
                args.retry_policy_json = Some("{\"max_retries\":0}".to_owned());
                world.run(args).unwrap();
            }
            S::Cancelled | S::CancelledUnstarted => {
                let reason = "staged".to_owned();
                world
                    .run(CancelExecution { execution_id: id, reason, source: operator(), fence: FenceTriple::NONE })
                    .unwrap();
            }
            S::TimedOut => {
                world.now = DEADLINE;
                world
                    .run(ExpireExecution {
                        execution_id: id,
                        phase: ExpirePhase::ExecutionDeadline,
                        attempt_index: None,
                    })
                    .unwrap();
            }
            S::ReplayPending => {
                complete(world, id, fence);
                world.run(ReplayExecution { execution_id: id, requested_by: None, reason: None }).unwrap();
            }
        }
    }
}

pub fn fail_args(id: ExecutionId, fence: FenceTriple) -> FailExecution {
    FailExecution {
        execution_id: id,
        fence,
        attempt_index: None,
        failure_reason: "it broke".to_owned(),
        failure_category: "transient".to_owned(),
        failure_class: None,
        retry_policy_json: None,
        source: holder(),
    }
}

fn fail(world: &mut World, id: ExecutionId, fence: FenceTriple) {
    world.run(fail_args(id, fence)).unwrap();
}

pub fn complete_args(id: ExecutionId, fence: FenceTriple) -> CompleteExecution {
    CompleteExecution {
        execution_id: id,
        fence,
        attempt_index: None,
        result_payload: Some("result".into()),
        result_encoding: None,
        source: holder(),
    }
}

fn complete(world: &mut World, id: ExecutionId, fence: FenceTriple) {
    world.run(complete_args(id, fence)).unwrap();
}
