//! `bench NAME [options]`: one bench; `bench help` lists them.

use clap::Parser;
use leasehold_tests::bench::{self, Options};
use std::process::ExitCode;

/// The one of the product's binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[expect(clippy::print_stderr, reason = "a program says why it failed")]
#[tokio::main]
async fn main() -> ExitCode {
    // On a thread of the runtime, like the engine: the thread of `main` is
    // woken more slowly, which would make the raw figures worse than they are.
    match tokio::spawn(bench::run(Options::parse())).await {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(error)) => eprintln!("bench: {error}"),
        Err(error) => eprintln!("bench: {error}"),
    }
    ExitCode::FAILURE
}
