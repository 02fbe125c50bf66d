//! The process test: a node is killed at random moments while a load runs,
//! and nothing that was acknowledged may be missing afterwards.
//!
//! ```text
//! parent ── kills and restarts ──▶ node    SQLite file, fleet, HTTP
//!    └───── tells the port ──────▶ client  load, remote workers, the log
//! ```
//!
//! The client is a process of its own that nobody kills. It appends every
//! acknowledgement to a file before it goes on, and what it cannot know as
//! unknown; it repeats a call until it has an answer. In the end nothing is
//! killed any more, the client waits until everything it was promised has
//! ended, and the parent opens the store and compares it with the file.
//!
//! Moments of killing come from a seed; what the processes do between them
//! depends on the machine, so that a seed repeats the plan and not the run.

pub(crate) mod acks;
pub(crate) mod audit;
pub(crate) mod client;
pub(crate) mod node;
mod parent;
pub(crate) mod process;
mod syncs;
mod task;

use std::process::ExitCode;

/// How it is called.
const USAGE: &str = "usage: kills --rounds N [--seed S]";

fn option(args: &[String], name: &str) -> Option<u64> {
    let at = args.iter().position(|arg| arg == name)?;
    args.get(at + 1)?.parse().ok()
}

/// Runs the parent, or what the hidden argument `child` asks for.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the report is what this program is for")]
pub fn main(args: &[String]) -> ExitCode {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["child", "node", file, life] => node::run(file, life),
        ["child", "client", log, seed] => client::Options::of_kills(log, seed).and_then(client::run),
        ["child", "syncs", file, synchronous, pace, creates] => syncs::run(file, synchronous, pace, creates),
        _ => {
            let Some(rounds) = option(args, "--rounds") else {
                println!("{USAGE}");
                return ExitCode::from(2);
            };
            parent::run(rounds, option(args, "--seed"))
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kills: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why something ended badly, for people.
pub(crate) type Fallible<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The runtime of a child.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}
