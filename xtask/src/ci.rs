//! `cargo xtask ci fast`: what must hold before anything else is worth looking at.

use crate::failure::{Failure, Outcome};
use crate::steps::{self, OnFailure, Step};
use crate::workspace::{Workspace, execute};
use crate::{tidy, tools};

/// Runs the named check; `fast` is the only one.
pub fn run(workspace: &Workspace, args: &[String]) -> Outcome {
    match args {
        [which] if which == "fast" => fast(workspace),
        _ => Err(Failure::usage("ci fast")),
    }
}

fn fast(workspace: &Workspace) -> Outcome {
    tools::DENY.install_if_missing(workspace)?;
    tools::NEXTEST.install_if_missing(workspace)?;
    let cargo = |args: &[&str]| execute(&mut workspace.cargo(args));
    let steps = vec![
        Step::new("fmt", || cargo(&["fmt", "--all", "--check"])),
        Step::new("clippy", || cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])),
        Step::new("tidy", || tidy::run(workspace, &[])),
        Step::new("deny", || {
            println!(
                "advisories are NOT checked: their database is a git repository, and only \
                 crates.io can be reached from here"
            );
            cargo(&["deny", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"])
        }),
        Step::new("core tests", || cargo(&["nextest", "run", "--package", "leasehold-core"])),
    ];
    steps::run("ci fast", steps, OnFailure::Stop)
}
