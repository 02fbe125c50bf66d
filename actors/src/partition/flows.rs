//! What the commits of flows have left to do, and going on with it.
//!
//! A change that reaches many members is worked off in bounded steps, each in
//! a commit of its own that also says what is left. The partition remembers
//! which flows have something left, from its own commits and from the store
//! at the start of a life, and takes one step at a time, so that other
//! commands come in between.

use super::PartitionMsg;
use super::state::{State, Tried};
use leasehold_core::command::Operation;
use leasehold_core::command::flow::AdvanceFlow;
use leasehold_core::decision::Change;
use leasehold_core::ids::FlowId;
use leasehold_core::record::flow::{FlowKey, FlowRecord};
use leasehold_core::record::{Record, RecordKey};
use leasehold_core::time::TimestampMs;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// Which flows have something left.
#[derive(Debug, Default)]
pub(super) struct FlowsLeft {
    /// Flows whose last commit was full.
    unfinished: BTreeSet<FlowId>,
    /// Cancelled flows with members that the partition is to end.
    due: BTreeSet<FlowId>,
    /// Flows that were not sealed in time.
    given_up: BTreeSet<FlowId>,
    /// Cancelled flows whose members others may end until then.
    later: BTreeMap<FlowId, TimestampMs>,
    /// Flows under construction, and when they are given up.
    unsealed: BTreeMap<FlowId, TimestampMs>,
    /// The flow of the last step; the next one in order follows.
    last: Option<FlowId>,
    /// A step waits for its records.
    loading: bool,
    /// A message to go on is under way.
    called: bool,
}

impl FlowsLeft {
    /// Notes what a change leaves, staged at `now`.
    pub(super) fn follow(&mut self, change: &Change, now: TimestampMs) {
        match (&change.key, &change.new) {
            (RecordKey::Flow(FlowKey::Continuation(id)), None) => {
                self.unfinished.remove(id);
            }
            (RecordKey::Flow(FlowKey::PendingCancels(id)), None) => {
                self.due.remove(id);
                self.later.remove(id);
            }
            (RecordKey::Flow(FlowKey::Build(id)), None) => {
                self.given_up.remove(id);
                self.unsealed.remove(id);
            }
            (_, Some(record)) => self.note(record, now),
            _ => {}
        }
    }

    /// Notes what a record says is left.
    pub(super) fn note(&mut self, record: &Record, now: TimestampMs) {
        match record {
            Record::Flow(FlowRecord::Continuation(left)) => {
                self.unfinished.insert(left.flow_id);
            }
            Record::Flow(FlowRecord::PendingCancels(pending)) if pending.due_at <= now => {
                self.later.remove(&pending.flow_id);
                self.due.insert(pending.flow_id);
            }
            Record::Flow(FlowRecord::PendingCancels(pending)) => {
                self.later.insert(pending.flow_id, pending.due_at);
            }
            Record::Flow(FlowRecord::Build(build)) => {
                self.unsealed.insert(build.flow_id, build.expires_at);
            }
            _ => {}
        }
    }

    /// Takes over what others were given time for.
    pub(super) fn tick(&mut self, now: TimestampMs) {
        for (waiting, come) in [(&mut self.later, &mut self.due), (&mut self.unsealed, &mut self.given_up)] {
            waiting.retain(|id, at| {
                let is_due = *at <= now;
                if is_due {
                    come.insert(*id);
                }
                !is_due
            });
        }
    }

    /// When the next of them is taken over.
    pub(super) fn next_due(&self) -> Option<TimestampMs> {
        self.later.values().chain(self.unsealed.values()).min().copied()
    }

    /// Loads have ended, well or not.
    pub(super) const fn loaded(&mut self) {
        self.loading = false;
    }

    /// The message to go on has come.
    pub(super) const fn turn_came(&mut self) {
        self.called = false;
    }

