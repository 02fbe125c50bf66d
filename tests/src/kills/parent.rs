//! The parent: starts, kills and restarts, then judges.

use super::acks::{self, Ack};
use super::audit::{self, Life};
use super::process::{Line, Process};
use super::{Fallible, runtime};
use leasehold_backend::{Clock, Entropy, SystemClock, SystemEntropy};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a node may take to print its port.
const START_MAX: Duration = Duration::from_secs(60);

/// How long a node may take to end in order.
const END_MAX: Duration = Duration::from_mins(1);

/// How long the client may take to end.
const CLIENT_MAX: Duration = Duration::from_mins(6);

/// How long a node lives at most, once it serves, in ms.
const LIFE_MAX_MS: u64 = 900;

/// One in so many kills falls into the first moments after a start.
const EARLY: u32 = 3;

/// What a run has seen.
struct Run {
    clock: SystemClock,
    rng: StdRng,
    store: PathBuf,
    lives: Vec<Life>,
    /// How long the last start took that was let through.
    start: Duration,
    longest_start: Duration,
    kills_before_serving: u64,
}

/// Runs `rounds` kills and judges what is left.
///
/// # Errors
///
/// When something is lost, or a process does what it must not.
#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
pub fn run(rounds: u64, seed: Option<u64>) -> Fallible {
    let seed = seed.unwrap_or_else(|| SystemEntropy::default().next_u64() >> 32);
    println!("seed {seed}; the plan repeats with: cargo xtask kills --rounds {rounds} --seed {seed}");
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("acks");
    let outcome = kill_and_settle(rounds, seed, folder.path(), &log).and_then(|run| judge(rounds, &run, &log));
    if outcome.is_err() {
        println!("the store and the log are kept in {}", folder.keep().display());
    }
    outcome
}

fn text(path: &Path) -> Fallible<&str> {
    Ok(path.to_str().ok_or("the temporary folder's name is no text")?)
}

/// Kills, and in the end lets everything come to rest.
fn kill_and_settle(rounds: u64, seed: u64, folder: &Path, log: &Path) -> Fallible<Run> {
    let mut run = Run {
        clock: SystemClock::default(),
        rng: StdRng::seed_from_u64(seed),
        store: folder.join("store.db"),
        lives: Vec::new(),
        start: Duration::ZERO,
        longest_start: Duration::ZERO,
        kills_before_serving: 0,
    };
    let mut client = Process::start(&["client", text(log)?, &seed.to_string()])?;
    for _ in 0..rounds {
        run.round(&mut client)?;
    }
    let mut node = run.begin()?;
    run.let_serve(&node, &mut client)?;
    client.tell("stop")?;
    let status = client.end(CLIENT_MAX, drop)?;
    if !status.success() {
        return Err(format!("the client ended with {status}").into());
    }
    node.close_input();
    let status = node.end(END_MAX, drop)?;
    if !status.success() {
        return Err(format!("the last node ended with {status}").into());
    }
    Ok(run)
}

impl Run {
    /// Starts the next life.
    fn begin(&mut self) -> Fallible<Process> {
        self.lives.push(Life { begun_at: self.clock.now() });
        Process::start(&["node", text(&self.store)?, &self.lives.len().to_string()])
    }

    /// Waits until the node serves, and tells the client.
    fn let_serve(&mut self, node: &Process, client: &mut Process) -> Fallible {
        let begun = self.clock.monotonic();
        match node.line(START_MAX) {
            Line::Text(port) => client.tell(&port)?,
            other => return Err(format!("a node did not start: {other:?}").into()),
        }
        self.start = self.clock.monotonic().saturating_sub(begun);
        self.longest_start = self.longest_start.max(self.start);
        Ok(())
    }

    /// One life and its end, at a random moment while it starts or while it
    /// serves.
    fn round(&mut self, client: &mut Process) -> Fallible {
        let node = self.begin()?;
        let early = self.start > Duration::ZERO && self.rng.random_ratio(1, EARLY);
        if early {
            // A little longer than a start takes, so that some kills meet a
            // node that has just begun to serve.
            let most = self.start.mul_f64(1.2).as_micros();
            let after = self.rng.random_range(0..=u64::try_from(most)?);
            match node.line(Duration::from_micros(after)) {
                Line::Silent => self.kills_before_serving += 1,
                Line::Text(port) => client.tell(&port)?,
                Line::Ended => return Err("a node ended while it started".into()),
            }
        } else {
            self.let_serve(&node, client)?;
            // Nothing more is said: this waits.
            if node.line(Duration::from_millis(self.rng.random_range(0..LIFE_MAX_MS))) == Line::Ended {
                return Err("a node ended by itself".into());
            }
        }
        node.kill()
    }
}

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn judge(rounds: u64, run: &Run, log: &Path) -> Fallible {
    let acks: Vec<Ack> = acks::read(log)?.into_iter().map(|noted| noted.ack).collect();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for ack in &acks {
        *counts.entry(ack.name()).or_default() += 1;
    }
    let promises = acks.iter().filter(|ack| ack.is_promise()).count();
    let unknown = acks.iter().filter(|ack| matches!(ack, Ack::Unknown { .. })).count();
    let found = runtime()?.block_on(audit::run(&run.store, &acks, &run.lives))?;
    println!(
        "{rounds} kills, {} of them before the node served; longest start {:?}",
        run.kills_before_serving, run.longest_start
    );
    println!("{promises} acknowledgements, {unknown} unknown outcomes:");
    for (name, count) in &counts {
        println!("  {name:<48} {count}");
    }
    println!("store: {} executions, {} events, ended as:", found.executions, found.events);
    for (outcome, count) in &found.outcomes {
        println!("  {outcome:<48} {count}");
    }
    println!(
        "leases: {} given up at a restart, {} reclaimed; from the restart to the last one given up {} ms, to the last \
         one reclaimed in the same life {} ms",
        found.given_up, found.reclaims, found.last_given_up_ms, found.last_reclaimed_ms
    );
    println!("leases lapsed by time: {}", found.lapsed);
    for problem in &found.problems {
        println!("PROBLEM {problem}");
    }
    if promises == 0 || (rounds > 0 && found.executions == 0) {
        return Err("nothing was acknowledged: this run proves nothing".into());
    }
    if found.problems.is_empty() {
        println!("nothing acknowledged is lost, every execution has ended exactly once");
        return Ok(());
    }
    Err(format!("{} problems", found.problems.len()).into())
}
