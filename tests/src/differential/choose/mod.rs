//! Choosing the next call.
//!
//! Arguments lean towards what stores treat differently: text of other
//! alphabets, names that sort differently by byte and by language, empty and
//! absent values, bytes that are no text, equal ranks, small pages.

mod claims;
mod creates;
mod flows;
mod holders;
mod outside;
mod waits;

pub use creates::creates_together;

use super::call::Call;
use super::program::{Dice, Setup};
use super::seen::Seen;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::ids::{ExecutionId, LaneId, WorkerId, WorkerInstanceId};
use leasehold_core::time::TimestampMs;
use std::time::Duration;

/// Words as people write them; every one of them is legal.
const TEXTS: &[&str] =
    &["", "plain", "it's \"quoted\" \\ and; --", "Grüße, 世界 🦀", "line\nand\ttab", "{\"a\":[1,2]}", "%s $1 ?"];

/// Text that no store sees.
const NUL: &str = "nul\0inside";

/// Lanes: mostly one of two; the others sort differently by byte and by
/// language.
const LANES: &[&str] = &["alpha", "beta", "alpha", "beta", "alpha", "Alpha", "a-b", "a_b", "b c", "~"];

/// Whatever an execution can ask for.
const EVERYTHING: &[&str] = &["GPU", "cpu.big", "gpu", "zone-a"];

/// What calls are chosen from.
pub struct Chooser<'a> {
    /// The numbers of the step.
    pub dice: Dice,
    /// What is known.
    pub seen: &'a mut Seen,
    /// How the engine is set up.
    pub setup: Setup,
    /// The time it is.
    pub now: TimestampMs,
}

impl Chooser<'_> {
    /// The calls of one step, which run one after another.
    pub fn choose(&mut self) -> Vec<Call> {
        if self.seen.known.is_empty() {
            return vec![self.create()];
        }
        match self.dice.below(100) {
            0..=23 => return self.waiting(),
            24..=43 => return self.flowing(),
            _ => {}
        }
        let holders = !self.seen.held.is_empty() || self.dice.one_in(10);
        match self.dice.below(if holders { 100 } else { 66 }) {
            0..=8 => vec![self.create()],
            9 | 10 => vec![self.create_many()],
            11..=40 => self.claiming(),
            41..=56 => vec![self.outside()],
            57..=65 => vec![self.reading()],
            _ => vec![self.holding()],
        }
    }

    fn lane(&self) -> LaneId {
        LaneId::new(self.dice.pick(LANES))
    }

    /// Mostly the lane of this execution.
    fn lane_of(&self, id: ExecutionId) -> LaneId {
        let other = self.lane();
        if self.dice.one_in(8) { other } else { self.seen.lanes.get(&id).cloned().unwrap_or(other) }
    }

    fn worker(&self) -> (WorkerId, WorkerInstanceId) {
        crate::sim::arguments::worker(self.dice.below(3))
    }

    /// What a worker offers: nothing, some of it, or everything.
    fn offered(&self) -> CapabilitySet {
        let tokens: &[&str] = self.dice.pick(&[&[] as &[&str], &["gpu"], EVERYTHING, EVERYTHING]);
        CapabilitySet::parse_offered(tokens.iter().copied()).expect("well-formed tokens")
    }

    /// A text, seldom one that is refused.
    fn text(&self) -> String {
        if self.dice.one_in(25) { NUL.to_owned() } else { self.dice.pick(TEXTS).to_owned() }
    }

    fn maybe_text(&self) -> Option<String> {
        (!self.dice.one_in(3)).then(|| self.text())
    }

    /// How long a lease or a grant lasts, seldom one that is refused.
    fn ttl_ms(&self) -> u64 {
        match self.dice.below(40) {
            0 => 0,
            1..=18 => 100 + self.dice.below(6000),
            _ => 30_000,
        }
    }

    /// Opaque bytes, at times more than fit a store's page.
    fn bytes(&self) -> Vec<u8> {
        let length = match self.dice.below(12) {
            0 => 0,
            1 => 20_000 + self.dice.below(60_000),
            _ => self.dice.below(600),
        };
        let first = self.dice.below(256);
        (0..length).map(|at| (first + at * 7) as u8).collect()
    }

    fn wait(&self) -> Duration {
        Duration::from_millis(if self.dice.one_in(3) { 0 } else { 1 + self.dice.below(3000) })
    }
}
