//! The command line of the benches.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Measures Leasehold beside the disk or the server it runs on.
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
    /// A drain beside a million ended and many delayed executions.
    History(History),
    /// Commit of a transactional create to handler start.
    Inbox(Inbox),
    /// Whole flows of one shape: how many per second, and how long one takes.
    Flow(Flow),
    /// The cancellation of a flow whose members all run.
    Cancel(Cancel),
    /// Suspend, signal, resume and complete.
    Suspend(Suspend),
    /// Resident memory with suspended executions at rest, and one deadline that
    /// wakes many of them.
    Suspended(Suspended),
    /// One process of `suspended`.
    #[command(hide = true)]
    SuspendedNode(SuspendedNode),
    /// Resident memory with delayed executions at rest.
    Waiting(Waiting),
    /// One process of `waiting`.
    #[command(hide = true)]
    WaitingNode(WaitingNode),
}

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum BackendName {
    /// One SQLite file.
    Sqlite,
    /// A private PostgreSQL server, started for the bench.
    Postgres,
    /// A private Valkey server, started for the bench.
    #[value(alias = "valkey")]
    Redis,
}

impl BackendName {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
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
    /// `synchronous` of a SQLite store; below full the bench aborts.
    #[arg(long, value_enum, default_value = "full")]
    pub(super) synchronous: Sync,
    /// Where the files lie; a folder on a disk. `target/bench` unless said,
    /// for a server `/var/tmp`.
    #[arg(long)]
    pub(super) dir: Option<PathBuf>,
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
pub(super) struct History {
    #[command(flatten)]
    pub(super) common: Common,
    /// Ended executions in the full store.
    #[arg(long, default_value_t = 1_000_000)]
    pub(super) ended: usize,
    /// Delayed executions in the full store.
    #[arg(long, default_value_t = 200_000)]
    pub(super) delayed: usize,
    /// Executions of each drain.
    #[arg(long, default_value_t = 20_000)]
    pub(super) executions: usize,
    /// Slots.
    #[arg(long, default_value_t = 256)]
    pub(super) workers: u32,
    /// Alternating rounds of the empty and the full store.
    #[arg(long, default_value_t = 5)]
    pub(super) rounds: usize,
}

#[derive(Debug, Args)]
pub(super) struct Inbox {
    #[command(flatten)]
    pub(super) common: Common,
    /// Announced creates, one after the other.
    #[arg(long, default_value_t = 500)]
    pub(super) executions: usize,
    /// Creates without a word, evenly over the seconds.
    #[arg(long, default_value_t = 300)]
    pub(super) unannounced: usize,
    /// For so long creates without a word come.
    #[arg(long, default_value_t = 30)]
    pub(super) seconds: u64,
}

/// The graph of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Shape {
    /// Ten nodes, one after the other.
    #[value(name = "linear-10")]
    Linear10,
    /// A hundred nodes, and one that waits for all of them.
    #[value(name = "fan-100")]
    Fan100,
    /// Three nodes, and one that waits for the first of them, which cancels
    /// the others.
    #[value(name = "race-3")]
    Race3,
    /// Ten layers of ten nodes, each waiting for the whole layer before it.
    #[value(name = "layered-10x10")]
    Layered10x10,
}

impl Shape {
    pub(super) const ALL: [Self; 4] = [Self::Linear10, Self::Fan100, Self::Race3, Self::Layered10x10];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Linear10 => "linear-10",
            Self::Fan100 => "fan-100",
            Self::Race3 => "race-3",
            Self::Layered10x10 => "layered-10x10",
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Flow {
    #[command(flatten)]
    pub(super) common: Common,
    /// One shape; all of them without.
    #[arg(long)]
    pub(super) shape: Option<Shape>,
    /// Slots; several numbers run one after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [16, 64])]
    pub(super) workers: Vec<u32>,
    /// Members of all flows together, in a round that counts flows per second.
    #[arg(long, default_value_t = 10_000)]
    pub(super) members: usize,
    /// Flows that run alone, one after the other.
    #[arg(long, default_value_t = 100)]
    pub(super) alone: usize,
    /// Rounds, each beside a drain of as many single executions.
    #[arg(long, default_value_t = 3)]
    pub(super) rounds: usize,
}

#[derive(Debug, Args)]
pub(super) struct Cancel {
    #[command(flatten)]
    pub(super) common: Common,
    /// How many members.
    #[arg(long, default_value_t = 1000)]
    pub(super) members: usize,
    /// How many such flows, one after the other.
    #[arg(long, default_value_t = 5)]
    pub(super) rounds: usize,
}

#[derive(Debug, Args)]
pub(super) struct Suspend {
    #[command(flatten)]
    pub(super) common: Common,
    /// How many, one after the other; then at least as many at once.
    #[arg(long, default_value_t = 300)]
    pub(super) executions: usize,
    /// Slots.
    #[arg(long, default_value_t = 64)]
    pub(super) at_once: u32,
}

#[derive(Debug, Args)]
pub(super) struct Suspended {
    #[command(flatten)]
    pub(super) common: Common,
    /// How many suspended executions, processes of its own each.
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1_000_000])]
    pub(super) counts: Vec<usize>,
    /// How many of them one deadline wakes.
    #[arg(long, default_value_t = 100_000)]
    pub(super) woken: usize,
}

#[derive(Debug, Args)]
pub(super) struct SuspendedNode {
    #[command(flatten)]
    pub(super) common: Common,
    /// How many are suspended before the look at the memory; none where those
    /// of the file are to be woken.
    #[arg(long)]
    pub(super) submit: usize,
    /// How many the deadline wakes.
    #[arg(long)]
    pub(super) woken: usize,
    /// The database.
    #[arg(long)]
    pub(super) file: PathBuf,
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
