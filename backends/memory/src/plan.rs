//! The plan of what goes wrong when.

use crate::fault::{CallFault, CommitFault, Crash, CrashPoint, HeartbeatFault, LateAfter, Rates};
use leasehold_backend::{Batch, Entropy, Part};
use leasehold_core::ids::ExecutionId;
use leasehold_core::record::RecordKey;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Decides which call fails how. Clones are the same plan.
///
/// Per call, what was scripted for its kind goes first; with nothing scripted
/// chance decides, if there is any. A new plan lets everything succeed.
#[derive(Clone, Default)]
pub struct FaultPlan {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    crashed: Notify,
}

#[derive(Default)]
struct State {
    commits: VecDeque<Option<CommitFault>>,
    heartbeats: VecDeque<HeartbeatFault>,
    reads: VecDeque<CallFault>,
    ownership: VecDeque<CallFault>,
    poisoned: BTreeSet<ExecutionId>,
    chance: Option<(Rates, Arc<dyn Entropy>)>,
    crashes: VecDeque<Crash>,
    full: bool,
    no_room: bool,
    injected: BTreeMap<&'static str, u64>,
}

impl fmt::Debug for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultPlan").field("injected", &self.injected()).finish_non_exhaustive()
    }
}

impl FaultPlan {
    /// A plan in which nothing goes wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Scripts a fault for the next commit that has none scripted yet.
    pub fn next_commit(&self, fault: CommitFault) {
        self.with(|state| state.commits.push_back(Some(fault)));
    }

    /// Lets so many commits pass before the next scripted fault.
    pub fn pass_commits(&self, count: usize) {
        self.with(|state| state.commits.extend((0..count).map(|_| None)));
    }

    /// Scripts a fault for the next heartbeat.
    pub fn next_heartbeat(&self, fault: HeartbeatFault) {
        self.with(|state| state.heartbeats.push_back(fault));
    }

    /// Scripts a fault for the next load or scan.
    pub fn next_read(&self, fault: CallFault) {
        self.with(|state| state.reads.push_back(fault));
    }

    /// Scripts a fault for the next call about nodes or ownership.
    pub fn next_ownership(&self, fault: CallFault) {
        self.with(|state| state.ownership.push_back(fault));
    }

    /// Refuses every batch that changes this execution, as a store does with
    /// a row it chokes on.
    pub fn poison(&self, execution: ExecutionId) {
        self.with(|state| state.poisoned.insert(execution));
    }

    /// Lets a poisoned execution be written again.
    pub fn cure(&self, execution: ExecutionId) {
        self.with(|state| state.poisoned.remove(&execution));
    }

    /// Lets the store claim to be full, or to have caught up.
    pub fn full(&self, full: bool) {
        self.with(|state| state.full = full);
    }

    /// Refuses every batch that adds an execution for want of room, or none
    /// any more. Unlike [`Self::full`] the engine learns it from the refusal.
    pub fn no_room(&self, no_room: bool) {
        self.with(|state| state.no_room = no_room);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.with(|state| state.full)
    }

    /// Lets chance decide where nothing is scripted.
    pub fn random(&self, rates: Rates, entropy: Arc<dyn Entropy>) {
        self.with(|state| state.chance = Some((rates, entropy)));
    }

    /// Forgets everything planned, so that a run can come to rest. What was
    /// injected stays counted, and late commits still arrive.
    pub fn calm(&self) {
        self.with(|state| {
            *state = State {
                crashes: std::mem::take(&mut state.crashes),
                injected: std::mem::take(&mut state.injected),
                ..State::default()
            };
        });
    }

