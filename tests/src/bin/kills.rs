//! `kills --rounds N [--seed S]`: kills a node under load, again and again,
//! and accounts for everything that was acknowledged. See
//! [`leasehold_tests::kills`].

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    leasehold_tests::kills::main(&args)
}
