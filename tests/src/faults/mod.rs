//! Fault tests: stores that die, hang, fill up, forget and come back changed,
//! while a node serves a load in a process of its own.
//!
//! A *case* is a fault and what it befalls; its *scene* is the servers it
//! needs, which live as long as its rounds. A round has a store of its own on
//! them, and ends with the account: the checker over contents and event log,
//! every execution ended exactly as often as it must, and everything that was
//! acknowledged there, except what the declared durability allows to be gone,
//! which is counted. A node is never restarted by the test: it has to get over
//! what happens to its store.
//!
//! The plan of a round comes from a seed; what the processes do meanwhile
//! depends on the machine, so that a seed repeats the plan and not the run.

mod account;
mod crowded;
mod failover;
mod flushed;
mod frozen;
mod full;
mod intruded;
mod killed;
mod mount;
mod play;
mod proxy;
mod report;
mod restored;
mod server;
mod severed;
mod spec;

use crate::kills::Fallible;
use crate::kills::client;
use account::Account;
use leasehold_backend::{Clock, Entropy, SystemClock, SystemEntropy};
use report::Row;
use spec::NodeSpec;
use std::process::ExitCode;

/// How it is called.
const USAGE: &str = "usage: faults --rounds N [--only NAME] [--seed S] [--json]";

/// A fault on a target.
pub(crate) struct Case {
    fault: &'static str,
    target: &'static str,
    /// What is promised of acknowledged writes.
    promise: &'static str,
    /// Why this machine cannot play it, if it cannot.
    obstacle: fn() -> Option<String>,
    /// Starts what the rounds need.
    scene: fn() -> Fallible<Box<dyn Scene>>,
}

impl Case {
    fn name(&self) -> String {
        format!("{} on {}", self.fault, self.target)
    }
}

/// What the rounds of a case need.
pub(crate) trait Scene {
    /// Plays a round, whose plan comes from a seed.
    fn round(&mut self, seed: u64) -> Fallible<Account>;
}

/// Every machine can play it.
fn nothing() -> Option<String> {
    None
}

fn cases() -> impl Iterator<Item = &'static Case> {
    let families = [
        killed::CASES,
        severed::CASES,
        intruded::CASES,
        full::CASES,
        flushed::CASES,
        failover::CASES,
        crowded::CASES,
        frozen::CASES,
        restored::CASES,
    ];
    families.into_iter().flatten()
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    rounds: u64,
    only: Option<String>,
    seed: Option<u64>,
    json: bool,
}

fn parse(args: &[String]) -> Option<Asked> {
    let mut asked = Asked { rounds: 0, only: None, seed: None, json: false };
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--rounds" => asked.rounds = words.next()?.parse().ok()?,
            "--only" => asked.only = Some(words.next()?.clone()),
            "--seed" => asked.seed = Some(words.next()?.parse().ok()?),
            "--json" => asked.json = true,
            _ => return None,
        }
    }
    (asked.rounds > 0).then_some(asked)
}

/// Plays the rounds, or what the hidden argument `child` asks for.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the report is what this program is for")]
pub fn main(args: &[String]) -> ExitCode {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["child", "node", spec] => serde_json::from_str(spec).map_err(Into::into).and_then(NodeSpec::serve),
        ["child", "client", options] => serde_json::from_str(options).map_err(Into::into).and_then(client::run),
        _ => match parse(args) {
            Some(asked) => run(&asked),
            None => {
                println!("{USAGE}\nfaults:");
                cases().for_each(|case| println!("  {}", case.name()));
                return ExitCode::from(2);
            }
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("faults: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "whoever waits wants to know for what; the report goes to standard output")]
fn run(asked: &Asked) -> Fallible {
    let seed = asked.seed.unwrap_or_else(|| SystemEntropy::default().next_u64() >> 32);
    eprintln!("seed {seed}");
    let wanted = |case: &&Case| asked.only.as_ref().is_none_or(|only| case.name().contains(only));
    let rows: Vec<Row> = cases().filter(wanted).map(|case| play(case, asked.rounds, seed)).collect();
    if rows.is_empty() {
        return Err(format!("no fault is called {:?}", asked.only.as_deref().unwrap_or_default()).into());
    }
    report::print(&rows, asked.json)?;
    match rows.iter().map(|row| row.account.problems.len()).sum::<usize>() {
        0 => Ok(()),
        count => Err(format!("{count} violations; seed {seed}").into()),
    }
}

/// Plays the rounds of a case. A round that fails takes its scene along: the
/// next one starts on servers of its own.
#[expect(clippy::print_stderr, reason = "whoever waits wants to know for what; the report goes to standard output")]
fn play(case: &'static Case, rounds: u64, seed: u64) -> Row {
    let mut account = Account::default();
    if let Some(why) = (case.obstacle)() {
        eprintln!("{}: left out: {why}", case.name());
        let left_out = Some(why);
        return Row { fault: case.fault, target: case.target, promise: case.promise, rounds: 0, left_out, account };
    }
    let mut scene: Option<Box<dyn Scene>> = None;
    let clock = SystemClock::default();
    for round in 1..=rounds {
        let seed = seed.wrapping_mul(1_000_003).wrapping_add(round);
        let begun = clock.monotonic();
        let played = match scene.take().map_or_else(case.scene, Ok) {
            Ok(mut ready) => ready.round(seed).map(|played| (played, ready)),
            Err(error) => Err(error),
        };
        let took = clock.monotonic().saturating_sub(begun).as_secs_f64();
        let name = case.name();
        match played {
            Ok((played, ready)) => {
                let Account { acknowledged, in_doubt, retried, lost, .. } = played;
                eprintln!(
                    "{name}: round {round} of {rounds} in {took:.1} s: {acknowledged} acknowledged, {in_doubt} in \
                     doubt, {retried} retried, {lost} lost, {} violations",
                    played.problems.len()
                );
                played.problems.iter().for_each(|problem| eprintln!("  VIOLATION {problem}"));
                scene = Some(ready);
                account.merge(played);
            }
            Err(error) => {
                eprintln!("{name}: round {round} of {rounds} failed after {took:.1} s: {error}");
                account.problems.push(format!("round {round}: {error}"));
            }
        }
    }
    Row { fault: case.fault, target: case.target, promise: case.promise, rounds, left_out: None, account }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn asked(line: &str) -> Option<Asked> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_asked_for_is_understood() {
        let all = Asked { rounds: 3, only: Some("cut".to_owned()), seed: Some(9), json: true };
        assert_eq!(asked("--rounds 3 --only cut --seed 9 --json"), Some(all));
        for wrong in ["", "--rounds", "--rounds x", "--rounds 0", "--rounds 1 more"] {
            assert_eq!(asked(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn no_two_cases_share_a_name() {
        let names: BTreeSet<String> = cases().map(Case::name).collect();
        assert_eq!(names.len(), cases().count());
    }
}
