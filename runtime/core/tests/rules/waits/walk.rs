//! Seeded random walks over suspensions, and the law that it makes no
//! difference whether signals come before or after the suspension.
//!
//! The fixture checks every record and every change after each step; what a
//! walk adds is situations nobody thought of, and the rules that need the
//! whole history.

use super::fixture::{K2, count, single};
use crate::fixture::{World, operator};
use leasehold_core::command::{
    CancelExecution, CloseWaitpoint, Delay, FenceTriple, GiveUp, ReplayExecution, ResumeExecution, Settle,
    SignalOutcome,
};
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::{ExecutionId, SignalId, WaitpointId};
use leasehold_core::record::{ResumeTrigger, SuspendOutcome, TimeoutBehavior, WaitpointState};
use leasehold_core::state::LifecyclePhase;
use leasehold_core::suspension::{CompositeBody, CountKind, ResumeCondition, WaitpointBinding};
use leasehold_core::token::WaitpointToken;
use std::collections::{BTreeMap, BTreeSet};

const KEYS: [&str; 3] = ["a", "b", "c"];
const NAMES: [&str; 2] = ["approved", "rejected"];
const SOURCES: [&str; 3] = ["ann", "bob", "eve"];

struct Draw(u64);

impl Draw {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1)
    }

    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// A condition over exactly these keys.
    fn condition(&mut self, keys: &[&str]) -> ResumeCondition {
        let kinds = [CountKind::DistinctWaitpoints, CountKind::DistinctSignals, CountKind::DistinctSources];
        let name = (self.below(2) == 0).then(|| self.of(&NAMES));
        match self.below(5) {
            0 if keys.len() == 1 => single(keys[0], name),
            1 if keys.len() == 1 => ResumeCondition::OperatorOnly,
            0..=2 => count(1 + self.below(keys.len()) as u32, self.of(&kinds), keys),
            3 => ResumeCondition::all_of_waitpoints(keys.iter().copied()),
            _ => {
                let mut members: Vec<_> = keys.iter().map(|key| single(key, name)).collect();
                if self.below(2) == 0 {
                    members.push(count(1, self.of(&kinds), keys));
                }
                ResumeCondition::Composite(CompositeBody::AllOf { members })
            }
        }
    }
}

/// What a walk remembers, to hold the world against.
#[derive(Default)]
struct Ledger {
    /// Signals accepted, by waitpoint and key.
    accepted: BTreeMap<(WaitpointId, String), SignalId>,
    /// Suspensions that a signal resumed.
    satisfied: BTreeSet<String>,
    /// How often each thing happened.
    counts: BTreeMap<&'static str, usize>,
}

