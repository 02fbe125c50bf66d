//! Programs the checks need and a machine may lack, installed below the build directory.

use std::process::Stdio;

use crate::failure::{During, Outcome};
use crate::workspace::{Workspace, execute};

/// A cargo subcommand that comes from crates.io.
pub struct Tool {
    subcommand: &'static str,
    version: &'static str,
}

/// Checks dependencies: licences, sources, bans.
pub const DENY: Tool = Tool { subcommand: "deny", version: "0.20.2" };

/// Runs tests, each in a process of its own.
pub const NEXTEST: Tool = Tool { subcommand: "nextest", version: "0.9.143" };

impl Tool {
    /// Installs the tool unless some version of it is there.
    ///
    /// The build is an unoptimised one: these tools run for seconds, and an optimised build
    /// of them takes minutes longer than it saves.
    pub fn install_if_missing(&self, workspace: &Workspace) -> Outcome {
        let present = workspace
            .cargo(&[self.subcommand, "--version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .during("looking for tools")?
            .success();
        if present {
            return Ok(());
        }
        let root = workspace.tools();
        println!(
            "== installing cargo-{} {} into {} (not part of the timed steps)",
            self.subcommand,
            self.version,
            root.display()
        );
        let package = format!("cargo-{}", self.subcommand);
        let mut command = workspace.cargo(&["install", "--locked", "--debug", "--version"]);
        command.args([self.version, &package, "--root"]).arg(root);
        command.env("CARGO_PROFILE_DEV_DEBUG", "0");
        execute(&mut command)
    }
}
