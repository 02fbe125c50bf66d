//! The simulation: the whole engine over the memory store, under a seed.
//!
//! A seed decides everything: the commands of clients, workers and operators,
//! the faults of the store, crashes of the node, deaths of workers and steps
//! of the clock. Time is virtual; tokio's paused clock is used only to find
//! out when nothing moves any more. The same seed gives the same trace.
//!
//! Four judges look at each run: the checker reads the store, the [`oracle`]
//! compares it with everything that was acknowledged, the last phase, without
//! faults, must bring every execution to its end, and the [`judge`] of flows
//! works out anew how each of them must have come out.

pub(crate) mod arguments;
mod done;
mod ending;
mod flow_op;
mod flow_run;
mod judge;
pub(crate) mod kept;
mod known;
mod op;
mod oracle;
mod program;
mod run;
pub(crate) mod shapes;
pub(crate) mod suspending;
mod told;
mod wait_op;
mod world;

use crate::checker::{self, Assumptions};
pub use judge::Judged;
use oracle::Oracle;
use program::Program;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use world::World;

/// The fewest commands a seed runs.
pub const COMMANDS_MIN: usize = 300;

/// The fewest lives of the node in a seed.
pub const LIVES_MIN: usize = 2;

/// What a seed came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Commands by operation.
    pub commands: BTreeMap<&'static str, u64>,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Errors by code.
    pub errors: BTreeMap<&'static str, u64>,
    /// Lives of the node.
    pub lives: usize,
    /// Executions in the store at the end.
    pub executions: usize,
    /// Flows and what was judged of them.
    pub judged: Judged,
    /// Everything that happened, line by line.
    pub trace: String,
    /// What does not hold.
    pub violations: Vec<String>,
}

/// Runs one seed.
///
/// # Panics
///
/// When the runtime cannot be built.
pub fn run(seed: u64) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime on the current thread");
    runtime.block_on(simulate(seed))
}

async fn simulate(seed: u64) -> Outcome {
    let mut world = World::new(seed).await;
    let mut oracle = Oracle::default();
    let mut program = Program::new(seed);
    let mut outcome = Outcome { seed, ..Outcome::default() };
    while program.commands() < COMMANDS_MIN || world.lives() < LIVES_MIN {
        program.step(&mut world, &mut oracle).await;
    }
    world.calm().await;
    if let Err(stuck) = program.finish(&mut world, &mut oracle).await {
        outcome.violations.push(stuck);
    }
    let backend = world.inspector();
    let report =
        checker::check_store_assuming(&backend, world::PARTITIONS, Assumptions { stored_retry_policy_binds: true })
            .await;
    outcome.violations.extend(report.violations.iter().map(ToString::to_string));
    outcome.violations.extend(oracle.judge(&backend, world.cascades_fit(), &mut outcome.judged).await);
    outcome.executions = report.executions;
    outcome.commands = program.by_operation().clone();
    outcome.errors = program.errors().clone();
    outcome.lives = world.lives();
    outcome.faults = world.faults();
    outcome.trace = program.take_trace();
    for (execution, state) in oracle::final_states(&backend).await {
        writeln!(outcome.trace, "end {execution} {state}").expect("writing to a string");
    }
    world.end().await;
    outcome
}
