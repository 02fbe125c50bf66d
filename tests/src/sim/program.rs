//! The program of a seed: what clients, workers and operators do, and when
//! things break.

use super::arguments::create;
use super::done::Done;
use super::ending;
use super::flow_op::FlowOp;
use super::known::{Known, remember};
use super::op::{Focus, Held, Op};
use super::oracle::Oracle;
use super::wait_op::{self, WaitOp};
use super::world::{PARTITION_CONFIG, PARTITIONS, World, settle};
use leasehold_actors::EngineHandle;
use leasehold_backend::{Clock, Entropy, SeededEntropy};
use leasehold_core::error::ErrorClass;
use leasehold_memory::inbox;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Commands under way at once.
const UNDER_WAY_MAX: usize = 8;

/// Rounds the last phase may take; each lets five seconds pass.
const FINISH_ROUNDS: usize = 600;

/// What seeds are about, in turn.
const FOCI: [Focus; 4] = [
    Focus { waits: 10, flows: 10 },
    Focus { waits: 45, flows: 5 },
    Focus { waits: 5, flows: 35 },
    Focus { waits: 25, flows: 20 },
];

/// The program of a seed.
pub struct Program {
    entropy: Arc<dyn Entropy>,
    under_way: Vec<(usize, &'static str, JoinHandle<Done>)>,
    held: Vec<Held>,
    known: Known,
    focus: Focus,
    commands: usize,
    by_operation: BTreeMap<&'static str, u64>,
    errors: BTreeMap<&'static str, u64>,
    trace: String,
    violations: Vec<String>,
}

impl Program {
    /// The program of a seed.
    pub fn new(seed: u64) -> Self {
        Self {
            entropy: Arc::new(SeededEntropy::new(seed)),
            under_way: Vec::new(),
            held: Vec::new(),
            known: Known::default(),
            focus: FOCI[(seed % FOCI.len() as u64) as usize],
            commands: 0,
            by_operation: BTreeMap::new(),
            errors: BTreeMap::new(),
            trace: String::new(),
            violations: Vec::new(),
        }
    }

    /// Commands so far.
    pub const fn commands(&self) -> usize {
        self.commands
    }

    /// Commands by operation.
    pub const fn by_operation(&self) -> &BTreeMap<&'static str, u64> {
        &self.by_operation
    }

