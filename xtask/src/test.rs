//! `cargo xtask test`: every test there is.
//!
//! Everything is built first and the servers are fetched and started, in steps of their own,
//! so that the durations of the others are those of the tests. The conformance cases run among
//! the workspace's tests and leave their records; the last step only reads them.

use crate::failure::{Failure, Outcome};
use crate::steps::{self, OnFailure, Step};
use crate::workspace::{Workspace, execute};
use crate::{conformance, differential, kills, services, sim, tools};

const DIFFERENTIAL_PROGRAMS: &str = "50";
const SIM_SEEDS: &str = "100";
const KILL_ROUNDS: &str = "3";

/// Runs all tests.
pub fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    if !args.is_empty() {
        return Err(Failure::usage("test"));
    }
    tools::NEXTEST.install_if_missing(workspace)?;
    let cargo = |args: &[&str]| execute(&mut workspace.cargo(args));
    let [install, start] = services::steps(workspace);
    let steps = vec![
        install,
        Step::new("build tests", || cargo(&["nextest", "run", "--workspace", "--no-run"])),
        Step::new("build release", || workspace.build_release()),
        start,
        Step::new("tests", || {
            let mut command = workspace.cargo(&["nextest", "run", "--workspace"]);
            conformance::record(workspace, &mut command)?;
            execute(&mut command)
        }),
        Step::new("differential", || {
            let outcome = differential::run_built(workspace, &["--programs".into(), DIFFERENTIAL_PROGRAMS.into()]);
            // The simulation and the kills need none, and run undisturbed.
            workspace.services().stop();
            outcome
        }),
        Step::new("doc tests", || cargo(&["test", "--doc", "--workspace"])),
        Step::new("sim", || sim::run_built(workspace, &["--seeds".into(), SIM_SEEDS.into()])),
        Step::new("kills", || kills::run_built(workspace, &["--rounds".into(), KILL_ROUNDS.into()])),
        Step::new("conformance", || conformance::check_workspace(workspace)),
    ];
    steps::run("test", steps, OnFailure::Stop)
}
