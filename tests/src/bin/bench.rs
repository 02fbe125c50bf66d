//! `bench NAME [options]`: one bench; `bench help` lists them.

use clap::Parser;
use leasehold_tests::bench::{self, Options};
use std::process::ExitCode;

#[expect(clippy::print_stderr, reason = "a program says why it failed")]
#[tokio::main]
async fn main() -> ExitCode {
    match bench::run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
