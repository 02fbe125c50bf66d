//! A server process that ends with the process that started it.
//!
//! Between the two stands a shell with `guard.sh`, which holds the reading end of a pipe. The
//! writing end closes with its owner however that dies, and the shell then ends the server
//! and removes its directory. In contrast to a death signal this survives a change of user,
//! does not hang on the thread that started the server, and leaves no gap between the start
//! and the arming.

use crate::error::{During, ServiceError, ServiceResult};
use crate::wait::wait_for;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

const SCRIPT: &str = include_str!("guard.sh");

/// What a guard runs.
pub(crate) struct Guarded {
    /// Program and arguments.
    pub command: Vec<OsString>,
    /// Where the program finds libraries that were installed with it.
    pub libraries: Option<OsString>,
    /// The signal that ends it when nobody needs it any more.
    pub ending: &'static str,
}

/// The shell between this process and a server.
#[derive(Debug)]
pub(crate) struct Guard {
    shell: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    directory: PathBuf,
    pid: Option<u32>,
}

impl Guard {
    /// A guard that has not started its server yet. From here on the directory is the guard's
    /// to remove.
    pub fn new(guarded: Guarded, directory: PathBuf) -> ServiceResult<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "leasehold-guard"]);
        command.arg(log_of(&directory)).arg(&directory).arg(guarded.ending).args(&guarded.command);
        command.current_dir("/");
        if let Some(libraries) = &guarded.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        // Ctrl-C at the terminal is for the process that asked; its end is told by the pipe.
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = command.spawn().during("starting /bin/sh")?;
        let input = shell.stdin.take();
        let output = shell.stdout.take().ok_or_else(|| broken("has no output"))?;
        Ok(Self { shell, input, output: BufReader::new(output), directory, pid: None })
    }

    /// Starts the server, which must not be running.
    pub fn start(&mut self) -> ServiceResult<u32> {
        let input = self.input.as_mut().ok_or_else(|| broken("has no input"))?;
        input.write_all(b"start\n").during("telling the guard to start a server")?;
        let mut line = String::new();
        self.output.read_line(&mut line).during("hearing from the guard")?;
        let pid = line.trim().parse().map_err(|_| broken("told no process id"))?;
        self.pid = Some(pid);
        Ok(pid)
    }

    /// The server's process, the last one when it has ended.
    pub fn pid(&self) -> u32 {
        self.pid.unwrap_or(0)
    }

    /// Where the server's files are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether the server runs.
    pub fn is_alive(&self) -> bool {
        self.pid.is_some_and(is_alive)
    }

    /// Everything the server has said.
    pub fn said(&self) -> String {
        fs::read_to_string(log_of(&self.directory)).unwrap_or_default()
    }

    /// The last lines the server has said.
    pub fn last_words(&self) -> String {
        let said = self.said();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// Sends a signal to the server and waits until it is gone.
    pub fn end(&self, signal: Signal, limit: Duration) -> ServiceResult {
        let Some(pid) = self.pid.filter(|pid| is_alive(*pid)) else {
            return Ok(());
        };
        send(pid, signal)?;
        wait_until_gone(pid, limit)
    }

    /// Closes the pipe; the server is ended beside whatever happens here.
    pub fn release(&mut self) {
        self.input = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.release();
        // The shell ends the server and itself within a bound. An error means that somebody
        // else has waited for it already.
        let _ended = self.shell.wait();
    }
}

/// Sends a signal to a process.
pub(crate) fn send(pid: u32, signal: Signal) -> ServiceResult {
    let id = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(|| broken("told a strange process id"))?;
    kill_process(id, signal).map_err(std::io::Error::from).during(&format!("sending {signal:?} to process {pid}"))
}

/// Waits until a process has ended.
pub(crate) fn wait_until_gone(pid: u32, limit: Duration) -> ServiceResult {
    let gone = wait_for(limit, || Ok::<_, ServiceError>((!is_alive(pid)).then_some(())))?;
    gone.ok_or(ServiceError::StillAlive { pid, seconds: limit.as_secs() })
}

/// Whether a process runs; one that has ended and was not waited for does not.
pub fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    // The state follows the name, which stands in brackets and may hold any character.
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// The processes a process has started and that still exist.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

fn log_of(directory: &Path) -> PathBuf {
    directory.join("log")
}

fn broken(how: &str) -> ServiceError {
    ServiceError::Start { what: "the guard of a server", reason: format!("it {how}") }
}
