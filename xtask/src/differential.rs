//! `cargo xtask differential`: the same programs on every store and on the memory model, the
//! release binary `differential` of the tests crate.

use crate::failure::Outcome;
use crate::services;
use crate::workspace::Workspace;

/// Fetches and starts the servers, builds the comparison and runs it with these arguments
/// (`--programs N [--from S] [--targets a,b]`).
pub fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    services::install()?;
    workspace.build_release()?;
    workspace.services().start()?;
    run_built(workspace, args)
}

/// Runs the comparison that is already built, with the servers that run.
pub fn run_built(workspace: &Workspace, args: &[String]) -> Outcome {
    workspace.run_release("differential", args)
}
