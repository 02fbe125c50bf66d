//! One round: nodes and clients as processes, and the account in the end.
//!
//! ```text
//! round ── faults ──▶ store ◀── node ◀── client   load, remote workers, the log
//!   └───── the account: the store's contents and events, and the clients' logs
//! ```
//!
//! Nodes and clients are those of the process test ([`crate::kills`]): each
//! client appends what it was told to a file before it goes on, and repeats a
//! call until it has an answer. A node that ends by itself fails the round.

use super::account::Account;
use super::caller::{Caller, is_fresh_create};
use super::spec::{ANSWER_MAX, NODE_LEASE, NodeSpec, PARTITIONS, StoreSpec, WORK_LEASE};
use crate::kills::acks::{Ack, Noted};
use crate::kills::audit::{self, Promises};
use crate::kills::client::Options;
use crate::kills::process::{Line, Process};
use crate::kills::{Fallible, runtime};
use leasehold_backend::{Clock, SystemClock};
use leasehold_core::partition::PartitionConfig;
use leasehold_services::wait_for;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long a node may take to print its port: a store that takes a moment to
/// come up is part of it.
const START_MAX: Duration = Duration::from_secs(30);

/// How long it may take until something is acknowledged again.
const SERVED_MAX: Duration = Duration::from_secs(30);

/// How long a node may take to end in order.
const END_MAX: Duration = Duration::from_secs(60);

/// How long everything acknowledged may take to end after the last fault.
const SETTLE_MAX: Duration = Duration::from_secs(60);

/// How often each submitter submits.
const PACE: Duration = Duration::from_millis(40);

/// Acknowledgements before the first fault.
const WARM: usize = 60;

/// Between two looks at a process or at something it has done.
const LOOK: Duration = Duration::from_millis(20);

/// A node.
struct Served {
    /// None once it was ended.
    process: Option<Process>,
    port: String,
}

/// A round under way.
pub struct Play {
    /// Where the plan's randomness comes from.
    pub rng: StdRng,
    /// For what the round itself asks of stores.
    pub runtime: Runtime,
    folder: Option<TempDir>,
    clock: SystemClock,
    nodes: Vec<Served>,
    callers: Vec<Caller>,
    /// When acknowledgements may be lost, from and to.
    loose: Vec<(i64, i64)>,
    account: Account,
}