    /// Errors by code.
    pub const fn errors(&self) -> &BTreeMap<&'static str, u64> {
        &self.errors
    }

    /// Everything that happened so far.
    pub fn take_trace(&mut self) -> String {
        std::mem::take(&mut self.trace)
    }

    fn below(&self, count: u64) -> u64 {
        self.entropy.next_u64() % count.max(1)
    }

    fn note(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.trace, "{line}").expect("writing to a string");
    }

    /// One step: commands begin, time passes, something breaks, answers come.
    pub async fn step(&mut self, world: &mut World, oracle: &mut Oracle) {
        match self.below(100) {
            0..=69 => {
                for _ in 0..=self.below(4) {
                    self.begin(world, oracle);
                }
            }
            70..=89 => {
                let ms = if self.below(10) == 0 { self.below(20_000) } else { self.below(800) };
                world.advance(ms + 1).await;
            }
            90 => {
                let by = i64::try_from(self.below(20_000)).unwrap_or(0) - 10_000;
                world.clock.step_wall(by);
                world.count("clock_step");
                self.note(format_args!("clock steps by {by}"));
            }
            91 | 92 => {
                world.panic_partition(self.below(u64::from(PARTITIONS)) as u16).await;
            }
            93 | 94 if !self.held.is_empty() => {
                // A worker dies with everything it holds.
                let keep = self.below(self.held.len() as u64) as usize;
                self.held.truncate(keep);
                world.count("worker_death");
            }
            96..=97 => self.leave(world, oracle),
            98..=99 => self.storm(world, oracle),
            95 if self.commands > 100 => self.kill(world, oracle).await,
            _ => {}
        }
        settle().await;
        if world.halves().await.contains(&"death_in_cascade") && self.below(4) == 0 {
            self.kill(world, oracle).await;
        }
        world.notice_crashes().await;
        if world.engine().is_none() {
            self.note(format_args!("node crashed"));
            self.abandon(oracle).await;
            world.advance(self.below(20_000)).await;
            world.revive().await;
        }
        self.collect(oracle).await;
    }

    /// The node dies, and another one takes over after a while.
    async fn kill(&mut self, world: &mut World, oracle: &mut Oracle) {
        world.kill().await;
        world.count("node_kill");
        self.note(format_args!("node killed"));
        self.abandon(oracle).await;
        world.advance(self.below(20_000)).await;
        world.revive().await;
    }

    /// Outside writers commit creates to the inbox, whether a node lives or
    /// not, and may or may not say so.
    fn leave(&mut self, world: &mut World, oracle: &mut Oracle) {
        for _ in 0..=self.below(4) {
            let args = create(self.entropy.as_ref(), world.clock.now(), &PARTITION_CONFIG);
            let key = args.idempotency_key.clone();
            let id = inbox::create(world.store(), &args).expect("it is well-formed");
            oracle.left(id, key.as_deref());
            self.note(format_args!("outside create of {id} under {key:?}"));
            world.count("outside_create");
        }
        if self.below(2) == 0 {
            inbox::announce(world.store());
        }
    }

    /// Many senders signal one waitpoint at once.
    fn storm(&mut self, world: &mut World, oracle: &mut Oracle) {
        let Some(engine) = world.engine() else { return };
        let signals = wait_op::storm(self.entropy.as_ref(), &self.known);
        if !signals.is_empty() {
            world.count("signal_storm");
        }
        for signal in signals {
            self.spawn(engine.clone(), Op::Wait(signal), oracle);
        }
    }

    fn begin(&mut self, world: &World, oracle: &mut Oracle) {
        if self.under_way.len() >= UNDER_WAY_MAX {
            return;
        }
        let Some(engine) = world.engine() else { return };
        let mut executions = oracle.executions();
        executions.extend(&self.known.hopeful);
        let now = engine.router().partition_time();
        let op = Op::choose(self.entropy.as_ref(), self.focus, &executions, &self.held, &self.known, now);
        self.spawn(engine, op, oracle);
    }

    /// Takes note of what is asked for, since its answer may be lost.
    fn asked(&mut self, op: &Op, oracle: &mut Oracle) {
        match op {
            Op::Wait(WaitOp::Signal(args, false)) => remember(&mut self.known.sent, (**args).clone()),
            Op::Wait(WaitOp::Suspend(held, args, _)) => {
                remember(&mut self.known.suspends, (held.clone(), (**args).clone()));
            }
            Op::Wait(WaitOp::Rotate(_)) => self.known.rotations += 1,
            Op::Flow(FlowOp::Submit(declared)) => {
                for node in declared.0.nodes.iter().take(4) {
                    remember(&mut self.known.hopeful, node.execution.execution_id);
                }
                remember(&mut self.known.declared, (**declared).clone());
            }
            Op::Flow(FlowOp::Drain(flow, _)) => oracle.flows.interfered(*flow),
            Op::Flow(FlowOp::Resolve(args)) => oracle.flows.interfered(args.flow_id),
            _ => {}
        }
    }

    fn spawn(&mut self, engine: EngineHandle, op: Op, oracle: &mut Oracle) {
        self.asked(&op, oracle);
        let number = self.commands;
        self.commands += 1;
        let name = op.name();
        *self.by_operation.entry(name).or_default() += 1;
        self.note(format_args!("{number} {op:?}"));
        self.under_way.push((number, name, tokio::spawn(op.run(engine))));
    }

    /// The node has died, and whoever called it in its process with it.
    async fn abandon(&mut self, oracle: &mut Oracle) {
        self.collect(oracle).await;
        for (number, _, task) in std::mem::take(&mut self.under_way) {
            task.abort();
            writeln!(self.trace, "{number} -> abandoned").expect("writing to a string");
        }
    }

    /// Takes in the answers that have come.
    async fn collect(&mut self, oracle: &mut Oracle) {
        let mut waiting = Vec::new();
        for (number, name, task) in std::mem::take(&mut self.under_way) {
            if !task.is_finished() {
                waiting.push((number, name, task));
                continue;
            }
            match task.await {
                Ok(done) => self.took(number, name, done, oracle),
                Err(error) => self.violations.push(format!("{number} {name}: the caller panicked: {error}")),
            }
        }
        self.under_way = waiting;
    }

    fn took(&mut self, number: usize, name: &'static str, done: Done, oracle: &mut Oracle) {
        let line = done.line();
        self.note(format_args!("{number} -> {line}"));
        if let Some(error) = done.error() {
            *self.errors.entry(error.code()).or_default() += 1;
            if error.class() == ErrorClass::Bug || error.code() == "corruption" {
                self.violations.push(format!("{number} {name}: {error}"));
            }
        }
        if let Some(wrong) = done.wrong() {
            self.violations.push(format!("{number} {name}: {wrong}"));
        }
        done.tell(oracle, &mut self.known, &mut self.held);
    }

    /// Without faults, everything that can end must end.
    ///
    /// # Errors
    ///
    /// What did not.
    pub async fn finish(&mut self, world: &mut World, oracle: &mut Oracle) -> Result<(), String> {
        self.held.clear();
        for _ in 0..FINISH_ROUNDS {
            world.advance(5000).await;
            world.notice_crashes().await;
            world.revive().await;
            self.collect(oracle).await;
            let Some(engine) = world.engine() else { continue };
            for op in ending::help(&world.inspector()).await {
                self.spawn(engine.clone(), op, oracle);
            }
            self.spawn(engine.clone(), Op::take_all(self.entropy.as_ref()), oracle);
            settle().await;
            world.advance(1000).await;
            self.collect(oracle).await;
            for held in std::mem::take(&mut self.held) {
                self.spawn(engine.clone(), Op::complete(held), oracle);
            }
            settle().await;
            self.collect(oracle).await;
            if self.under_way.is_empty() && ending::is_over(&world.inspector()).await {
                return self.violations.first().map_or(Ok(()), |violation| Err(violation.clone()));
            }
        }
        let waiting: Vec<_> = self.under_way.iter().map(|(number, name, _)| format!("{number} {name}")).collect();
        let left = ending::left(&world.inspector()).await;
        Err(format!("stuck: {left:?}, commands without an answer {waiting:?}"))
    }
}
