//! The second checkout that mutants are applied to.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::failure::{During, Failure, Outcome};
use crate::workspace::{Workspace, execute, output};

/// A git worktree of `HEAD` below the build directory, with a build directory of its own.
pub struct Worktree<'a> {
    workspace: &'a Workspace,
    base: PathBuf,
}

impl<'a> Worktree<'a> {
    /// Opens the worktree of an earlier run, or adds one, at the present `HEAD`.
    pub fn open(workspace: &'a Workspace) -> Outcome<Self> {
        let base = workspace.target().join("mutants");
        let worktree = Self { workspace, base };
        match fs::remove_dir_all(worktree.logs()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).during(worktree.logs().display());
            }
            _ => {}
        }
        fs::create_dir_all(worktree.logs()).during(worktree.logs().display())?;
        let head = output(&mut workspace.git(&["rev-parse", "--verify", "HEAD"]))?;
        let head = head.trim();
        if worktree.sources().join(".git").exists() {
            worktree.restore()?;
            execute(&mut worktree.git(&["checkout", "--quiet", "--detach", "--force", head]))?;
        } else {
            execute(&mut workspace.git(&["worktree", "prune"]))?;
            let mut add = workspace.git(&["worktree", "add", "--quiet", "--detach", "--force"]);
            execute(add.arg(worktree.sources()).arg(head))?;
        }
        Ok(worktree)
    }

    /// Where the output of the commands is kept.
    pub fn logs(&self) -> PathBuf {
        self.base.join("logs")
    }

    /// The log of this name.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs().join(name).with_added_extension("log")
    }

    /// Puts the sources back to what is committed.
    pub fn restore(&self) -> Outcome {
        execute(&mut self.git(&["reset", "--quiet", "--hard"]))?;
        execute(&mut self.git(&["clean", "--quiet", "-d", "--force"]))
    }

    /// Applies a patch to the sources.
    pub fn apply(&self, patch: &Path) -> Outcome {
        let mut command = self.git(&["apply"]);
        let output = command.arg(patch).output().during("git apply")?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Failure::new(said.lines().next().unwrap_or_default()))
    }

    /// Runs cargo on the sources, its output going to the named log.
    ///
    /// With a limit it runs under `timeout`, which ends the whole group of processes: cargo
    /// alone would leave behind the program that hangs.
    pub fn cargo(&self, args: &[String], limit_s: Option<u64>, log: &str) -> Outcome<ExitStatus> {
        let path = self.log(log);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.during(path.display())?;
        let cargo = self.workspace.cargo(args);
        let mut command = match limit_s {
            None => cargo,
            Some(limit_s) => {
                let mut limited = Command::new("timeout");
                limited.args(["--kill-after=10", &limit_s.to_string()]);
                limited.arg(cargo.get_program()).args(cargo.get_args());
                self.workspace.settle(&mut limited);
                limited
            }
        };
        command
            .current_dir(self.sources())
            .env("CARGO_TARGET_DIR", self.base.join("target"))
            .stdin(Stdio::null())
            .stdout(file.try_clone().during(path.display())?)
            .stderr(file);
        command.status().during("cargo")
    }

    fn sources(&self) -> PathBuf {
        self.base.join("work")
    }

    fn git(&self, args: &[&str]) -> Command {
        let mut command = self.workspace.git(args);
        command.current_dir(self.sources());
        command
    }
}
