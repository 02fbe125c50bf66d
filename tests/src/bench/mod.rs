//! Benches: what the engine does per second, beside what the disk or the
//! server does in the same run.
//!
//! A figure of one machine says little about another, so every bench measures
//! its raw counterpart next to itself and the ratio is what counts. No bench
//! is a test: a slow machine fails nothing. What fails a bench is a store that
//! does not show what the bench believes to have done.

mod cancel;
mod fill;
mod flow;
mod history;
mod idle;
mod inbox;
mod latency;
mod machine;
mod options;
mod report;
mod rig;
mod shape;
mod stores;
mod summary;
mod suspend;
mod suspended;
mod throughput;
mod timers;
mod verify;
mod waiting;

pub use options::Options;

use options::Command;

/// What keeps a bench from giving figures.
pub type BenchError = Box<dyn std::error::Error + Send + Sync>;

/// A bench's part, or why there is none.
pub type BenchResult<T> = Result<T, BenchError>;

/// Runs the bench that was asked for.
///
/// # Errors
///
/// A folder that is no disk, a store that refuses, or a store that does not
/// show every execution ended exactly once.
pub async fn run(options: Options) -> BenchResult<()> {
    match &options.command {
        Command::Throughput(args) => throughput::run(args).await,
        Command::Latency(args) => latency::run(args).await,
        Command::Idle(args) => idle::run(args).await,
        Command::Timers(args) => timers::run(args).await,
        Command::History(args) => history::run(args).await,
        Command::Inbox(args) => inbox::run(args).await,
        Command::Flow(args) => flow::run(args).await,
        Command::Cancel(args) => cancel::run(args).await,
        Command::Suspend(args) => suspend::run(args).await,
        Command::Suspended(args) => suspended::run(args),
        Command::SuspendedNode(args) => suspended::node(args).await,
        Command::Waiting(args) => waiting::run(args),
        Command::WaitingNode(args) => waiting::node(args).await,
    }
}
