//! `faults --rounds N [--only NAME] [--seed S] [--json]`: stores that die,
//! hang and forget under a node that serves a load. See
//! [`leasehold_tests::faults`].

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    leasehold_tests::faults::main(&args)
}
