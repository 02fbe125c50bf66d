//! A child process: lines go in, lines come out, and it does not outlive its
//! owner.

use super::Fallible;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// What waiting for a line gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// It said this.
    Text(String),
    /// It has closed its output: it is over.
    Ended,
    /// It said nothing in time.
    Silent,
}

/// A running child.
#[derive(Debug)]
pub struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Process {
    /// Starts this very program with the hidden argument.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn start(args: &[&str]) -> Fallible<Self> {
        Self::start_under(&[], args, None)
    }

    /// As [`Self::start`], with words before the program that run it, and a
    /// file for what it has to say beside its lines.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn start_under(wrapper: &[&str], args: &[&str], log: Option<File>) -> Fallible<Self> {
        let program = std::env::current_exe()?;
        let mut command = match wrapper {
            [] => Command::new(program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command.arg("child").args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(log) = log {
            command.stderr(log);
        }
        let mut child = command.spawn()?;
        let output = child.stdout.take().ok_or("the child has no output")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { input: child.stdin.take(), child, lines })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn ended(&mut self) -> Fallible<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// The next line, or that there is none within a time.
    pub fn line(&self, within: Duration) -> Line {
        match self.lines.recv_timeout(within) {
            Ok(line) => Line::Text(line),
            Err(RecvTimeoutError::Timeout) => Line::Silent,
            Err(RecvTimeoutError::Disconnected) => Line::Ended,
        }
    }

    /// Tells it something.
    ///
    /// # Errors
    ///
    /// When it no longer listens.
    pub fn tell(&mut self, line: &str) -> Fallible {
        let input = self.input.as_mut().ok_or("its input is closed")?;
        Ok(writeln!(input, "{line}")?)
    }

    /// Tells it that nothing more will be said.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// Waits for its end; what it still says goes to `heard`.
    ///
    /// # Errors
    ///
    /// When it takes longer than `within`.
    pub fn end(mut self, within: Duration, mut heard: impl FnMut(String)) -> Fallible<ExitStatus> {
        loop {
            match self.line(within) {
                Line::Text(line) => heard(line),
                Line::Ended => return Ok(self.child.wait()?),
                Line::Silent => return Err(format!("a process did not end within {within:?}").into()),
            }
        }
    }

    /// Kills it (`SIGKILL`) and waits until it is gone.
    ///
    /// # Errors
    ///
    /// When it had ended by itself.
    pub fn kill(mut self) -> Fallible {
        if let Some(status) = self.child.try_wait()? {
            return Err(format!("a process ended by itself: {status}").into());
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Of one that is over both fail, and nothing else is left to do.
        if self.child.kill().is_ok() {
            let _status = self.child.wait();
        }
    }
}
