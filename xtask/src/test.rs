//! `cargo xtask test`: every test there is.
//!
//! Everything is built first, in two steps of their own, so that the durations of the others
//! are those of the tests. The conformance cases run among the workspace's tests and leave
//! their records; the last step only reads them.

use crate::failure::{Failure, Outcome};
use crate::steps::{self, OnFailure, Step};
use crate::workspace::{Workspace, execute};
use crate::{conformance, kills, sim, tools};

const SIM_SEEDS: &str = "100";
const KILL_ROUNDS: &str = "3";

/// Runs all tests.
pub fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    if !args.is_empty() {
        return Err(Failure::usage("test"));
    }
    tools::NEXTEST.install_if_missing(workspace)?;
    let cargo = |args: &[&str]| execute(&mut workspace.cargo(args));
    let steps = vec![
        Step::new("build tests", || cargo(&["nextest", "run", "--workspace", "--no-run"])),
        Step::new("build release", || workspace.build_release()),
        Step::new("tests", || {
            let mut command = workspace.cargo(&["nextest", "run", "--workspace"]);
            conformance::record(workspace, &mut command)?;
            execute(&mut command)
        }),
        Step::new("doc tests", || cargo(&["test", "--doc", "--workspace"])),
        Step::new("sim", || sim::run_built(workspace, &["--seeds".into(), SIM_SEEDS.into()])),
        Step::new("kills", || kills::run_built(workspace, &["--rounds".into(), KILL_ROUNDS.into()])),
        Step::new("conformance", || conformance::check_workspace(workspace)),
    ];
    steps::run("test", steps, OnFailure::Stop)
}
