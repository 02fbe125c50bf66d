//! The edge group: the inbound dependencies of one execution, and the state
//! machine that decides once whether it may run or must be skipped.
//!
//! A dependency is *staged* when the graph has it and *applied* when the
//! execution waits for it. It is resolved at most once, when its upstream
//! ends. The group fires at most once, and whether it fires satisfied or
//! impossible does not depend on the order in which upstreams end: every
//! condition is a threshold over counters that only grow, and those that a
//! dependency not yet applied could still change wait until all are applied.

use super::policy::EdgeGroupPolicy;
use crate::error::EngineError;
use crate::state::TerminalOutcome;
use crate::time::TimestampMs;

/// What the end of an upstream counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// It succeeded.
    Succeeded,
    /// It failed, was cancelled or expired.
    Failed,
    /// It was skipped.
    Skipped,
}

impl Bucket {
    /// The bucket of an outcome; none of an execution that has not ended.
    pub const fn of(outcome: TerminalOutcome) -> Option<Self> {
        match outcome {
            TerminalOutcome::None => None,
            TerminalOutcome::Success => Some(Self::Succeeded),
            TerminalOutcome::Failed | TerminalOutcome::Cancelled | TerminalOutcome::Expired => Some(Self::Failed),
            TerminalOutcome::Skipped => Some(Self::Skipped),
        }
    }
}

/// Where a group stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, bincode::Encode, bincode::Decode)]
pub enum GroupState {
    /// It has not fired.
    #[default]
    Pending,
    /// It fired: the execution may run.
    Satisfied,
    /// It fired: the execution is skipped.
    Impossible,
    /// Readable for completeness; nothing produces it.
    Cancelled,
}

impl GroupState {
    /// The wire spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Satisfied => "satisfied",
            Self::Impossible => "impossible",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Where one dependency of a group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotState {
    /// The graph has it, the execution does not wait for it yet.
    Staged,
    /// The execution waits for it.
    Unsatisfied,
    /// Its upstream succeeded.
    Satisfied,
    /// Its upstream ended otherwise.
    Impossible,
}

impl SlotState {
    const ALL: [Self; 4] = [Self::Staged, Self::Unsatisfied, Self::Satisfied, Self::Impossible];
}

/// What the end of an upstream did to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// The dependency had been resolved before; nothing changed.
    AlreadyResolved,
    /// The group had fired before; only counters moved.
    AlreadyFired,
    /// The group waits for more.
    Pending,
    /// The group fired: the execution may run.
    Satisfied,
    /// The group fired: the execution is skipped.
    Impossible,
}

/// The inbound dependencies of one execution, as counters and two bits each.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct EdgeGroup {
    /// The policy that was set; without one all must succeed.
    pub policy: Option<EdgeGroupPolicy>,
    /// Whether it fired.
    pub state: GroupState,
    /// When it fired satisfied.
    pub satisfied_at: Option<TimestampMs>,
    /// How many dependencies the execution waits for.
    pub applied: u32,
    /// How many upstreams succeeded.
    pub succeeded: u32,
    /// How many failed, were cancelled or expired.
    pub failed: u32,
    /// How many were skipped.
    pub skipped: u32,
    /// How many dependencies the graph has.
    pub(crate) staged: u32,
    /// Two bits per dependency, by its place among the inbound ones.
    pub(crate) slots: Vec<u8>,
}

impl EdgeGroup {
    /// The policy in force.
    pub fn policy(&self) -> EdgeGroupPolicy {
        self.policy.unwrap_or_default()
    }

    /// How many dependencies the graph has.
    pub const fn staged(&self) -> u32 {
        self.staged
    }

    /// How many applied dependencies are not resolved.
    pub const fn running(&self) -> u32 {
        self.applied.saturating_sub(self.resolved())
    }

    /// How many upstreams ended otherwise than well.
    pub const fn lost(&self) -> u32 {
        self.failed.saturating_add(self.skipped)
    }

    const fn resolved(&self) -> u32 {
        self.succeeded.saturating_add(self.lost())
    }

    /// Whether the execution waits for this group.
    pub fn is_waiting(&self) -> bool {
        self.applied > 0 && self.state == GroupState::Pending
    }

    /// Whether every dependency the graph has is applied. Until then a group
    /// whose verdict a further dependency could change keeps waiting.
    pub const fn is_complete(&self) -> bool {
        self.applied == self.staged
    }

    /// Where one dependency stands; none when the group has no such place.
    pub fn slot(&self, slot: u32) -> Option<SlotState> {
        if slot >= self.staged {
            return None;
        }
        let byte = self.slots.get(slot as usize / 4)?;
        Some(SlotState::ALL[usize::from(byte >> (slot % 4 * 2) & 3)])
    }

    fn set_slot(&mut self, slot: u32, state: SlotState) {
        if let Some(byte) = self.slots.get_mut(slot as usize / 4) {
            let shift = slot % 4 * 2;
            *byte = *byte & !(3 << shift) | (state as u8) << shift;
        }
    }

    /// Takes note of one more dependency of the graph and gives its place.
    pub fn stage(&mut self) -> u32 {
        let slot = self.staged;
        self.staged += 1;
        self.slots.resize(self.staged.div_ceil(4) as usize, 0);
        slot
    }

