//! `cargo xtask kills`: the process kill test, the release binary `kills` of the tests crate.

use crate::failure::Outcome;
use crate::workspace::Workspace;

/// Builds the kill test and the node, and runs it with these arguments (`--rounds N`).
pub fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    workspace.build_release()?;
    run_built(workspace, args)
}

/// Runs the kill test that is already built.
pub fn run_built(workspace: &Workspace, args: &[String]) -> Outcome {
    workspace.run_release("kills", args)
}
