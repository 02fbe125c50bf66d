//! One command that a mutant must make fail, and the judgement of how it ended.
//!
//! The command is built first and on its own: cargo ends with the same exit code for sources
//! that do not build and for tests that fail, and only the second is a mutant caught.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::words;
use super::worktree::Worktree;
use crate::failure::{Failure, Outcome};
use crate::workspace::RELEASE_BUILD;

/// The exit codes of `timeout` when it had to end the command, by SIGTERM and by SIGKILL.
const TIMED_OUT: [i32; 2] = [124, 137];
/// SIGKILL goes to the whole group, `timeout` among it.
const KILLED: i32 = 9;
/// The exit code of nextest when tests failed; its other codes are troubles of its own.
const NEXTEST_TESTS_FAILED: i32 = 100;

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It failed in a test; the text names what failed.
    Caught(String),
    /// It passed; the text is the command.
    Lived(String),
    /// It told nothing about the tests; the text says why.
    Broken(String),
}

/// One command of a mutant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trial {
    build: Vec<String>,
    run: Vec<String>,
    limit_s: u64,
}

impl Trial {
    /// Reads the arguments of cargo and derives the command that only builds.
    pub fn parse(line: &str, limit_s: u64) -> Outcome<Self> {
        let run = words::split(line)?;
        let build = build_only(&run).ok_or_else(|| {
            Failure::new(format!("`# run: {line}` begins with none of: nextest run, test, run, xtask sim, xtask kills"))
        })?;
        Ok(Self { build, run, limit_s })
    }

    /// Builds and runs the command in the worktree, its output going to the named log.
    pub fn run(&self, worktree: &Worktree, log: &str) -> Outcome<Verdict> {
        if !worktree.cargo(&self.build, None, log)?.success() {
            return Ok(Verdict::Broken("does not build".into()));
        }
        let status = worktree.cargo(&self.run, Some(self.limit_s), log)?;
        Ok(self.judge(status))
    }

    fn judge(&self, status: ExitStatus) -> Verdict {
        let nextest = self.run[0] == "nextest";
        let timed_out = status.code().is_some_and(|code| TIMED_OUT.contains(&code));
        match status.code() {
            Some(0) => Verdict::Lived(self.to_string()),
            _ if timed_out || status.signal() == Some(KILLED) => {
                Verdict::Caught(format!("time limit of {} s", self.limit_s))
            }
            Some(NEXTEST_TESTS_FAILED) if nextest => Verdict::Caught("nextest".into()),
            _ if nextest => Verdict::Broken(format!("nextest: {status}")),
            _ => Verdict::Caught(self.subject()),
        }
    }

    /// What failed, in a word: the binary, or else the first argument that is no option.
    fn subject(&self) -> String {
        let after_bin = self.run.iter().skip_while(|arg| *arg != "--bin").nth(1);
        let fallback = if self.run[0] == "xtask" { &self.run[1] } else { &self.run[0] };
        after_bin.unwrap_or(fallback).clone()
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.run.join(" "))
    }
}

fn build_only(run: &[String]) -> Option<Vec<String>> {
    let words: Vec<&str> = run.iter().map(String::as_str).collect();
    let built: Vec<&str> = match words[..] {
        ["nextest", "run", ref rest @ ..] => [&["nextest", "run", "--no-run"], rest].concat(),
        ["test", ref rest @ ..] => [&["test", "--no-run"], rest].concat(),
        ["run", ref rest @ ..] => {
            let own = rest.iter().take_while(|arg| **arg != "--").copied();
            std::iter::once("build").chain(own).collect()
        }
        ["xtask", "sim" | "kills", ..] => RELEASE_BUILD.to_vec(),
        _ => return None,
    };
    Some(built.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(line: &str, code: i32) -> Verdict {
        let trial = Trial::parse(line, 60).unwrap();
        trial.judge(ExitStatus::from_raw(code << 8))
    }

    fn built(line: &str) -> String {
        Trial::parse(line, 60).unwrap().build.join(" ")
    }

    #[test]
    fn what_runs_is_built_first() {
        assert_eq!(built("nextest run -p x -E 'test(a)'"), "nextest run --no-run -p x -E test(a)");
        assert_eq!(built("test -p x -- a"), "test --no-run -p x -- a");
        assert_eq!(built("run --release --bin sim -- --seeds 5"), "build --release --bin sim");
        assert_eq!(built("xtask sim --seeds 5"), RELEASE_BUILD.join(" "));
        assert!(Trial::parse("xtask test", 60).is_err());
        assert!(Trial::parse("clippy", 60).is_err());
        assert!(Trial::parse("", 60).is_err());
    }

    #[test]
    fn only_failed_tests_catch_a_mutant() {
        assert_eq!(judged("nextest run", 0), Verdict::Lived("nextest run".into()));
        assert_eq!(judged("nextest run", 100), Verdict::Caught("nextest".into()));
        assert!(matches!(judged("nextest run", 4), Verdict::Broken(_)));
        assert_eq!(judged("xtask kills", 1), Verdict::Caught("kills".into()));
        assert_eq!(judged("run --bin sim -- --seeds 5", 101), Verdict::Caught("sim".into()));
    }

    #[test]
    fn a_command_that_hangs_has_noticed() {
        let told = Verdict::Caught("time limit of 60 s".into());
        for code in TIMED_OUT {
            assert_eq!(judged("nextest run", code), told);
        }
        let trial = Trial::parse("nextest run", 60).unwrap();
        assert_eq!(trial.judge(ExitStatus::from_raw(KILLED)), told);
    }
}
