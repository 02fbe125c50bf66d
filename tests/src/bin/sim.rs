//! `sim --seeds N [--from S] [--trace]`: runs seeds of the simulation.
//!
//! Prints commands by operation and faults by kind, fails on a violation and
//! on a kind of fault that never occurred, and prints the command that
//! repeats a failing seed. Every tenth seed runs twice and must give the same
//! trace.

use leasehold_tests::sim::{self, COMMANDS_MIN, LIVES_MIN};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Kinds of fault that must occur in a run of at least [`SEEDS_FOR_ALL`]
/// seeds.
const KINDS: &[&str] = &[
    "actor_panic",
    "clock_step",
    "commit_busy",
    "commit_delay_after",
    "commit_delay_before",
    "commit_late",
    "commit_lost",
    "crash_after_commit",
    "crash_before_commit",
    "death_in_cascade",
    "death_in_flow_build",
    "death_in_flow_cancel",
    "heartbeat_busy",
    "heartbeat_lost",
    "node_kill",
    "ownership_busy",
    "ownership_lost",
    "read_busy",
    "read_delay",
    "signal_storm",
    "worker_death",
];

/// So many seeds meet every kind of fault.
const SEEDS_FOR_ALL: u64 = 150;

/// One in so many seeds runs twice.
const TWICE_EVERY: u64 = 10;

fn argument(args: &[String], name: &str) -> Option<u64> {
    let at = args.iter().position(|arg| arg == name)?;
    args.get(at + 1)?.parse().ok()
}

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn main() -> ExitCode {
    // Actors are made to panic; their supervisors report it.
    std::panic::set_hook(Box::new(|_| {}));
    let args: Vec<String> = std::env::args().collect();
    let Some(seeds) = argument(&args, "--seeds") else {
        println!("usage: sim --seeds N [--from S] [--trace]");
        return ExitCode::from(2);
    };
    let from = argument(&args, "--from").unwrap_or(0);
    let show_trace = args.iter().any(|arg| arg == "--trace");
    let mut commands: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut faults: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut errors: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut judged = sim::Judged::default();
    let (mut executions, mut lives, mut failed, mut twice) = (0, 0, Vec::new(), 0);
    for seed in from..from + seeds {
        let outcome = sim::run(seed);
        if show_trace {
            println!("{}", outcome.trace);
        }
        let mut violations = outcome.violations;
        let ran: u64 = outcome.commands.values().sum();
        if (ran as usize) < COMMANDS_MIN || outcome.lives < LIVES_MIN {
            violations.push(format!("only {ran} commands over {} lives", outcome.lives));
        }
        if seed % TWICE_EVERY == 0 {
            twice += 1;
            let again = sim::run(seed);
            if again.trace != outcome.trace {
                let at = outcome.trace.lines().zip(again.trace.lines()).position(|(one, two)| one != two);
                violations.push(format!("a second run gives another trace, from line {at:?} on"));
            }
        }
        for (into, from) in
            [(&mut commands, outcome.commands), (&mut faults, outcome.faults), (&mut errors, outcome.errors)]
        {
            for (name, count) in from {
                *into.entry(name).or_default() += count;
            }
        }
        judged.add(outcome.judged);
        executions += outcome.executions;
        lives += outcome.lives;
        if !violations.is_empty() {
            println!("seed {seed} FAILED; repeat with: cargo xtask sim --seeds 1 --from {seed}");
            for violation in &violations {
                println!("  {violation}");
            }
            failed.push(seed);
        }
    }
    for (title, counts) in [("commands", &commands), ("faults", &faults), ("errors", &errors)] {
        println!("{title}:");
        for (name, count) in counts {
            println!("  {name:<32} {count}");
        }
    }
    let missing: Vec<_> = KINDS.iter().filter(|kind| seeds >= SEEDS_FOR_ALL && !faults.contains_key(**kind)).collect();
    println!(
        "{} flows with {} dependencies; {} joins worked out anew, {} ends shown to the interpreter; {} suspensions",
        judged.flows, judged.edges, judged.by_force, judged.by_heart, judged.heard
    );
    println!("{seeds} seeds, {executions} executions, {lives} lives, {twice} seeds run twice, {} failed", failed.len());
    if !missing.is_empty() {
        println!("faults that never occurred: {missing:?}");
    }
    if failed.is_empty() && missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