struct Walk {
    w: World,
    draw: Draw,
    ids: Vec<ExecutionId>,
    ledger: Ledger,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut w = World::keyed();
        let ids = (0..3).map(|_| w.create()).collect();
        Self { w, draw: Draw::new(seed), ids, ledger: Ledger::default() }
    }

    fn note(&mut self, what: &'static str) {
        *self.ledger.counts.entry(what).or_default() += 1;
    }

    fn fence(&self, id: ExecutionId) -> FenceTriple {
        self.w.execution(id).lease.as_ref().map_or(FenceTriple::NONE, |lease| lease.fence().into())
    }

    fn some_waitpoint(&mut self) -> Option<WaitpointId> {
        let ids: Vec<_> = self.w.waitpoints().iter().map(|waitpoint| waitpoint.waitpoint_id).collect();
        // Mostly the recent ones, which are open.
        let from = if self.draw.below(4) == 0 { 0 } else { ids.len().saturating_sub(6) };
        (!ids.is_empty()).then(|| self.draw.of(&ids[from..]))
    }

    fn step(&mut self) {
        let id = self.draw.of(&self.ids.clone());
        match self.draw.below(23) {
            0..=3 => self.claim(id),
            4..=6 => self.suspend(id),
            7 => self.create_waitpoint(id),
            8..=13 => self.signal(),
            14 => self.approve(),
            15 => self.resume(id),
            16..=18 => self.expire(id),
            19 => self.give_up(),
            20 => self.end(id),
            _ => self.pass(),
        }
    }

    fn claim(&mut self, id: ExecutionId) {
        let execution = self.w.execution(id);
        if execution.vector().is_terminal() {
            let replay = ReplayExecution { execution_id: id, requested_by: None, reason: None };
            drop(self.w.run(replay));
        } else if execution.vector().is_eligible() {
            let before = execution.lease_epoch;
            self.w.grant(id);
            if execution.vector().public_state().as_str() == "resumable" {
                let args = self.w.resume_args(id);
                let claimed = self.w.run(args).unwrap();
                assert_eq!(claimed.lease_epoch, before.next());
                assert_eq!(Some(claimed.attempt_id), execution.current_attempt_id());
                assert_eq!(claimed.kind, HandleKind::Resumed);
                self.note("resumed");
            } else {
                let args = self.w.claim_args(id);
                self.w.run(args).unwrap();
            }
        }
    }

    fn suspend(&mut self, id: ExecutionId) {
        let mut args = self.w.suspend_args(id);
        args.fence = self.fence(id);
        let pending = self.w.find_waits(id).and_then(|waits| {
            waits.open_waitpoints.iter().copied().find(|id| self.w.waitpoint(*id).state == WaitpointState::Pending)
        });
        if let Some(waitpoint_id) = pending.filter(|_| self.draw.below(3) > 0) {
            args.waitpoints = vec![WaitpointBinding::UsePending { waitpoint_id }];
            let key = self.w.waitpoint(waitpoint_id).waitpoint_key.to_string();
            args.resume_condition = self.draw.condition(&[&key]);
        } else {
            let keys = &KEYS[..=self.draw.below(3)];
            args.waitpoints = keys.iter().map(|key| self.w.fresh(key)).collect();
            args.resume_condition = self.draw.condition(keys);
        }
        if self.draw.below(2) == 0 {
            args.timeout_at = Some(self.w.now.plus(self.draw.below(1_500) as u64));
            args.timeout_behavior = self.draw.of(TimeoutBehavior::ALL);
        }
        args.idempotency_key = (self.draw.below(2) == 0).then(|| args.suspension_id.to_string());
        match self.w.run(args.clone()) {
            Ok(outcome) => {
                self.note(match *outcome {
                    SuspendOutcome::Suspended { .. } => "suspended",
                    SuspendOutcome::AlreadySatisfied { .. } => "already_satisfied",
                });
                if args.idempotency_key.is_some() {
                    assert_eq!(self.w.run(args.clone()).unwrap(), outcome);
                    assert!(self.w.last.is_empty());
                }
            }
            Err(_) => self.note("suspend_refused"),
        }
    }

    fn create_waitpoint(&mut self, id: ExecutionId) {
        if self.w.execution(id).lease.is_none() {
            return;
        }
        let key = self.draw.of(&KEYS);
        let args = self.w.create_waitpoint_args(id, key);
        if self.w.run(args.clone()).is_ok() {
            self.note("waitpoint");
        }
    }

    fn signal(&mut self) {
        let Some(to) = self.some_waitpoint() else { return };
        let waitpoint = self.w.waitpoint(to);
        let id = waitpoint.execution_id;
        let right = waitpoint.token.clone().unwrap();
        let wrong = self.draw.below(8) == 0;
        let token = if wrong { WaitpointToken::new(format!("k1:{}", "0".repeat(40))) } else { right };
        let mut args = self.w.signal_args(id, to, &token);
        args.signal_name = self.draw.of(&NAMES).into();
        args.source_identity = self.draw.of(&SOURCES).into();
        args.resume_delay_ms = self.draw.of(&[0, 0, 300]);
        args.idempotency_key = (self.draw.below(2) == 0).then(|| self.draw.of(&["k1", "k2", "k3"]).to_owned());
        let before = self.w.find_waits(id);
        let open = before.and_then(|waits| waits.open().map(|open| open.suspension_id.to_string()));
        let outcome = self.w.run(args.clone());
        assert!(!wrong || outcome.is_err(), "a forged token was taken");
        let known = args.idempotency_key.map(|key| (to, key));
        match outcome {
            Ok(SignalOutcome::Accepted { signal_id, effect }) => {
                self.note(effect.as_str());
                assert!(waitpoint.is_open(), "a closed waitpoint took a signal");
                if let Some(known) = known {
                    assert_eq!(self.ledger.accepted.insert(known, signal_id), None, "accepted twice");
                }
                if effect.as_str() == "resume_condition_satisfied" {
                    assert!(self.ledger.satisfied.insert(open.unwrap()), "resumed twice");
                }
            }
            Ok(SignalOutcome::Duplicate { existing_signal_id }) => {
                self.note("duplicate");
                assert_eq!(self.ledger.accepted[&known.unwrap()], existing_signal_id);
            }
            Err(_) => self.note("signal_refused"),
        }
    }

    fn approve(&mut self) {
        let Some(to) = self.some_waitpoint() else { return };
        let id = self.w.waitpoint(to).execution_id;
        let name = self.draw.of(&NAMES);
        let args = self.w.approval_args(id, to, name);
        if self.w.run(args.clone()).is_ok() {
            self.note("approval");
        }
    }

    fn resume(&mut self, id: ExecutionId) {
        let resume_delay_ms = self.draw.of(&[0, 200]);
        let args = ResumeExecution { execution_id: id, trigger: ResumeTrigger::Operator, resume_delay_ms };
        let suspended = self.w.execution(id).vector().lifecycle_phase() == LifecyclePhase::Suspended;
        assert_eq!(self.w.run(args.clone()).is_ok(), suspended);
        if suspended {
            self.note("operator_resumed");
        }
    }

    fn expire(&mut self, id: ExecutionId) {
        let due = self.w.find_waits(id).and_then(|waits| waits.open()?.timeout).map(|timeout| timeout.at);
        let outcome = self.w.expire(id).as_str();
        let acted = TimeoutBehavior::parse(outcome).is_some();
        assert_eq!(acted, due.is_some_and(|at| at <= self.w.now), "{outcome}");
        if acted {
            self.note(outcome);
        }
    }

    /// A timer does what is due, all of it and nothing else.
    fn settle(&mut self, id: ExecutionId) {
        let (execution, now) = (self.w.execution(id), self.w.now);
        let due = self.w.find_waits(id).and_then(|waits| waits.due_at()).filter(|_| !execution.vector().is_terminal());
        let done = self.w.run(Settle { execution_id: id, holder_gone: None }).unwrap();
        let acted = done.suspension_expired.is_some() || done.waitpoints_closed > 0;
        assert!(acted == due.is_some_and(|at| at <= now) || done.expired.is_some(), "{done:?}, due {due:?}");
        let left = self.w.find_waits(id).and_then(|waits| waits.due_at());
        assert!(left.is_none_or(|at| at > now), "{left:?} was due at {now}");
        if done.suspension_expired.is_some() {
            self.note("settled");
        }
        if done.waitpoints_closed > 0 {
            self.note("never_committed");
        }
    }

    fn give_up(&mut self) {
        let Some(waitpoint_id) = self.some_waitpoint() else { return };
        let execution_id = self.w.waitpoint(waitpoint_id).execution_id;
        let because = self.draw.of(&[GiveUp::Expiry, GiveUp::Abandonment]);
        drop(self.w.run(CloseWaitpoint { execution_id, waitpoint_id, because }));
    }

    fn end(&mut self, id: ExecutionId) {
        let fence = self.fence(id);
        let ended = match self.draw.below(3) {
            0 => {
                let reason = "walk".to_owned();
                let source = operator();
                self.w.run(CancelExecution { execution_id: id, reason, source, fence: FenceTriple::NONE }).is_ok()
            }
            1 => self.w.run(crate::situation::complete_args(id, fence)).is_ok(),
            _ => {
                let delay_until = self.w.now.plus(100);
                let source = crate::fixture::holder();
                drop(self.w.run(Delay { execution_id: id, fence, source, delay_until }));
                false
            }
        };
        if ended {
            self.note("ended");
        }
    }

    fn pass(&mut self) {
        self.w.pass(self.draw.below(2_000) as u64);
        if self.draw.below(2) == 0 {
            for id in self.ids.clone() {
                self.settle(id);
            }
        }
        if self.draw.below(20) == 0 {
            let kid = format!("k{}", self.draw.below(1_000) + 10);
            let (ring, _) = self.w.keyring().rotate(&kid, K2, 10_000, self.w.now).unwrap();
            if let Some(ring) = ring {
                self.w.install(ring);
                self.note("rotated");
            }
        }
    }
}