    /// How often each kind of fault was injected.
    pub fn injected(&self) -> BTreeMap<&'static str, u64> {
        self.with(|state| state.injected.clone())
    }

    /// A node that crashed and was not yet reported.
    pub fn take_crash(&self) -> Option<Crash> {
        self.with(|state| state.crashes.pop_front())
    }

    /// Waits for a node to crash.
    pub async fn crashed(&self) -> Crash {
        loop {
            if let Some(crash) = self.take_crash() {
                return crash;
            }
            // A crash between the look and the wait leaves a permit.
            self.shared.crashed.notified().await;
        }
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.shared.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn report(&self, crash: Crash) {
        self.with(|state| state.crashes.push_back(crash));
        self.shared.crashed.notify_one();
    }

    pub(crate) fn on_commit(&self, batch: &Batch) -> Option<CommitFault> {
        self.with(|state| {
            let fault = if state.poisons(batch) {
                Some(CommitFault::Permanent)
            } else if state.no_room && batch.parts.iter().any(Part::grows) {
                Some(CommitFault::Full)
            } else {
                state.commits.pop_front().unwrap_or_else(|| state.chance_of_commit())
            };
            state.count(fault.map(CommitFault::name));
            fault
        })
    }

    pub(crate) fn on_heartbeat(&self) -> Option<HeartbeatFault> {
        self.with(|state| {
            let fault = state.heartbeats.pop_front().or_else(|| {
                let mut dice = Dice::of(state.chance.as_ref())?;
                let rates = dice.rates;
                if dice.hits(rates.heartbeat_lost) {
                    Some(HeartbeatFault::Lost)
                } else {
                    dice.hits(rates.heartbeat_busy).then_some(HeartbeatFault::Busy)
                }
            });
            state.count(fault.map(HeartbeatFault::name));
            fault
        })
    }

    pub(crate) fn on_read(&self) -> Option<CallFault> {
        self.with(|state| {
            let fault = state.reads.pop_front().or_else(|| {
                let mut dice = Dice::of(state.chance.as_ref())?;
                let rates = dice.rates;
                if dice.hits(rates.read_busy) {
                    Some(CallFault::Busy)
                } else {
                    dice.hits(rates.read_delay).then(|| CallFault::Delay(dice.delay_ms()))
                }
            });
            state.count(fault.map(|fault| match fault {
                CallFault::Busy => "read_busy",
                CallFault::Lost => "read_lost",
                CallFault::Delay(_) => "read_delay",
            }));
            fault
        })
    }

    pub(crate) fn on_ownership(&self) -> Option<CallFault> {
        self.with(|state| {
            let fault = state.ownership.pop_front().or_else(|| {
                let mut dice = Dice::of(state.chance.as_ref())?;
                let rates = dice.rates;
                if dice.hits(rates.ownership_busy) {
                    Some(CallFault::Busy)
                } else {
                    dice.hits(rates.ownership_lost).then_some(CallFault::Lost)
                }
            });
            state.count(fault.map(|fault| match fault {
                CallFault::Busy => "ownership_busy",
                CallFault::Lost => "ownership_lost",
                CallFault::Delay(_) => "ownership_delay",
            }));
            fault
        })
    }
}

impl State {
    fn count(&mut self, name: Option<&'static str>) {
        if let Some(name) = name {
            *self.injected.entry(name).or_default() += 1;
        }
    }

    fn poisons(&self, batch: &Batch) -> bool {
        let poisoned = |partition: u16, key: &RecordKey| match key {
            RecordKey::Execution(id) => self.poisoned.contains(&ExecutionId::from_parts(partition, *id)),
            _ => false,
        };
        batch.parts.iter().any(|part| {
            let partition = part.expected.partition;
            part.changes.changes.iter().any(|change| poisoned(partition, &change.key))
        })
    }

    fn chance_of_commit(&self) -> Option<CommitFault> {
        let mut dice = Dice::of(self.chance.as_ref())?;
        let rates = dice.rates;
        if dice.hits(rates.commit_busy) {
            return Some(CommitFault::Busy);
        }
        if dice.hits(rates.commit_lost) {
            return Some(CommitFault::Lost);
        }
        if dice.hits(rates.commit_late) {
            let after = if dice.coin() {
                LateAfter::Calls(dice.up_to(u64::from(rates.late_calls_max)) as u32)
            } else {
                LateAfter::Ms(dice.delay_ms())
            };
            return Some(CommitFault::Late(after));
        }
        if dice.hits(rates.commit_delay) {
            let ms = dice.delay_ms();
            return Some(if dice.coin() { CommitFault::DelayBefore(ms) } else { CommitFault::DelayAfter(ms) });
        }
        dice.hits(rates.commit_crash)
            .then(|| CommitFault::Crash(if dice.coin() { CrashPoint::BeforeCommit } else { CrashPoint::AfterCommit }))
    }
}

/// One throw against several rates in turn.
struct Dice<'a> {
    rates: Rates,
    entropy: &'a dyn Entropy,
    left: f64,
}

impl<'a> Dice<'a> {
    fn of(chance: Option<&'a (Rates, Arc<dyn Entropy>)>) -> Option<Self> {
        chance.map(|(rates, entropy)| Self { rates: *rates, entropy: entropy.as_ref(), left: entropy.unit() })
    }

    fn hits(&mut self, rate: f64) -> bool {
        self.left -= rate;
        self.left < 0.0
    }

    fn coin(&self) -> bool {
        self.entropy.next_u64() & 1 == 0
    }

    fn up_to(&self, most: u64) -> u64 {
        self.entropy.next_u64() % most.saturating_add(1)
    }

    fn delay_ms(&self) -> u64 {
        self.up_to(self.rates.delay_ms_max)
    }
}
