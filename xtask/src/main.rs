//! The project's own tool, run as `cargo xtask <command>`.
//!
//! One file per command. A command either succeeds or returns a [`Failure`], which is printed
//! and ends the process with exit code 1. Tables and JSON go to standard output, everything
//! that is said in passing to standard error.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its terminal")]

mod bench;
mod ci;
mod conformance;
mod differential;
mod failure;
mod faults;
mod kills;
mod mutants;
mod nightly;
mod services;
mod sim;
mod steps;
mod table;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::env;
use std::process::ExitCode;

use failure::{Failure, Outcome};
use workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask <command>

  ci fast                    formatting, lints, tidiness, dependencies, tests of the core
  test                       every test: unit, conformance, doc, simulation, process kills
  conformance [--json]       the conformance cases, by operation and target
  differential --programs N [--from S] [--targets A,B]
                             the same programs on every store and on the memory model
  sim --seeds N [--from S]   the seeded simulation
  kills --rounds N           kill -9 of a node under load, and the account afterwards
  faults --rounds N [--only NAME] [--seed S] [--json]
                             stores that die, hang, fill up and forget under a node with a load
  bench NAME|all [--backend sqlite|postgres|redis] [args...]
                             one benchmark, or each in turn
  mutants [--list] [NAME..]  apply each patch of tests/mutants and see the tests notice
  services -- COMMAND...     runs a command with private PostgreSQL, Redis, Valkey and Valkey
                             Cluster, named to it by LEASEHOLD_TEST_POSTGRES, _REDIS,
                             _VALKEY and _VALKEY_CLUSTER
  tidy                       the rules for sources that no compiler checks
  nightly                    long simulation, many kills and faults, all benchmarks, all mutants";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Outcome {
    let Some((command, rest)) = args.split_first() else {
        return Err(Failure::new(USAGE));
    };
    if matches!(command.as_str(), "help" | "--help" | "-h") {
        println!("{USAGE}");
        return Ok(());
    }
    let workspace = Workspace::locate()?;
    match command.as_str() {
        "ci" => ci::run(&workspace, rest),
        "test" => test::run(&workspace, rest),
        "conformance" => conformance::run(&workspace, rest),
        "differential" => differential::run(&workspace, rest),
        "sim" => sim::run(&workspace, rest),
        "kills" => kills::run(&workspace, rest),
        "faults" => faults::run(&workspace, rest),
        "bench" => bench::run(&workspace, rest),
        "mutants" => mutants::run(&workspace, rest),
        "services" => services::run(&workspace, rest),
        "tidy" => tidy::run(&workspace, rest),
        "nightly" => nightly::run(&workspace, rest),
        other => Err(Failure::new(format!("unknown command `{other}`\n{USAGE}"))),
    }
}