impl Play {
    /// A round without processes.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn new(seed: u64) -> Fallible<Self> {
        Ok(Self {
            rng: StdRng::seed_from_u64(seed),
            runtime: runtime()?,
            folder: Some(tempfile::tempdir()?),
            clock: SystemClock::default(),
            nodes: Vec::new(),
            callers: Vec::new(),
            loose: Vec::new(),
            account: Account::default(),
        })
    }

    /// A round in which a node serves a store and a client calls it, and
    /// something was acknowledged already.
    ///
    /// # Errors
    ///
    /// When it does not come to that.
    pub fn begin(seed: u64, store: &StoreSpec) -> Fallible<Self> {
        Self::new(seed)?.with_load(store, &[])
    }

    /// Adds a first node, run by `wrapper`, and a client that calls it, and
    /// waits until something was acknowledged.
    ///
    /// # Errors
    ///
    /// When it does not come to that.
    pub fn with_load(self, store: &StoreSpec, wrapper: &[&str]) -> Fallible<Self> {
        let mut play = self;
        play.runtime.block_on(store.set_up())?;
        let node = play.start_node(store, wrapper)?;
        play.start_client(node)?;
        play.warm_up()?;
        Ok(play)
    }

    /// Wall-clock milliseconds.
    pub fn now(&self) -> i64 {
        self.clock.now().0
    }

    /// A duration between two, drawn.
    pub fn draw(&mut self, from_ms: u64, to_ms: u64) -> Duration {
        Duration::from_millis(self.rng.random_range(from_ms..=to_ms))
    }

    /// Where the round keeps its files.
    ///
    /// # Panics
    ///
    /// Never: the folder goes with the round.
    pub fn folder(&self) -> &Path {
        self.folder.as_ref().expect("a round has a folder until it is dropped").path()
    }

    /// Starts a node, run by `wrapper` where that is not empty, and waits
    /// until it serves.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn start_node(&mut self, store: &StoreSpec, wrapper: &[&str]) -> Fallible<usize> {
        let number = self.nodes.len() + 1;
        let spec = serde_json::to_string(&NodeSpec { store: store.clone(), number: number as u64 })?;
        let log = File::create(self.folder().join(format!("node-{number}.log")))?;
        let process = Process::start_under(wrapper, &["node", &spec], Some(log))?;
        match process.line(START_MAX) {
            Line::Text(port) => self.nodes.push(Served { process: Some(process), port }),
            other => return Err(format!("node {number} did not start: {other:?}").into()),
        }
        Ok(number - 1)
    }

    /// Starts a client that calls a node.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn start_client(&mut self, node: usize) -> Fallible<usize> {
        let number = self.callers.len() + 1;
        let log = self.folder().join(format!("acks-{number}"));
        File::create(&log)?;
        let options = Options {
            log: log.clone(),
            seed: self.rng.random::<u64>() >> 16,
            partitions: PARTITIONS.num_flow_partitions,
            lease_ttl_ms: ms(WORK_LEASE),
            pace_ms: ms(PACE),
            settle_ms: ms(SETTLE_MAX),
        };
        let process = Process::start_under(&[], &["client", &serde_json::to_string(&options)?], None)?;
        self.callers.push(Caller { process, log, read_up_to: 0, noted: Vec::new() });
        self.direct(number - 1, node)?;
        Ok(number - 1)
    }

    /// Lets a client call a node.
    ///
    /// # Errors
    ///
    /// When the client is gone.
    pub fn direct(&mut self, client: usize, node: usize) -> Fallible {
        let port = self.nodes[node].port.clone();
        self.callers[client].process.tell(&port)
    }

    /// The process of a node; none when it has ended.
    pub fn pid(&self, node: usize) -> Option<u32> {
        self.nodes[node].process.as_ref().map(Process::pid)
    }

    /// Ends a node in order.
    ///
    /// # Errors
    ///
    /// When it does not end so.
    pub fn end_node(&mut self, node: usize) -> Fallible {
        let ended = self.nodes[node].process.take().ok_or("the node has ended before")?;
        end(ended, node + 1)
    }

    /// Sends a signal to a node.
    ///
    /// # Errors
    ///
    /// When it is not there any more.
    pub fn signal(&self, node: usize, signal: Signal) -> Fallible {
        let process = self.nodes[node].process.as_ref().ok_or("the node has ended before")?;
        let pid = i32::try_from(process.pid()).ok().and_then(Pid::from_raw).ok_or("a strange process id")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Lets time pass.
    ///
    /// # Errors
    ///
    /// When a node or a client ends meanwhile.
    pub fn pass(&mut self, time: Duration) -> Fallible {
        let end = self.clock.monotonic() + time;
        loop {
            self.check_processes()?;
            let left = end.saturating_sub(self.clock.monotonic());
            if left.is_zero() {
                return Ok(());
            }
            // tidy: sleep because foreign processes tell nobody what they do
            self.runtime.block_on(self.clock.sleep(left.min(LOOK)));
        }
    }

    fn check_processes(&mut self) -> Fallible {
        for (index, node) in self.nodes.iter_mut().enumerate() {
            if let Some(process) = &mut node.process
                && let Some(status) = process.ended()?
            {
                return Err(format!("node {} ended by itself: {status}", index + 1).into());
            }
        }
        for (index, caller) in self.callers.iter_mut().enumerate() {
            if let Some(status) = caller.process.ended()? {
                return Err(format!("client {} ended by itself: {status}", index + 1).into());
            }
        }
        Ok(())
    }

    /// Waits for something that processes do.
    ///
    /// # Errors
    ///
    /// When it does not happen in time.
    pub fn until(
        &mut self,
        what: &str,
        limit: Duration,
        mut seen: impl FnMut(&mut Self) -> Fallible<bool>,
    ) -> Fallible {
        let end = self.clock.monotonic() + limit;
        while !seen(self)? {
            if self.clock.monotonic() > end {
                return Err(format!("not within {limit:?}: {what}").into());
            }
            self.pass(LOOK)?;
        }
        Ok(())
    }

    /// What every client has noted so far.
    ///
    /// # Errors
    ///
    /// When a log cannot be read.
    pub fn noted(&mut self) -> Fallible<impl Iterator<Item = &Noted>> {
        for caller in &mut self.callers {
            caller.read_on()?;
        }
        Ok(self.callers.iter().flat_map(|caller| &caller.noted))
    }

    /// Waits until enough is acknowledged for a fault to fall into the midst
    /// of things.
    ///
    /// # Errors
    ///
    /// When nothing is.
    pub fn warm_up(&mut self) -> Fallible {
        self.until("a load under way", SERVED_MAX, |play| {
            Ok(play.noted()?.filter(|noted| noted.ack.is_promise()).count() >= WARM)
        })
    }

    /// Waits until something new is acknowledged: a create whose answer says
    /// that it was not known before, which nothing but a commit can give.
    ///
    /// # Errors
    ///
    /// When nothing is, or a process has ended.
    pub fn served_again(&mut self) -> Fallible {
        let since = self.now();
        self.until("an acknowledged create after the fault", SERVED_MAX, |play| {
            Ok(play.noted()?.any(|noted| noted.at > since && is_fresh_create(&noted.ack)))
        })?;
        let took = u64::try_from(self.now() - since).unwrap_or_default();
        self.account.slowest = self.account.slowest.max(Duration::from_millis(took));
        Ok(())
    }

    /// How many calls so far were answered as `wanted` says, between two
    /// times.
    ///
    /// # Errors
    ///
    /// When a log cannot be read.
    pub fn answered(&mut self, from: i64, to: i64, wanted: fn(&Ack) -> bool) -> Fallible<u64> {
        Ok(self.noted()?.filter(|noted| (from..=to).contains(&noted.at) && wanted(&noted.ack)).count() as u64)
    }

    /// Says that what is acknowledged between two times may be lost.
    pub fn loosen(&mut self, from: i64, to: i64) {
        self.loose.push((from, to));
    }

    /// Counts something worth telling.
    pub fn count(&mut self, what: &str, times: u64) {
        *self.account.notes.entry(what.to_owned()).or_default() += times;
    }

    /// Lets everything come to rest, ends the processes and judges.
    ///
    /// # Errors
    ///
    /// When something does not come to rest, or the store cannot be read.
    pub fn settle(mut self, store: &StoreSpec) -> Fallible<Account> {
        for caller in &mut self.callers {
            caller.process.tell("stop")?;
        }
        let mut acks = (Vec::new(), Vec::new());
        for mut caller in std::mem::take(&mut self.callers) {
            let most = SETTLE_MAX + NODE_LEASE + ANSWER_MAX + Duration::from_secs(30);
            // Waits by looking, so that a node that ends meanwhile is told.
            let ended = wait_for(most, || caller.process.ended())?;
            match ended {
                Some(status) if status.success() => {}
                Some(status) => return Err(format!("a client ended with {status}: see its last words above").into()),
                None => return Err(format!("a client did not end within {most:?}").into()),
            }
            caller.read_on()?;
            for noted in caller.noted {
                // Whatever was under way meanwhile may have been carried out then.
                let is_loose = self.loose.iter().any(|(from, to)| noted.since <= *to && noted.at >= *from);
                self.account.add(&noted.ack);
                if is_loose { acks.1.push(noted.ack) } else { acks.0.push(noted.ack) }
            }
        }
        for (index, node) in std::mem::take(&mut self.nodes).into_iter().enumerate() {
            if let Some(process) = node.process {
                end(process, index + 1)?;
            }
        }
        let found = self.runtime.block_on(judge(store, Promises { firm: &acks.0, loose: &acks.1 }))?;
        self.account.executions += found.executions;
        self.account.lost += found.lost;
        self.account.problems.extend(found.problems);
        if self.account.acknowledged == 0 {
            self.account.problems.push("nothing was acknowledged: this round proves nothing".to_owned());
        }
        let account = std::mem::take(&mut self.account);
        if account.problems.is_empty() {
            // Dropped, it is removed.
            drop(self.folder.take());
        }
        Ok(account)
    }
}

impl Drop for Play {
    #[expect(clippy::print_stderr, reason = "whoever looks for the cause needs the files")]
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take() {
            eprintln!("the files of this round are kept in {}", folder.keep().display());
        }
    }
}

/// Ends a node in order.
fn end(mut node: Process, number: usize) -> Fallible {
    node.close_input();
    let status = node.end(END_MAX, drop)?;
    if status.success() { Ok(()) } else { Err(format!("node {number} ended with {status}").into()) }
}

async fn judge(store: &StoreSpec, acks: Promises<'_>) -> Fallible<audit::Found> {
    let backend = store.open_at_leisure().await?;
    let prepared = backend.prepare(&PARTITIONS).await;
    let found = match prepared {
        Ok(_) => {
            let PartitionConfig { num_flow_partitions, .. } = PARTITIONS;
            audit::run_on(backend.as_ref(), num_flow_partitions, acks, &[]).await
        }
        Err(error) => Err(error.into()),
    };
    backend.close().await;
    found
}

/// A duration in the unit of options.
fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
