//! `cargo xtask sim`: the seeded simulation, the release binary `sim` of the tests crate.

use crate::failure::Outcome;
use crate::workspace::Workspace;

/// Builds the simulation and runs it with these arguments (`--seeds N [--from S]`).
pub fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    workspace.build_release()?;
    run_built(workspace, args)
}

/// Runs the simulation that is already built.
pub fn run_built(workspace: &Workspace, args: &[String]) -> Outcome {
    workspace.run_release("sim", args)
}
