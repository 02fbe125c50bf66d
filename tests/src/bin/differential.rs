//! `differential --programs N [--from S] [--targets a,b] [--trace]`: the same
//! programs on every store and on the memory model.
//!
//! Prints calls by operation and errors by code, the time a program takes on
//! each target, and each difference with the command that repeats it. Fails on
//! a difference and on an operation that never occurred.

use clap::Parser;
use leasehold_tests::differential::play;
use leasehold_tests::differential::program::Program;
use leasehold_tests::differential::shrink::shrink;
use leasehold_tests::differential::transcript::{Transcript, compare};
use leasehold_tests::harness::Target;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// So many programs meet every operation.
const PROGRAMS_FOR_ALL: u64 = 50;

/// Transcripts a target may be ahead of the slowest.
const AHEAD: usize = 8;

/// Runs spent on making a program shorter.
const SHRINK_TRIES: usize = 120;

/// Differences after which nothing new is learnt.
const DIFFERENCES_MAX: usize = 5;

#[derive(Parser)]
#[command(about = "The same programs on every store and on the memory model")]
struct Args {
    /// How many programs.
    #[arg(long)]
    programs: u64,
    /// The seed of the first.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Stores to compare with the memory model; all others by default.
    #[arg(long, value_delimiter = ',', value_parser = target)]
    targets: Vec<Target>,
    /// Print every transcript of the memory model.
    #[arg(long)]
    trace: bool,
}

fn target(name: &str) -> Result<Target, String> {
    let names: Vec<_> = Target::ALL.iter().map(|target| target.as_str()).collect();
    let found = Target::ALL.iter().find(|target| target.as_str() == name);
    found.copied().ok_or_else(|| format!("one of {}", names.join(", ")))
}

/// One target at work: it plays all programs, one after another.
struct Stage {
    target: Target,
    played: Receiver<(Transcript, Duration)>,
    took: Duration,
}

/// Plays one program.
#[expect(clippy::disallowed_methods, reason = "how long a program takes is shown to a person")]
fn perform(program: &Program, target: Target) -> (Transcript, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let started = Instant::now();
    let transcript = runtime.expect("a runtime on the current thread").block_on(play(program, target, |_| {}));
    (transcript, started.elapsed())
}

fn work(target: Target, seeds: std::ops::Range<u64>, played: &SyncSender<(Transcript, Duration)>) {
    for seed in seeds {
        // Nobody listens any more when enough differences were found.
        if played.send(perform(&Program::new(seed), target)).is_err() {
            return;
        }
    }
}

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn main() -> ExitCode {
    let args = Args::parse();
    // A store that breaks a rule ends its program by a panic; the report says
    // it once.
    std::panic::set_hook(Box::new(|_| {}));
    let others = Target::ALL.iter().filter(|target| **target != Target::Memory);
    let targets: Vec<Target> = if args.targets.is_empty() { others.copied().collect() } else { args.targets };
    let mut totals = Totals::default();
    let seeds = args.from..args.from + args.programs;
    thread::scope(|scope| {
        let mut stages: Vec<Stage> = std::iter::once(Target::Memory)
            .chain(targets.iter().copied())
            .map(|target| {
                let (send, played) = sync_channel(AHEAD);
                let seeds = seeds.clone();
                scope.spawn(move || work(target, seeds, &send));
                Stage { target, played, took: Duration::ZERO }
            })
            .collect();
        for seed in seeds.clone() {
            let mut reference = None;
            for stage in &mut stages {
                let (transcript, took) = stage.played.recv().expect("a target plays every program");
                stage.took += took;
                let Some(reference) = &reference else {
                    if args.trace {
                        transcript.lines.iter().for_each(|line| println!("{:?} {}", line.step, line.text));
                    }
                    totals.add(&transcript);
                    reference = Some(transcript);
                    continue;
                };
                if let Some(difference) = compare(reference, &transcript) {
                    totals.differences += 1;
                    println!("\nprogram {seed} DIFFERS on {}: {difference}", stage.target.as_str());
                    shorter(seed, stage.target);
                }
            }
            totals.programs += 1;
            if totals.differences >= DIFFERENCES_MAX {
                break;
            }
        }
        println!();
        for stage in &stages {
            let each = stage.took.as_secs_f64() * 1000.0 / totals.programs.max(1) as f64;
            println!("{:<16} {each:.1} ms per program", stage.target.as_str());
        }
    });
    totals.report(args.programs >= PROGRAMS_FOR_ALL)
}

/// Prints the shortest program found that still differs.
#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn shorter(seed: u64, target: Target) {
    let differs = |program: &Program| compare(&perform(program, Target::Memory).0, &perform(program, target).0);
    let program = Program::new(seed);
    let short = shrink(&program, SHRINK_TRIES, |program| differs(program).is_some());
    match differs(&short) {
        Some(difference) => {
            println!("after {} of its {} steps: {difference}", short.steps.len(), program.steps.len());
            println!("set up as {:?}, steps:", short.setup);
            short.steps.iter().for_each(|step| println!("    {step:?}"));
        }
        None => println!("not every run of it differs"),
    }
    println!("repeat with: cargo xtask differential --programs 1 --from {seed} --targets {}", target.as_str());
}

#[derive(Default)]
struct Totals {
    programs: u64,
    differences: usize,
    calls: BTreeMap<&'static str, u64>,
    granted: BTreeMap<&'static str, u64>,
    errors: BTreeMap<&'static str, u64>,
    offered: Vec<&'static str>,
}

impl Totals {
    fn add(&mut self, transcript: &Transcript) {
        for (into, from) in [
            (&mut self.calls, &transcript.calls),
            (&mut self.granted, &transcript.granted),
            (&mut self.errors, &transcript.errors),
        ] {
            for (name, count) in from {
                *into.entry(name).or_default() += count;
            }
        }
        if self.offered.is_empty() {
            self.offered.clone_from(&transcript.offered);
        }
    }

    #[expect(clippy::print_stdout, reason = "the report is what this program is for")]
    fn report(&self, all: bool) -> ExitCode {
        println!("\n{:<32} {:>8} {:>8}", "operation", "calls", "granted");
        for (name, count) in &self.calls {
            println!("{name:<32} {count:>8} {:>8}", self.granted.get(name).copied().unwrap_or(0));
        }
        println!("\n{:<32} {:>8}", "error", "answers");
        for (code, count) in &self.errors {
            println!("{code:<32} {count:>8}");
        }
        // An operation that is only ever refused proves little.
        let missing: Vec<_> = self.offered.iter().filter(|name| !self.granted.contains_key(**name)).collect();
        if all && !missing.is_empty() {
            println!("\noperations that never went through: {missing:?}");
        }
        println!("\n{} programs, {} differences", self.programs, self.differences);
        let complete = !all || (missing.is_empty() && !self.offered.is_empty());
        if self.differences == 0 && complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
