//! What a seed decides beforehand: how the engine is set up, and the steps.
//!
//! A step that gives commands carries a seed of its own. Its commands are
//! chosen when their turn has come, from what the answers so far have told;
//! since every target must have answered alike, every target chooses alike,
//! and a step keeps its meaning when others before it are left out.

use crate::harness::Options;
use leasehold_actors::EngineOptions;
use leasehold_backend::{Entropy, SeededEntropy};
use leasehold_core::command::flow::Limits;
use leasehold_core::partition::PartitionConfig;
use std::time::Duration;

/// The fewest and the most steps of a program.
const STEPS: (u64, u64) = (60, 110);

/// The longest the clock runs in one step.
const PASS_MS_MAX: u64 = 20_000;

/// Numbers of a seed.
pub struct Dice(SeededEntropy);

impl Dice {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(SeededEntropy::new(seed))
    }

    /// A number below `count`.
    pub fn below(&self, count: u64) -> u64 {
        self.0.next_u64() % count.max(1)
    }

    /// True once in `count` times.
    pub fn one_in(&self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// One of several.
    pub fn pick<T: Clone>(&self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize].clone()
    }

    /// One of several, if there are any.
    pub fn any<T: Clone>(&self, all: &[T]) -> Option<T> {
        (!all.is_empty()).then(|| self.pick(all))
    }

    /// The numbers themselves.
    pub fn entropy(&self) -> &dyn Entropy {
        &self.0
    }
}

/// One step of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A command, or a few that belong together, one after another.
    Commands(u64),
    /// Several creates at once. They leave no events and touch different
    /// executions, so that their order shows nowhere.
    Together(u64),
    /// Time passes; whoever sleeps wakes on time.
    Pass(u64),
    /// Time passes in one leap; whoever slept wakes late.
    Leap(u64),
    /// Wall time alone is moved, forwards or backwards.
    StepWall(i64),
    /// The engine ends in order and starts again.
    Restart,
    /// The engine takes nothing new, is asked all the same, and starts again.
    Drain(u64),
    /// The engine dies, and starts again so many milliseconds later.
    Kill(u64),
}

/// How the engine is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Partitions of executions.
    pub partitions: u16,
    /// Whether due timers fire by themselves.
    pub automatic: bool,
    /// Whether windows and caches are so small that the store is asked again
    /// and again.
    pub small: bool,
    /// Where the engine's randomness begins.
    pub seed: u64,
}

/// A setup and what happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What it was made from.
    pub seed: u64,
    /// How the engine is set up.
    pub setup: Setup,
    /// What happens.
    pub steps: Vec<Step>,
}

impl Program {
    /// The program of a seed.
    pub fn new(seed: u64) -> Self {
        let dice = Dice::new(seed ^ 0xd1ff);
        let setup = Setup {
            partitions: dice.pick(&[1, 2, 3]),
            automatic: !dice.one_in(4),
            small: dice.one_in(2),
            seed: dice.entropy().next_u64(),
        };
        let length = STEPS.0 + dice.below(STEPS.1 - STEPS.0 + 1);
        // There is little to be done while nothing exists.
        let beginning = (0..3).map(|_| Step::Together(dice.entropy().next_u64()));
        let steps = beginning.chain((0..length).map(|_| step(&dice))).collect();
        Self { seed, setup, steps }
    }
}

fn step(dice: &Dice) -> Step {
    match dice.below(100) {
        0..=73 => Step::Commands(dice.entropy().next_u64()),
        74..=76 => Step::Together(dice.entropy().next_u64()),
        77..=87 => Step::Pass(1 + dice.below(if dice.one_in(5) { PASS_MS_MAX } else { 1500 })),
        88..=93 => Step::Leap(1 + dice.below(if dice.one_in(3) { PASS_MS_MAX } else { 4000 })),
        94 => Step::StepWall(dice.below(6000) as i64 - 3000),
        95 | 96 => Step::Restart,
        97 => Step::Drain(dice.entropy().next_u64()),
        _ => Step::Kill(if dice.one_in(2) { 0 } else { dice.below(6000) }),
    }
}

impl Setup {
    /// Partitions of all families.
    pub fn config(self) -> PartitionConfig {
        PartitionConfig { num_flow_partitions: self.partitions, num_budget_partitions: 1, num_quota_partitions: 1 }
    }

    /// The same for the harness.
    pub fn options(self) -> Options {
        let options = if self.automatic { Options::automatic() } else { Options::default() };
        let engine = EngineOptions {
            partitions: self.config(),
            // Real time decides nothing here, so no caller may be turned away
            // because of it.
            permit_wait: Duration::from_secs(3600),
            command_deadline: Duration::from_secs(3600),
            ..options.engine
        };
        let engine = if self.small {
            // Cascades take many commits.
            let step_limits = Limits { rows: 16, bytes: 2048 };
            EngineOptions { ready_window: 3, due_window: 3, due_turn: 2, cache_bytes: 0, step_limits, ..engine }
        } else {
            engine
        };
        Options { engine, seed: self.seed, ..options }
    }
}
