//! Where the workspace is, and how programs are started in it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use leasehold_services::DIRECTORY_VARIABLE;
use serde_json::Value;

use crate::failure::{During, Failure, Outcome};
use crate::services::Lent;

/// The packages whose release binaries the simulation, the kills and the benchmarks need.
///
/// They are built by one command with one set of features, so that no wrapper rebuilds what
/// another has built.
pub const RELEASE_BUILD: [&str; 7] =
    ["build", "--release", "--package", "leasehold", "--package", "leasehold-tests", "--bins"];

/// The cargo workspace this tool was started in.
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
    services: Lent,
}

impl Workspace {
    /// Asks cargo for the workspace around the current directory.
    pub fn locate() -> Outcome<Self> {
        let mut command = Command::new(cargo_program());
        command.args(["metadata", "--no-deps", "--format-version", "1"]);
        let metadata: Value = serde_json::from_str(&output(&mut command)?).during("reading cargo metadata")?;
        let path = |field: &str| {
            metadata[field]
                .as_str()
                .map(PathBuf::from)
                .ok_or_else(|| Failure::new(format!("cargo metadata has no `{field}`")))
        };
        Ok(Self { root: path("workspace_root")?, target: path("target_directory")?, services: Lent::default() })
    }

    /// The directory with the workspace's `Cargo.toml`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The build directory.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// The servers for tests; once they run, every command is told of them.
    pub fn services(&self) -> &Lent {
        &self.services
    }

    /// Where tools that are not on the machine are installed.
    pub fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// A cargo command in the workspace's root.
    pub fn cargo<S: AsRef<str>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(cargo_program());
        command.args(args.iter().map(AsRef::as_ref));
        self.settle(&mut command);
        command
    }

    /// A git command in the workspace's root.
    pub fn git<S: AsRef<str>>(&self, args: &[S]) -> Command {
        let mut command = Command::new("git");
        command.args(args.iter().map(AsRef::as_ref));
        command.current_dir(&self.root);
        command
    }

    /// Builds the release binaries of [`RELEASE_BUILD`].
    pub fn build_release(&self) -> Outcome {
        execute(&mut self.cargo(&RELEASE_BUILD))
    }

    /// Runs a release binary of the tests crate, which [`Workspace::build_release`] has built.
    ///
    /// `LEASEHOLD_BIN` names the node's binary of the same build, for tests that start nodes.
    pub fn run_release(&self, name: &str, args: &[String]) -> Outcome {
        let folder = self.target.join("release");
        let program = folder.join(name);
        if !program.is_file() {
            return Err(Failure::new(format!(
                "package leasehold-tests has no binary `{name}` ({} is missing)",
                program.display()
            )));
        }
        let mut command = Command::new(program);
        command.args(args);
        command.env("LEASEHOLD_BIN", folder.join("leasehold"));
        self.settle(&mut command);
        execute(&mut command)
    }

    /// Gives a command the workspace's root, the tools on its path, the servers for tests if
    /// they run, and an environment without the variables that `cargo run` set for this tool: build scripts that watch
    /// them would take each change between here and a plain `cargo build` for a reason to
    /// run again.
    pub fn settle(&self, command: &mut Command) {
        command.current_dir(&self.root);
        // A copy of the sources elsewhere need not fetch them again.
        if env::var_os(DIRECTORY_VARIABLE).is_none() {
            command.env(DIRECTORY_VARIABLE, self.root.join("target/services"));
        }
        self.services.tell(command);
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(is_set_by_cargo_run) {
                command.env_remove(name);
            }
        }
        let mut path: Vec<PathBuf> = vec![self.tools().join("bin")];
        path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        if let Ok(path) = env::join_paths(path) {
            command.env("PATH", path);
        }
    }
}

/// Runs a command on this terminal; anything but success is a failure that shows the command.
pub fn execute(command: &mut Command) -> Outcome {
    let shown = show(command);
    let status = command.status().during(&shown)?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{shown}` failed: {status}"))) }
}

/// Runs a command and returns what it printed; its errors stay on the terminal.
pub fn output(command: &mut Command) -> Outcome<String> {
    let shown = show(command);
    let output = command.stderr(Stdio::inherit()).output().during(&shown)?;
    if !output.status.success() {
        return Err(Failure::new(format!("`{shown}` failed: {}", output.status)));
    }
    String::from_utf8(output.stdout).during(&shown)
}

/// The command as one would type it, with the folder of the program left out.
pub fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program());
    std::iter::once(name)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

fn cargo_program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn is_set_by_cargo_run(name: &str) -> bool {
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
        || name.starts_with("CARGO_BIN_")
        || matches!(name, "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE" | "OUT_DIR")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cargo_run_set_is_taken_away() {
        assert!(is_set_by_cargo_run("CARGO_PKG_NAME"));
        assert!(is_set_by_cargo_run("CARGO_MANIFEST_DIR"));
        assert!(!is_set_by_cargo_run("CARGO_HOME"));
        assert!(!is_set_by_cargo_run("CARGO_TARGET_DIR"));
    }

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("/somewhere/bin/cargo");
        command.args(["build", "--release"]);
        assert_eq!(show(&command), "cargo build --release");
    }
}
