//! `cargo xtask faults`: the fault tests, the release binary `faults` of the tests crate.

use crate::failure::Outcome;
use crate::services;
use crate::workspace::Workspace;

/// Fetches the servers' programs, builds the fault tests and runs them with these arguments
/// (`--rounds N [--only NAME] [--seed S] [--json]`). They start servers of their own.
pub fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    services::install()?;
    workspace.build_release()?;
    run_built(workspace, args)
}

/// Runs the fault tests that are already built.
pub fn run_built(workspace: &Workspace, args: &[String]) -> Outcome {
    workspace.run_release("faults", args)
}
