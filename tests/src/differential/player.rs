//! Playing a program on one store.

use super::answer::Answer;
use super::call::Call;
use super::choose::{Chooser, creates_together};
use super::contents;
use super::kept;
use super::program::{Dice, Program, Setup, Step};
use super::seen::Seen;
use super::transcript::Transcript;
use crate::checker::Assumptions;
use crate::harness::{self, Harness, Options, Target};
use futures::FutureExt as _;
use leasehold_contract::Maintenance;
use leasehold_core::handle::BackendTag;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long an engine may take to end what is under way, in its own time.
const GRACE: Duration = Duration::from_secs(1);

/// Commands that are given while the engine takes nothing new.
const WHILE_DRAINING: usize = 3;

/// Plays a program; `change` may alter the options it is played with.
pub async fn play(program: &Program, target: Target, change: impl FnOnce(&mut Options)) -> Transcript {
    let mut options = program.setup.options();
    change(&mut options);
    let mut transcript = Transcript::default();
    // A store that breaks a rule makes the harness panic. That is the result
    // of this program and must not be the end of all others.
    let played = AssertUnwindSafe(play_into(program, target, options, &mut transcript)).catch_unwind().await;
    if let Err(panic) = played {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        transcript.broken = Some(text.unwrap_or_else(|| "a panic without words".to_owned()));
    }
    transcript
}

async fn play_into(program: &Program, target: Target, options: Options, transcript: &mut Transcript) {
    let mut harness = harness::start(target, options).await;
    // Failures may be reported with a retry policy of their own.
    harness.assumptions = Assumptions { stored_retry_policy_binds: false };
    harness.settle().await;
    transcript.offered = harness.handle.capabilities().supports.into_keys().collect();
    let tag = harness.backend.tag();
    let mut player =
        Player { harness, tag, setup: program.setup, seen: Seen::default(), waiting: Vec::new(), transcript, step: 0 };
    for (number, step) in program.steps.iter().enumerate() {
        player.step = number;
        player.take(*step).await;
        player.collect().await;
    }
    player.hang_up().await;
    // What an engine keeps to itself is stored when it ends.
    player.harness.restart().await;
    player.harness.settle().await;
    for line in contents::describe(player.harness.backend.as_ref(), program.setup.partitions).await {
        player.transcript.note(None, &line);
    }
    for line in kept::describe(player.harness.backend.as_ref(), program.setup.partitions, &player.seen).await {
        player.transcript.note(None, &line);
    }
    player.harness.finish().await;
}

struct Waiting {
    number: usize,
    name: &'static str,
    answer: JoinHandle<Answer>,
}

struct Player<'a> {
    harness: Harness,
    tag: BackendTag,
    setup: Setup,
    seen: Seen,
    /// Calls without an answer yet, oldest first.
    waiting: Vec<Waiting>,
    transcript: &'a mut Transcript,
    step: usize,
}

impl Player<'_> {
    async fn take(&mut self, step: Step) {
        if !matches!(step, Step::Commands(_) | Step::Together(_)) {
            self.note(&format!("{step:?}"));
        }
        match step {
            Step::Commands(seed) => {
                for call in self.chooser(seed).choose() {
                    self.run(call).await;
                }
            }
            Step::Together(seed) => {
                let calls = creates_together(&mut self.chooser(seed));
                for call in calls {
                    self.begin(call);
                }
                self.harness.settle().await;
            }
            Step::Pass(ms) => self.harness.pass(ms).await,
            Step::Leap(ms) => self.harness.advance(ms),
            Step::StepWall(ms) => self.harness.clock.step_wall(ms),
            Step::Restart => {
                self.hang_up().await;
                self.harness.restart().await;
            }
            Step::Drain(seed) => {
                self.hang_up().await;
                self.run(Call::ShutdownPrepare(GRACE)).await;
                for number in 0..WHILE_DRAINING as u64 {
                    for call in self.chooser(seed.wrapping_add(number)).choose() {
                        self.run(call).await;
                    }
                }
                self.hang_up().await;
                self.harness.restart().await;
            }
            Step::Kill(ms) => {
                self.hang_up().await;
                self.harness.kill_for(ms).await;
            }
        }
        self.harness.settle().await;
    }

    fn chooser(&mut self, seed: u64) -> Chooser<'_> {
        Chooser { dice: Dice::new(seed), now: self.harness.now(), setup: self.setup, seen: &mut self.seen }
    }

    fn note(&mut self, text: &str) {
        self.transcript.note(Some(self.step), text);
    }

    /// Runs a call until nothing moves any more without time passing.
    async fn run(&mut self, call: Call) {
        let races = call.takes_what_comes() && self.setup.partitions > 1;
        self.begin(call);
        self.harness.settle().await;
        self.collect().await;
        if races {
            self.hang_up_races().await;
        }
    }

    fn begin(&mut self, call: Call) {
        let (number, name) = (self.transcript.lines.len(), call.name());
        // How often an engine draws is no promise: one over a store with an
        // inbox decides twice on what does not exist.
        self.harness.reseed(self.setup.seed.wrapping_add(number as u64));
        self.note(&format!("{call:?}"));
        *self.transcript.calls.entry(name).or_default() += 1;
        let answer = tokio::spawn(call.run(self.harness.handle.clone(), self.tag));
        self.waiting.push(Waiting { number, name, answer });
    }

    /// Takes in the answers that have come.
    async fn collect(&mut self) {
        for waiting in std::mem::take(&mut self.waiting) {
            if !waiting.answer.is_finished() {
                self.waiting.push(waiting);
                continue;
            }
            let Waiting { number, name, answer } = waiting;
            let Answer { text, error, learned } = answer.await.expect("a call does not panic");
            self.note(&format!("{number} {name} -> {text}"));
            match error {
                Some(code) => *self.transcript.errors.entry(code).or_default() += 1,
                None => *self.transcript.granted.entry(name).or_default() += 1,
            }
            for learned in learned {
                self.seen.learn(learned);
            }
        }
    }

    /// Callers give up.
    async fn hang_up(&mut self) {
        for Waiting { number, name, answer } in std::mem::take(&mut self.waiting) {
            answer.abort();
            self.note(&format!("{number} {name} hangs up"));
        }
        self.harness.settle().await;
    }

    /// Those that wait for whatever work comes give up.
    async fn hang_up_races(&mut self) {
        let races = |waiting: &Waiting| matches!(waiting.name, "claim" | "poll_tasks");
        let (racing, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting).into_iter().partition(races);
        self.waiting = racing;
        self.hang_up().await;
        self.waiting = others;
    }
}