    /// Makes the execution wait for a dependency.
    ///
    /// # Errors
    ///
    /// `corruption` when the place is none or not free.
    pub fn apply(&mut self, slot: u32) -> Result<(), EngineError> {
        if self.slot(slot) != Some(SlotState::Staged) {
            return Err(violation("a dependency is applied once"));
        }
        self.set_slot(slot, SlotState::Unsatisfied);
        self.applied += 1;
        Ok(())
    }

    /// Counts the end of an upstream and fires if that decides the group.
    ///
    /// # Errors
    ///
    /// `corruption` when the dependency was never applied or the counters
    /// exceed the dependencies; nothing has changed then.
    pub fn resolve(&mut self, slot: u32, bucket: Bucket, now: TimestampMs) -> Result<Resolution, EngineError> {
        match self.slot(slot) {
            Some(SlotState::Unsatisfied) => {}
            Some(SlotState::Satisfied | SlotState::Impossible) => return Ok(Resolution::AlreadyResolved),
            Some(SlotState::Staged) | None => return Err(violation("only an applied dependency is resolved")),
        }
        if self.resolved() >= self.applied {
            return Err(violation("no more dependencies are resolved than applied"));
        }
        let (counter, state) = match bucket {
            Bucket::Succeeded => (&mut self.succeeded, SlotState::Satisfied),
            Bucket::Failed => (&mut self.failed, SlotState::Impossible),
            Bucket::Skipped => (&mut self.skipped, SlotState::Impossible),
        };
        *counter += 1;
        self.set_slot(slot, state);
        Ok(self.evaluate(now))
    }

    /// Fires if the counters decide the group.
    pub fn evaluate(&mut self, now: TimestampMs) -> Resolution {
        if self.state != GroupState::Pending {
            return Resolution::AlreadyFired;
        }
        match self.verdict() {
            Resolution::Satisfied => {
                self.state = GroupState::Satisfied;
                self.satisfied_at = Some(now);
                Resolution::Satisfied
            }
            Resolution::Impossible => {
                self.state = GroupState::Impossible;
                Resolution::Impossible
            }
            other => other,
        }
    }

    /// Whether the quorum is larger than the group.
    fn is_out_of_reach(&self) -> bool {
        matches!(self.policy(), EdgeGroupPolicy::Quorum { k, .. } if k > self.applied)
    }

    fn verdict(&self) -> Resolution {
        let (complete, lost, applied) = (self.is_complete(), self.lost(), self.applied);
        let (satisfied, impossible) = match self.policy() {
            EdgeGroupPolicy::AllOf => (complete && applied > 0 && self.succeeded == applied, lost > 0),
            EdgeGroupPolicy::AnyOf { .. } => (self.succeeded > 0, complete && applied > 0 && lost == applied),
            EdgeGroupPolicy::Quorum { k, .. } if applied >= k => (self.succeeded >= k, complete && lost > applied - k),
            EdgeGroupPolicy::Quorum { .. } => (false, complete && applied > 0 && self.running() == 0),
        };
        match (satisfied, impossible) {
            (true, _) => Resolution::Satisfied,
            (false, true) => Resolution::Impossible,
            (false, false) => Resolution::Pending,
        }
    }

    /// Opens the group again for a replay: dependencies whose upstream did
    /// not succeed wait anew. Gives the places of those. Where every upstream
    /// succeeded and the quorum was out of reach all the same, nothing is left
    /// to wait for, and the replay itself lets the execution run.
    pub fn reopen(&mut self, now: TimestampMs) -> Vec<u32> {
        let lost: Vec<u32> = (0..self.staged).filter(|slot| self.slot(*slot) == Some(SlotState::Impossible)).collect();
        for slot in &lost {
            self.set_slot(*slot, SlotState::Unsatisfied);
        }
        self.failed = 0;
        self.skipped = 0;
        let settled = self.is_complete() && self.applied > 0 && self.running() == 0;
        self.state = if settled { GroupState::Satisfied } else { GroupState::Pending };
        self.satisfied_at = settled.then_some(now);
        lost
    }

    /// Checks what holds of every group, whatever led to it.
    ///
    /// # Errors
    ///
    /// The rule that does not hold.
    pub fn check(&self) -> Result<(), &'static str> {
        let mut counts = [0_u32; 4];
        for slot in 0..self.staged {
            let Some(state) = self.slot(slot) else { return Err("every dependency has a place") };
            counts[state as usize] += 1;
        }
        if self.slots.len() != self.staged.div_ceil(4) as usize {
            return Err("every place is a dependency's");
        }
        if counts[SlotState::Satisfied as usize] != self.succeeded
            || counts[SlotState::Impossible as usize] != self.lost()
        {
            return Err("each dependency is counted once, where it ended");
        }
        if counts[SlotState::Staged as usize] != self.staged.saturating_sub(self.applied) {
            return Err("the dependencies applied are counted");
        }
        let fired = match self.state {
            GroupState::Pending => self.verdict() == Resolution::Pending,
            GroupState::Satisfied => self.succeeded > 0,
            GroupState::Impossible => self.lost() > 0 || self.is_out_of_reach(),
            GroupState::Cancelled => false,
        };
        if !fired {
            return Err("a group fires when its counters say so, and not before");
        }
        if self.satisfied_at.is_some() != (self.state == GroupState::Satisfied) {
            return Err("a group that fired satisfied is dated");
        }
        Ok(())
    }
}

fn violation(rule: &str) -> EngineError {
    EngineError::corruption("edge_group", "invariant_violation", rule)
}
