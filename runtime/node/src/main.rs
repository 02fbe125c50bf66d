//! The binary: reads the command line and does what it says.
//!
//! Exit codes: 0 done, 1 refused or not started, 2 wrong usage.

mod config;
mod demo;
mod doctor;
mod log;
mod migrate;
mod serve;

use clap::Parser;
use leasehold_cli::{Cli, Command, output};
use std::process::ExitCode;

/// A commit takes some thousand small allocations on one thread that others
/// free, and a few large ones; the system's allocator spends a third of the
/// engine's time on that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::note(&format!("error: no threads can be started: {error}"));
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(dispatch(cli.command))
}

async fn dispatch(command: Command) -> ExitCode {
    match command {
        Command::Serve(args) => serve::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::DemoWorker(args) => demo::worker(args).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::Migrate(args) => migrate::run(args).await,
        Command::Client(command) => leasehold_cli::run(command).await,
    }
}