    /// The flow whose turn it is: all of them in circles.
    fn next(&self) -> Option<FlowId> {
        let behind = (self.last.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let first_of = |set: &BTreeSet<FlowId>| set.range(behind).next().copied();
        let all = [&self.unfinished, &self.due, &self.given_up];
        let following = all.iter().filter_map(|set| first_of(set)).min();
        following.or_else(|| all.iter().filter_map(|set| set.first().copied()).min())
    }

    fn give_up(&mut self, id: FlowId) {
        self.unfinished.remove(&id);
        self.due.remove(&id);
        self.given_up.remove(&id);
    }
}

impl State {
    /// Takes the next step of what flows have left to do.
    pub(super) fn advance_flows(&mut self) {
        if !self.recovered || self.lost || self.flows.loading || self.flows.called {
            return;
        }
        // The end of the commit under way comes as a message and leads here
        // again.
        if self.slot.rows() >= self.env.options.commit_rows {
            return;
        }
        let Some(flow_id) = self.flows.next() else { return };
        self.flows.last = Some(flow_id);
        match self.decide(&AdvanceFlow { flow_id }.into_command()) {
            Tried::Decided(Ok(_), _) => {}
            Tried::Decided(Err(error), _) => {
                tracing::error!(%flow_id, %error, "what a flow has left to do could not go on");
                self.flows.give_up(flow_id);
            }
            Tried::Missing => {
                self.flows.loading = true;
                return;
            }
        }
        if self.flows.next().is_some() {
            self.flows.called = self.myself.cast(PartitionMsg::Advance).is_ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_core::record::flow::{Continuation, Ordinals, PendingCancels};
    use std::sync::Arc;
    use uuid::Uuid;

    fn flow(number: u128) -> FlowId {
        FlowId::from_uuid(Uuid::from_u128(number))
    }

    fn continuation(number: u128) -> Record {
        Record::Flow(FlowRecord::Continuation(Arc::new(Continuation { flow_id: flow(number), work: Vec::new() })))
    }

    fn cancels(number: u128, due_at: i64) -> Record {
        let pending =
            PendingCancels { flow_id: flow(number), members: Ordinals::default(), due_at: TimestampMs(due_at) };
        Record::Flow(FlowRecord::PendingCancels(Arc::new(pending)))
    }

    #[test]
    fn flows_take_turns() {
        let mut left = FlowsLeft::default();
        for number in [3, 1, 2] {
            left.note(&continuation(number), TimestampMs(0));
        }
        let mut order = Vec::new();
        for _ in 0..4 {
            left.last = left.next();
            order.extend(left.last);
        }
        assert_eq!(order, [flow(1), flow(2), flow(3), flow(1)]);
    }

    #[test]
    fn members_that_others_may_end_are_taken_over_in_time() {
        let mut left = FlowsLeft::default();
        left.note(&cancels(1, 100), TimestampMs(10));
        left.note(&cancels(2, 5), TimestampMs(10));
        assert_eq!((left.next(), left.next_due()), (Some(flow(2)), Some(TimestampMs(100))));
        left.give_up(flow(2));
        left.tick(TimestampMs(99));
        assert_eq!(left.next(), None);
        left.tick(TimestampMs(100));
        assert_eq!((left.next(), left.next_due()), (Some(flow(1)), None));
    }

    #[test]
    fn what_is_done_is_forgotten_and_what_else_is_left_stays() {
        let mut left = FlowsLeft::default();
        left.note(&continuation(1), TimestampMs(0));
        left.note(&cancels(1, 0), TimestampMs(0));
        let gone = |key| Change { key: RecordKey::Flow(key), old: None, new: None };
        left.follow(&gone(FlowKey::Continuation(flow(1))), TimestampMs(0));
        assert_eq!(left.next(), Some(flow(1)));
        left.follow(&gone(FlowKey::PendingCancels(flow(1))), TimestampMs(0));
        assert_eq!(left.next(), None);
    }
}