#[test]
fn every_rule_holds_along_random_walks() {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    for seed in 0..60 {
        let mut walk = Walk::new(seed);
        for _ in 0..400 {
            walk.step();
        }
        for (what, times) in walk.ledger.counts {
            *counts.entry(what).or_default() += times;
        }
    }
    // A walk that goes nowhere would pass in silence.
    for (what, least) in [
        ("suspended", 500),
        ("already_satisfied", 10),
        ("suspend_refused", 100),
        ("waitpoint", 100),
        ("resume_condition_satisfied", 100),
        ("appended_to_waitpoint", 50),
        ("appended_to_waitpoint_duplicate", 10),
        ("signal_ignored_matcher_failed", 10),
        ("no_op", 10),
        ("buffered_for_pending_waitpoint", 50),
        ("duplicate", 50),
        ("signal_refused", 200),
        ("approval", 50),
        ("operator_resumed", 50),
        ("resumed", 100),
        ("fail", 5),
        ("cancel", 5),
        ("expire", 5),
        ("auto_resume_with_timeout_signal", 5),
        ("escalate", 5),
        ("ended", 50),
        ("rotated", 20),
        ("settled", 50),
        ("never_committed", 20),
    ] {
        let times = counts.get(what).copied().unwrap_or(0);
        assert!(times >= least, "{what} happened {times} times: {counts:?}");
    }
}

