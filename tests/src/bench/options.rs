//! The command line of the benches.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Measures Leasehold beside the disk it runs on.
#[derive(Debug, Parser)]
#[command(name = "bench")]
pub struct Options {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Submit, then drain with many workers, beside raw writes.
    Throughput(Throughput),
    /// Submit to handler start to result on an idle node.
    Latency(Latency),
    /// A node with nothing to do.
    Idle(Idle),
    /// Delays that fall due one after the other.
    Timers(Timers),
    /// Resident memory with delayed executions at rest.
    Waiting(Waiting),
    /// One process of `waiting`.
    #[command(hide = true)]
    WaitingNode(WaitingNode),
}

/// Which store.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum BackendName {
    /// One SQLite file.
    Sqlite,
}

impl BackendName {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
        }
    }
}

/// How durable a commit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Sync {
    /// On the disk before it is acknowledged.
    Full,
    /// On the disk at the next checkpoint; refused by the benches.
    Normal,
}

/// What every bench takes.
#[derive(Clone, Debug, Args)]
pub(super) struct Common {
    /// The store.
    #[arg(long, value_enum, default_value = "sqlite")]
    pub(super) backend: BackendName,
    /// `synchronous` of the store; below full the bench aborts.
    #[arg(long, value_enum, default_value = "full")]
    pub(super) synchronous: Sync,
    /// Where the files lie; a folder on a disk.
    #[arg(long, default_value = "target/bench")]
    pub(super) dir: PathBuf,
    /// One line of JSON per metric instead of a table.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Throughput {
    #[command(flatten)]
    pub(super) common: Common,
    /// Executions per round; half are submitted singly, half in bulk.
    #[arg(long, default_value_t = 10_000)]
    pub(super) executions: usize,
    /// Slots with at most one lease each; several numbers run one after the
    /// other.
    #[arg(long, value_delimiter = ',', default_values_t = [16, 256])]
    pub(super) workers: Vec<u32>,
    /// Alternating rounds of raw writes and engine.
    #[arg(long, default_value_t = 5)]
    pub(super) rounds: usize,
    /// Only submit and drain, for a profiler: no raw figures, no recording.
    #[arg(long)]
    pub(super) drain_only: bool,
}

#[derive(Debug, Args)]
pub(super) struct Latency {
    #[command(flatten)]
    pub(super) common: Common,
    /// How many executions, one after the other.
    #[arg(long, default_value_t = 500)]
    pub(super) executions: usize,
}

#[derive(Debug, Args)]
pub(super) struct Idle {
    #[command(flatten)]
    pub(super) common: Common,
    /// How long to watch.
    #[arg(long, default_value_t = 30)]
    pub(super) seconds: u64,
}

#[derive(Debug, Args)]
pub(super) struct Timers {
    #[command(flatten)]
    pub(super) common: Common,
    /// For so long delays fall due.
    #[arg(long, default_value_t = 10)]
    pub(super) seconds: u64,
    /// Slots.
    #[arg(long, default_value_t = 256)]
    pub(super) workers: u32,
    /// Executions of the drain that the rate is taken from.
    #[arg(long, default_value_t = 10_000)]
    pub(super) executions: usize,
}

#[derive(Debug, Args)]
pub(super) struct Waiting {
    #[command(flatten)]
    pub(super) common: Common,
    /// How many delayed executions, a process each.
    #[arg(long, value_delimiter = ',', default_values_t = [0, 100_000, 1_000_000])]
    pub(super) counts: Vec<usize>,
}

#[derive(Debug, Args)]
pub(super) struct WaitingNode {
    #[command(flatten)]
    pub(super) common: Common,
    /// How many are submitted before the look at the memory.
    #[arg(long)]
    pub(super) submit: usize,
    /// The database.
    #[arg(long)]
    pub(super) file: PathBuf,
}
