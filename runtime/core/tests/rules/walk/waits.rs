//! What a walk draws of suspensions, waitpoints and signals.

use super::draw::Seed;
use super::{Command, Ledger, Operation, ResumeExecution};
use crate::fixture::World;
use crate::waits::fixture::{count, single};
use leasehold_core::command::{CloseWaitpoint, CreateWaitpoint, DeliverSignal, ExpireSuspension, GiveUp, Suspend};
use leasehold_core::ids::{ExecutionId, SignalId};
use leasehold_core::record::{Execution, ResumeTrigger, TimeoutBehavior, Waitpoint, WaitpointState};
use leasehold_core::suspension::{CountKind, WaitpointBinding};
use leasehold_core::token::WaitpointToken;
use std::sync::Arc;

impl Seed {
    pub fn as_waiter(
        &mut self,
        world: &mut World,
        ledger: &Ledger,
        execution: &Execution,
        execution_id: ExecutionId,
    ) -> Command {
        let waitpoints = world.waitpoints();
        let recent = &waitpoints[waitpoints.len().saturating_sub(8)..];
        if recent.is_empty() || execution.vector().is_active() && self.one_in(2) {
            return match self.below(3) {
                0 => self.waitpoint(world, ledger, execution, execution_id),
                _ => self.suspend(world, ledger, execution, execution_id),
            };
        }
        let waitpoint = self.pick(recent).clone();
        match self.below(9) {
            0..4 => self.signal(world, &waitpoint),
            4 => world.approval_args(waitpoint.execution_id, waitpoint.waitpoint_id, "approved").into_command(),
            5 => {
                let because = *self.pick(&[GiveUp::Expiry, GiveUp::Abandonment]);
                let (execution_id, waitpoint_id) = (waitpoint.execution_id, waitpoint.waitpoint_id);
                CloseWaitpoint { execution_id, waitpoint_id, because }.into_command()
            }
            6 => {
                let resume_delay_ms = self.below(3) * 20;
                ResumeExecution { execution_id, trigger: ResumeTrigger::Operator, resume_delay_ms }.into_command()
            }
            _ => {
                let timeout_signal_id = SignalId::from_uuid(world.mint());
                ExpireSuspension { execution_id, timeout_signal_id }.into_command()
            }
        }
    }

    fn waitpoint(
        &mut self,
        world: &mut World,
        ledger: &Ledger,
        execution: &Execution,
        execution_id: ExecutionId,
    ) -> Command {
        CreateWaitpoint {
            execution_id,
            fence: self.fence(world, ledger, execution),
            attempt_index: None,
            waitpoint_id: world.waitpoint_id(),
            waitpoint_key: "a".into(),
            expires_in_ms: self.below(200),
        }
        .into_command()
    }

    fn suspend(
        &mut self,
        world: &mut World,
        ledger: &Ledger,
        execution: &Execution,
        execution_id: ExecutionId,
    ) -> Command {
        let mut args: Suspend = world.suspend_args(execution.id);
        args.execution_id = execution_id;
        args.fence = self.fence(world, ledger, execution);
        let pending = world
            .waitpoints()
            .into_iter()
            .rev()
            .find(|waitpoint| waitpoint.execution_id == execution_id && waitpoint.state == WaitpointState::Pending);
        if let Some(waitpoint_id) = pending.map(|pending| pending.waitpoint_id).filter(|_| self.one_in(2)) {
            args.waitpoints = vec![WaitpointBinding::UsePending { waitpoint_id }];
        }
        if self.one_in(2) {
            args.resume_condition = single("a", Some("approved"));
        } else if self.one_in(3) {
            args.resume_condition = count(2, CountKind::DistinctSignals, &["a"]);
        }
        if self.one_in(2) {
            args.timeout_at = Some(world.now.plus(self.below(150)));
            args.timeout_behavior = *self.pick(TimeoutBehavior::ALL);
        }
        args.idempotency_key = self.one_in(3).then(|| args.suspension_id.to_string());
        args.into_command()
    }

    fn signal(&mut self, world: &mut World, waitpoint: &Arc<Waitpoint>) -> Command {
        let right = waitpoint.token.clone().expect("every waitpoint here has a token");
        let token = if self.one_in(10) { WaitpointToken::new("k1:00") } else { right };
        let mut args: DeliverSignal = world.signal_args(waitpoint.execution_id, waitpoint.waitpoint_id, &token);
        args.signal_name = (*self.pick(&["approved", "rejected"])).to_owned();
        args.payload = self.one_in(4).then(|| vec![1; 300].into());
        args.idempotency_key = self.one_in(3).then(|| format!("key-{}", self.below(3)));
        args.resume_delay_ms = self.below(3) * 20;
        args.into_command()
    }
}