/// Buffering then suspending and suspending then signalling agree on whether
/// the condition holds, on the closer and on the satisfiers.
#[test]
fn it_makes_no_difference_whether_signals_come_before_or_after() {
    let mut held = 0;
    for seed in 0..400 {
        let mut draw = Draw::new(seed);
        let condition = draw.condition(&["a"]);
        let signals: Vec<(&str, &str)> = (0..draw.below(6)).map(|_| (draw.of(&NAMES), draw.of(&SOURCES))).collect();

        let run = |first: bool| {
            let (mut w, id, _) = World::leased();
            let pending = w.create_waitpoint(id, "a");
            let mut args = w.suspend_args(id);
            args.waitpoints = vec![WaitpointBinding::UsePending { waitpoint_id: pending.waitpoint_id }];
            args.resume_condition = condition.clone();
            if !first {
                w.run(args.clone()).unwrap();
            }
            for (at, (name, source)) in signals.iter().enumerate() {
                let mut signal = w.signal_args(id, pending.waitpoint_id, &pending.hmac_token);
                signal.signal_id = uuid::Uuid::from_u128(1 << 64 | at as u128).into();
                signal.signal_name = (*name).into();
                signal.source_identity = (*source).into();
                // Those behind the closer come too late when it is suspended.
                drop(w.run(signal.clone()));
            }
            if first {
                w.run(args.clone()).unwrap();
            }
            let suspension = w.suspension(id);
            let closer = suspension.closed.as_ref().and_then(|closed| closed.closer_signal_id);
            let satisfiers: Vec<_> = suspension.progress.satisfiers().iter().map(|s| s.signal_id).collect();
            (suspension.satisfied_at.is_some(), closer, satisfiers, w.waitpoint(pending.waitpoint_id).signal_count)
        };
        let (before, after) = (run(true), run(false));
        assert_eq!(before, after, "{condition:?} {signals:?}");
        held += usize::from(before.0);
    }
    assert!(held > 100 && held < 380, "{held} held");
}
