//! Temporary.
#[path = "../src/demo/mod.rs"]
mod demo;
use clap::Parser;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match leasehold_cli::Cli::parse().command {
        leasehold_cli::Command::Demo(args) => demo::run(args).await,
        leasehold_cli::Command::DemoWorker(args) => demo::worker(args).await,
        _ => ExitCode::FAILURE,
    }
}
