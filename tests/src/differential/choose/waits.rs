//! Suspensions, signals, and the keys of their tokens.

use super::Chooser;
use crate::differential::call::{Call, WaitCall};
use crate::differential::seen::SeenWaitpoint;
use crate::sim::suspending;
use leasehold_contract::{
    CloseWaitpoint, DeliverApprovalSignal, DeliverSignal, FenceTriple, GiveUp, ListPendingWaitpoints, ResumeExecution,
    SecretHex, SeedHmacSecret,
};
use leasehold_core::ids::{ExecutionId, SignalId};
use leasehold_core::partition::Partition;
use leasehold_core::record::ResumeTrigger;
use leasehold_core::token::WaitpointToken;

/// How many of each are remembered.
const REMEMBERED: usize = 30;

fn remember<T>(all: &mut Vec<T>, one: T) {
    if all.len() >= REMEMBERED {
        all.remove(0);
    }
    all.push(one);
}

impl Chooser<'_> {
    /// Somebody waits, or is waited for.
    pub(super) fn waiting(&mut self) -> Vec<Call> {
        if self.seen.held.is_empty() && self.dice.one_in(2) {
            // Who waits holds a lease first.
            return vec![self.poll()];
        }
        let chosen = match self.dice.below(100) {
            0..=11 => self.create_waitpoint(),
            12..=34 => self.suspend(),
            35..=66 => self.signal(),
            67..=72 => self.approve(),
            73..=79 => Some(self.resume_by_hand()),
            80..=84 => self.close(),
            85..=88 => Some(WaitCall::ExpireSuspension(self.waiter())),
            89..=91 => Some(self.keys()),
            _ => Some(self.look_at_waits()),
        };
        vec![chosen.map_or_else(|| self.holding(), Call::Wait)]
    }

    fn waitpoint(&self) -> Option<SeenWaitpoint> {
        let count = self.seen.waitpoints.len() as u64;
        // The younger, the likelier it is open.
        let back = self.dice.below(self.dice.below(count) + 1) as usize;
        self.seen.waitpoints.iter().rev().nth(back).cloned()
    }

    fn waiter(&self) -> ExecutionId {
        let other = self.seen.any(&self.dice);
        if self.dice.one_in(6) { other } else { self.waitpoint().map_or(other, |waitpoint| waitpoint.execution_id) }
    }

    fn create_waitpoint(&self) -> Option<WaitCall> {
        let ticket = self.seen.ticket(&self.dice)?;
        let key = if self.dice.one_in(12) { self.text() } else { format!("key-{}", self.dice.below(3)) };
        Some(WaitCall::CreateWaitpoint(ticket, key, 100 + self.dice.below(20_000)))
    }

    fn suspend(&mut self) -> Option<WaitCall> {
        let again = if self.dice.one_in(8) { self.dice.any(&self.seen.suspends) } else { None };
        let (ticket, args) = match again {
            Some(again) => again,
            None => {
                let ticket = self.seen.ticket(&self.dice)?;
                let made = self.seen.waitpoints.iter().rev().find(|made| {
                    made.pending && (made.execution_id == ticket.says.execution_id || self.dice.one_in(20))
                });
                let made = made.filter(|_| !self.dice.one_in(4)).map(|made| (made.waitpoint_id, made.key.as_str()));
                let mut args = suspending::suspend(self.dice.entropy(), self.now, made);
                if self.dice.one_in(10) {
                    args.continuation_metadata_pointer = Some(self.text());
                }
                (ticket, args)
            }
        };
        remember(&mut self.seen.suspends, (ticket.clone(), args.clone()));
        if self.dice.one_in(4) {
            let fence: FenceTriple = if self.dice.one_in(8) { FenceTriple::NONE } else { ticket.says.fence().into() };
            return Some(WaitCall::SuspendByTriple(ticket.says.execution_id, fence, Box::new(args)));
        }
        Some(WaitCall::Suspend(ticket, Box::new(args)))
    }

    fn signal(&mut self) -> Option<WaitCall> {
        let again = if self.dice.one_in(5) { self.dice.any(&self.seen.sent) } else { None };
        let mut args: DeliverSignal = match again {
            Some(again) => again,
            None => {
                let to = self.waitpoint()?;
                suspending::signal(self.dice.entropy(), to.execution_id, to.waitpoint_id, to.token)
            }
        };
        remember(&mut self.seen.sent, args.clone());
        match self.dice.below(30) {
            0..=3 => {
                let others: Vec<WaitpointToken> =
                    self.seen.waitpoints.iter().map(|other| other.token.clone()).collect();
                args.waitpoint_token = suspending::forged(self.dice.entropy(), &args.waitpoint_token, &others);
            }
            4 => args.execution_id = self.seen.any(&self.dice),
            5 => args.signal_name = self.text(),
            6 => args.payload = Some(self.bytes().into()),
            _ => {}
        }
        Some(WaitCall::DeliverSignal(Box::new(args)))
    }

    fn approve(&self) -> Option<WaitCall> {
        let to = self.waitpoint()?;
        Some(WaitCall::DeliverApprovalSignal(Box::new(DeliverApprovalSignal {
            execution_id: to.execution_id,
            lane_id: self.lane_of(to.execution_id),
            waitpoint_id: to.waitpoint_id,
            signal_id: SignalId::from_uuid(self.dice.entropy().uuid()),
            signal_name: suspending::signal_name(self.dice.entropy()),
            idempotency_suffix: format!("by-{}", self.dice.below(3)),
            signal_dedup_ttl_ms: 4000 * self.dice.below(3),
            max_signals_per_execution: 5 * self.dice.below(2),
        })))
    }

    fn resume_by_hand(&self) -> WaitCall {
        WaitCall::ResumeExecution(ResumeExecution {
            execution_id: self.waiter(),
            trigger: self.dice.pick(&[ResumeTrigger::Operator, ResumeTrigger::Signal, ResumeTrigger::AutoResume]),
            resume_delay_ms: 400 * self.dice.below(3),
        })
    }

    fn close(&self) -> Option<WaitCall> {
        let which = self.waitpoint()?;
        let because = self.dice.pick(&[GiveUp::Expiry, GiveUp::Abandonment]);
        let (execution_id, waitpoint_id) = (which.execution_id, which.waitpoint_id);
        Some(WaitCall::CloseWaitpoint(CloseWaitpoint { execution_id, waitpoint_id, because }))
    }

    fn keys(&mut self) -> WaitCall {
        let number = self.seen.rotations;
        if self.dice.one_in(3) {
            let digits = if self.dice.one_in(4) { "abc" } else { "ab" };
            let secret_hex = SecretHex::new(digits.repeat(32));
            return WaitCall::SeedWaitpointHmacSecret(SeedHmacSecret { kid: format!("sim-{number}"), secret_hex });
        }
        // At times the key that is current, with another secret.
        self.seen.rotations += u64::from(!self.dice.one_in(4));
        WaitCall::RotateWaitpointHmacSecretAll(suspending::rotation(self.dice.entropy(), number))
    }

    fn look_at_waits(&self) -> WaitCall {
        let dice = &self.dice;
        let partition = Partition::flow(dice.below(u64::from(self.setup.partitions)) as u16);
        let id = self.waiter();
        match (dice.below(5), self.waitpoint(), self.seen.ticket(dice)) {
            (0, Some(waitpoint), _) => {
                let home = if dice.one_in(8) { partition } else { waitpoint.execution_id.home() };
                WaitCall::ReadWaitpointToken(home, waitpoint.waitpoint_id)
            }
            (1, _, Some(ticket)) => WaitCall::ObserveSignals(ticket),
            (2, waitpoint, _) => WaitCall::ListPendingWaitpoints(ListPendingWaitpoints {
                execution_id: id,
                after: waitpoint.filter(|_| dice.one_in(3)).map(|waitpoint| waitpoint.waitpoint_id),
                limit: dice.pick(&[None, Some(0), Some(1), Some(5000)]),
            }),
            (3, ..) => {
                let cursor = self.seen.suspended.filter(|_| dice.one_in(2));
                WaitCall::ListSuspended(partition, cursor, dice.pick(&[0, 1, 2, 5000]))
            }
            (4, ..) if partition.index % 2 == 1 => WaitCall::ReadSuspension(id),
            _ => WaitCall::ListWaitpointHmacKids(partition),
        }
    }
}
