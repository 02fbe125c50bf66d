//! `settle`: whatever is due on an execution now.
//!
//! The owner's timers call it; so does a takeover for leases whose holder is
//! known to be gone. It applies the same rules as the operations that do one
//! of these things by name.

use super::expire_execution::{self, ExpirePhase};
use super::waiting::close_waitpoints;
use super::{Decide, ExpireSuspension, ExpireSuspensionOutcome, leasing, promote_delayed};
use crate::decision::{Context, Rejection};
use crate::ids::{ExecutionId, LeaseEpoch, SignalId};
use crate::index::{DueKind, next_due};
use crate::record::{CloseReason, TimeoutBehavior};
use crate::state::OwnershipState;
use crate::view::View;
use std::sync::Arc;

/// Arguments of `settle`.
#[derive(Clone, Debug)]
pub struct Settle {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// A lease epoch whose holder is known to be gone: its lease is lost
    /// whatever its expiry says.
    pub holder_gone: Option<LeaseEpoch>,
}

/// Answer of `settle`: what was done, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettleOutcome {
    /// A delayed execution became eligible.
    pub promoted: bool,
    /// A lease was marked as lapsed.
    pub lease_expired: bool,
    /// The execution ended.
    pub expired: Option<ExpirePhase>,
    /// A grant nobody used was dropped.
    pub grant_dropped: bool,
    /// A suspension ran out of time.
    pub suspension_expired: Option<TimeoutBehavior>,
    /// Pending waitpoints that were never used were closed.
    pub waitpoints_closed: u32,
}

impl Decide for Settle {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<SettleOutcome, Rejection> {
        let now = context.now;
        let mut done = SettleOutcome::default();
        // Each step consumes what was due, so as many turns as there are kinds
        // of timers are the end.
        loop {
            let Some(execution) = view.find_execution(self.execution_id) else {
                return Ok(done);
            };
            let lease_lost_at = execution
                .lease
                .as_ref()
                .filter(|_| execution.vector().ownership_state() == OwnershipState::Leased)
                .and_then(|lease| {
                    if self.holder_gone == Some(lease.lease_epoch) {
                        return Some(now);
                    }
                    let expires_at = context.lease_expires_at(lease);
                    (expires_at <= now).then_some(expires_at)
                });
            let due = next_due(&execution).filter(|(at, _)| *at <= now);
            match (lease_lost_at, due) {
                (Some(lost_at), due) if due.is_none_or(|(at, _)| lost_at <= at) => {
                    leasing::mark_expired(view, &execution, now);
                    done.lease_expired = true;
                }
                (_, Some((_, DueKind::Delay))) => {
                    promote_delayed::promote(view, &execution, now);
                    done.promoted = true;
                }
                (_, Some((_, DueKind::AttemptTimeout))) => {
                    expire_execution::expire(view, &execution, ExpirePhase::AttemptTimeout, now);
                    done.expired = Some(ExpirePhase::AttemptTimeout);
                }
                (_, Some((_, DueKind::Deadline))) => {
                    expire_execution::expire(view, &execution, ExpirePhase::ExecutionDeadline, now);
                    done.expired = Some(ExpirePhase::ExecutionDeadline);
                }
                (_, Some((_, DueKind::Grant))) => {
                    let mut next = (*execution).clone();
                    next.grant = None;
                    next.last_mutation_at = now;
                    view.put_execution(Arc::new(next));
                    done.grant_dropped = true;
                }
                (_, Some((_, DueKind::Waits))) => {
                    // What is missing shows as nothing due; the decision is
                    // made again then.
                    if !self.settle_waits(view, context, &mut done)? {
                        return Ok(done);
                    }
                }
                (_, None) => return Ok(done),
            }
        }
    }
}

impl Settle {
    /// Acts on the deadlines of what the execution waits for; whether any had
    /// come.
    fn settle_waits(
        &self,
        view: &mut View<'_>,
        context: &Context,
        done: &mut SettleOutcome,
    ) -> Result<bool, Rejection> {
        let Some(waits) = view.find_waits(self.execution_id) else { return Ok(false) };
        let ran_out: Vec<_> = waits.expiries.iter().filter(|(_, at)| *at <= context.now).map(|(id, _)| *id).collect();
        if !ran_out.is_empty() {
            let mut waits = (*waits).clone();
            close_waitpoints(view, &mut waits, &ran_out, CloseReason::NeverCommitted, context.now);
            view.put_waits(waits);
            done.waitpoints_closed += ran_out.len() as u32;
        }
        let expired = match waits.open() {
            Some(suspension) => {
                // One suspension leaves at most one such signal, so its own id
                // serves.
                let timeout_signal_id = SignalId::from_uuid(suspension.suspension_id.as_uuid());
                let expire = ExpireSuspension { execution_id: self.execution_id, timeout_signal_id };
                expire.decide(view, context)?
            }
            None => ExpireSuspensionOutcome::NoActiveSuspensionCleaned,
        };
        if let ExpireSuspensionOutcome::Expired { behavior } = expired {
            done.suspension_expired = Some(behavior);
        }
        view.follow_waits();
        Ok(done.suspension_expired.is_some() || !ran_out.is_empty())
    }
}
