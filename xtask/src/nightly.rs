//! `cargo xtask nightly`: the checks that take hours. All of them run, whatever fails.

use crate::failure::{Failure, Outcome};
use crate::steps::{self, OnFailure, Step};
use crate::workspace::Workspace;
use crate::{bench, faults, kills, mutants, services, sim};

const SIM_SEEDS: &str = "2000";
const KILL_ROUNDS: &str = "50";
const FAULT_ROUNDS: &str = "20";

/// Runs the long simulation, many kills and faults, all benchmarks and all mutants.
pub fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    if !args.is_empty() {
        return Err(Failure::usage("nightly"));
    }
    let steps = vec![
        Step::new("install services", services::install),
        Step::new("build release", || workspace.build_release()),
        Step::new("sim", || sim::run_built(workspace, &["--seeds".into(), SIM_SEEDS.into()])),
        Step::new("kills", || kills::run_built(workspace, &["--rounds".into(), KILL_ROUNDS.into()])),
        Step::new("faults", || faults::run_built(workspace, &["--rounds".into(), FAULT_ROUNDS.into()])),
        Step::new("bench sqlite", || bench_all(workspace, "sqlite")),
        Step::new("bench postgres", || bench_all(workspace, "postgres")),
        Step::new("bench redis", || bench_all(workspace, "redis")),
        Step::new("mutants", || mutants::run(workspace, &[])),
    ];
    steps::run("nightly", steps, OnFailure::GoOn)
}

fn bench_all(workspace: &Workspace, backend: &str) -> Outcome {
    bench::run(workspace, &["all".into(), "--backend".into(), backend.into()])
}
