//! Commands: loading what they name, deciding, and holding the answer back.

use super::leases::MemoryRenewal;
use super::release::{Release, answer};
use super::state::{Alone, Parked, State, Tried};
use super::{PartitionMsg, Submit, Watcher};
use crate::engine::store_error;
use leasehold_backend::{Loaded, StoreResult};
use leasehold_contract::EngineResult;
use leasehold_core::command::{self, Command, Operation, Renewed, Reply, Subject, Verdict};
use leasehold_core::decision::{Context, Decision};
use leasehold_core::error::{BugKind, EngineError};
use leasehold_core::record::{BlobKey, Record, RecordKey, WaitKey};
use leasehold_core::time::TimestampMs;
use leasehold_core::view::{Need, Source};
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use uuid::Uuid;

/// Records and blobs asked for in one load; more go out with the next ones.
const LOAD_MAX: usize = 1024;

/// Takes the first so many out of a set.
fn first<T: Ord>(set: &mut BTreeSet<T>, count: usize) -> BTreeSet<T> {
    let mut taken = BTreeSet::new();
    while taken.len() < count
        && let Some(item) = set.pop_first()
    {
        taken.insert(item);
    }
    taken
}

impl State {
    /// Takes a command in. While commands go one by one, it queues behind
    /// them.
    pub(super) fn accept(&mut self, submit: Submit) {
        if self.alone.is_empty() && self.alone_now == Alone::Nobody {
            self.begin(submit);
        } else {
            self.alone.push_back(submit);
        }
    }

    /// Decides a command, or parks it until its records are here.
    fn begin(&mut self, submit: Submit) {
        if submit.minted {
            for key in submit.command.minted() {
                self.hot.absent(key);
            }
        }
        if let Subject::Execution(id) = submit.command.subject()
            && self.hot.execution(id.uuid()).is_some_and(|execution| execution.waits.is_none())
        {
            // It would carry a mark of them.
            self.hot.absent(WaitKey::Waits(id.uuid()).into());
        }
        if !self.recovered || self.want(&submit.command.keys()) {
            self.parked.push_back(Parked::Command(Box::new(submit)));
        } else {
            self.decide_and_hold(submit);
        }
    }

    /// Asks for records that are not at hand; whether any is missing.
    pub(super) fn want(&mut self, keys: &[RecordKey]) -> bool {
        let mut missing = false;
        for key in keys {
            if !self.hot.knows(key) {
                missing = true;
                if !self.loading.0.contains(key) {
                    self.wanted.0.insert(key.clone());
                }
            }
        }
        missing
    }

    /// Asks for what a decision found missing.
    fn want_all(&mut self, needs: Vec<Need>) {
        for need in needs {
            match need {
                Need::Record(key) => {
                    self.want(&[key]);
                }
                Need::Blob(key) => self.want_blob(key),
            }
        }
    }

    /// Asks for blobs.
    pub(super) fn want_blob(&mut self, key: BlobKey) {
        if !self.loading.1.contains(&key) {
            self.wanted.1.insert(key);
        }
    }

    /// Starts a load of everything wanted, unless one is under way: what is
    /// wanted meanwhile goes out together afterwards.
    pub(super) fn load_wanted(&mut self) {
        let idle = self.loading.0.is_empty() && self.loading.1.is_empty();
        let nothing = self.wanted.0.is_empty() && self.wanted.1.is_empty();
        if !self.recovered || !idle || nothing || self.lost {
            return;
        }
        self.loading.0 = first(&mut self.wanted.0, LOAD_MAX);
        self.loading.1 = first(&mut self.wanted.1, LOAD_MAX - self.loading.0.len());
        let keys: Vec<_> = self.loading.0.iter().cloned().collect();
        let blobs: Vec<_> = self.loading.1.iter().copied().collect();
        let (env, myself, partition, life) = (self.env.clone(), self.myself.clone(), self.partition, self.life);
        tokio::spawn(async move {
            let result = env.backend.load(partition, &keys, &blobs).await;
            if myself.cast(PartitionMsg::Loaded { keys, blobs, result, life }).is_err() {
                tracing::debug!(partition, "a load ended after its partition's actor did");
            }
        });
    }

    /// Records and blobs came.
    pub(super) fn loaded(&mut self, keys: Vec<RecordKey>, blobs: Vec<BlobKey>, result: StoreResult<Loaded>, life: u64) {
        if life != self.life {
            return;
        }
        self.loading.0.clear();
        self.loading.1.clear();
        match result {
            Ok(loaded) => {
                for (key, record) in keys.into_iter().zip(loaded.records) {
                    self.hot.loaded(key, record);
                }
                for (key, blob) in blobs.into_iter().zip(loaded.blobs) {
                    self.hot.loaded_blob(key, blob);
                }
                self.flows.loaded();
                self.run_parked();
            }
            Err(error) => {
                tracing::warn!(partition = self.partition, %error, "a load failed");
                let error = store_error::engine_error("load", self.env.backend.tag(), error);
                self.fail_parked(&error);
            }
        }
    }

    /// Runs what was parked, in order; what still misses something is parked
    /// again.
    pub(super) fn run_parked(&mut self) {
        self.walks = 0;
        for parked in std::mem::take(&mut self.parked) {
            match parked {
                Parked::Command(submit) => self.begin(*submit),
                Parked::Claim(request, sink, candidates) => self.claim_candidates(request, sink, candidates),
                Parked::Due(ids) => self.settle_all(ids),
                Parked::Own(command) => self.act(*command),
                Parked::ClaimedBefore(request, port) => self.claimed_before(request, port),
                Parked::Watch(id, port) => self.watch(id, port),
            }
        }
    }

    fn fail_parked(&mut self, error: &EngineError) {
        self.walks = 0;
        for parked in std::mem::take(&mut self.parked) {
            match parked {
                Parked::Command(submit) => answer(*submit, Err(error.clone())),
                Parked::Claim(_, sink, candidates) => {
                    self.unreserve(&candidates);
                    sink(Err(error.clone()));
                }
                Parked::Due(ids) => {
                    for id in ids {
                        self.settling.remove(&id);
                    }
                }
                // Tried again as soon as anything can be loaded.
                Parked::Own(command) => self.parked.push_back(Parked::Own(command)),
                Parked::ClaimedBefore(request, port) => self.claimed_before(request, port),
                Parked::Watch(_, port) => drop(port.send(Err(error.clone()))),
            }
        }
        self.flows.loaded();
        // The command that goes alone was among them, if it was waiting for
        // its records; the next one must not wait for it.
        if self.alone_now == Alone::Loading {
            self.alone_now = Alone::Nobody;
        }
    }

    /// Decides a command whose records are at hand.
    fn decide_and_hold(&mut self, submit: Submit) {
        if self.env.clock.monotonic() > submit.deadline {
            self.alone_decided(0);
            let elapsed_ms = u64::try_from(self.env.options.command_deadline.as_millis()).unwrap_or(u64::MAX);
            let op = submit.command.name();
            answer(submit, Err(EngineError::Timeout { op, elapsed_ms }));
            return;
        }
        // The router asked the same, before the store turned out to be full.
        if submit.command.grows() && self.env.backend.is_full() {
            self.alone_decided(0);
            answer(submit, Err(store_error::full()));
            return;
        }
        if let Some(renewed) = self.renew_from_memory(&submit.command) {
            self.alone_decided(0);
            answer(submit, Ok(renewed));
            return;
        }
        if submit.command.mints() {
            self.ensure_key();
        }
        let Tried::Decided(outcome, commit) = self.decide(&submit.command) else {
            self.parked.push_back(Parked::Command(Box::new(submit)));
            return;
        };
        self.alone_decided(commit);
        self.hold(submit, outcome, commit);
    }

    /// The command that goes alone is decided; the next one goes after its
    /// commit.
    fn alone_decided(&mut self, commit: u64) {
        if self.alone_now == Alone::Loading {
            self.alone_now = if commit > self.durable { Alone::Committing(commit) } else { Alone::Nobody };
        }
    }

    /// Lets an answer wait for its commit.
    fn hold(&mut self, submit: Submit, outcome: EngineResult<Reply>, commit: u64) {
        if commit <= self.durable {
            answer(submit, outcome);
        } else {
            self.waiting.add(commit, Release::Answer { submit: Box::new(submit), outcome });
        }
    }

    /// Decides and stages; the answer, and the commit it must wait for. A
    /// rule that panics refuses its command and leaves no trace. What turns
    /// out to be missing is asked for, and nothing is decided then.
    pub(super) fn decide(&mut self, command: &Command) -> Tried {
        let now = self.env.time.now();
        let random = self.env.entropy.unit();
        let (changes, outcome, touched) = match self.verdict(command, now, random) {
            Ok(Verdict::Decided(Decision { changes, outcome, touched })) => (changes, outcome, touched),
            Ok(Verdict::Needs(needs)) => {
                self.walk_on(needs);
                return Tried::Missing;
            }
            Err(_) => {
                tracing::error!(partition = self.partition, op = command.name(), "a rule panicked");
                return Tried::Decided(Err(EngineError::bug(BugKind::Panic, command.name())), self.durable);
            }
        };
        let mut commit = self.hot.staged_in(&touched);
        if !changes.is_empty() {
            commit = commit.max(self.stage(changes, now));
        }
        Tried::Decided(outcome, commit)
    }

    /// Asks for what a command would miss if it were decided now, and decides
    /// nothing.
    pub(super) fn look_ahead(&mut self, command: &Command) {
        let now = self.env.time.now();
        // A rule that panics will say so when its turn has come.
        if let Ok(Verdict::Needs(needs)) = self.verdict(command, now, 0.0) {
            self.walk_on(needs);
        }
    }

    /// What the rules say of a command over the records at hand.
    fn verdict(&self, command: &Command, now: TimestampMs, random: f64) -> std::thread::Result<Verdict> {
        let promised_until = match command.subject() {
            Subject::Execution(id) => self.leases.promised_until(id.uuid()),
            Subject::Flow(_) | Subject::Partition(_) => None,
        };
        let context = Context { now, random, promised_until };
        let (hot, limits) = (&self.hot, self.env.options.step_limits);
        std::panic::catch_unwind(AssertUnwindSafe(|| command::decide_within(command, hot, &context, limits)))
    }

    /// Loads what a decision misses, and keeps what it came across meanwhile.
    fn walk_on(&mut self, needs: Vec<Need>) {
        self.want_all(needs);
        self.walks += 1;
    }

    /// Carries out a command of the partition's own, whose answer nobody
    /// waits for, as soon as its records are here.
    pub(super) fn act(&mut self, command: Command) {
        match self.decide(&command) {
            Tried::Decided(Ok(_), _) => {}
            Tried::Decided(Err(error), _) => {
                tracing::error!(partition = self.partition, op = command.name(), %error, "the owner's own step failed");
            }
            Tried::Missing => self.parked.push_back(Parked::Own(Box::new(command))),
        }
    }

    /// Makes the partition's first token key where none was ever installed.
    fn ensure_key(&mut self) {
        if !matches!(self.hot.find(&WaitKey::Keyring.into()), Some(None)) {
            return;
        }
        if let Some(seed) = self.env.options.waitpoint_key.seed(self.partition, self.env.entropy.as_ref()) {
            tracing::info!(partition = self.partition, kid = seed.kid, "the partition gets its first waitpoint key");
            self.act(seed.into_command());
        }
    }

    /// A renewal that needs no commit, where the node's own lease allows to
    /// answer from memory.
    fn renew_from_memory(&mut self, command: &Command) -> Option<Reply> {
        let Command::RenewLease(args) = command else { return None };
        let fence = args.fence.shape().ok().flatten()?;
        let id = args.execution_id.uuid();
        let execution = self.hot.execution(id)?;
        let same = execution.id == args.execution_id && execution.current_attempt_index() == args.attempt_index;
        if !same || !self.node_lease.holds() {
            return None;
        }
        match self.leases.renew(id, &fence, args.lease_ttl_ms, self.env.time.now()) {
            MemoryRenewal::Promised(expires_at) => {
                Some(Reply::RenewLease(Renewed { expires_at, lease_epoch: fence.lease_epoch }))
            }
            MemoryRenewal::MustCommit => None,
        }
    }

    /// Decides what was in a failed commit again, before anything that came
    /// later.
    pub(super) fn retry_together(&mut self, parked: Vec<Parked>) {
        for parked in parked.into_iter().rev() {
            self.parked.push_front(parked);
        }
    }

    /// Decides commands of a failed commit again, each in a commit of its
    /// own, so that only the one that causes the failure fails.
    pub(super) fn retry_alone(&mut self, submits: Vec<Submit>) {
        self.alone_now = Alone::Nobody;
        for submit in submits.into_iter().rev() {
            self.alone.push_front(submit);
        }
    }

    /// Lets the next of the commands that go alone begin.
    pub(super) fn run_alone(&mut self) {
        while self.recovered && self.alone_now == Alone::Nobody {
            let Some(submit) = self.alone.pop_front() else { return };
            self.alone_now = Alone::Loading;
            self.begin(submit);
        }
    }

    /// Records as they are durable; none unless all are at hand, no change of
    /// them is under way, and this node certainly owns the partition.
    pub(super) fn recall(&self, keys: &[RecordKey]) -> Option<Vec<Option<Record>>> {
        let certain = self.recovered && !self.lost && self.node_lease.holds();
        if !certain || self.hot.staged_in(keys) > self.durable {
            return None;
        }
        keys.iter().map(|key| self.hot.find(key)).collect()
    }

    /// Tells when an execution has ended; at once if it has.
    pub(super) fn watch(&mut self, id: Uuid, port: Watcher) {
        let key = RecordKey::Execution(id);
        if !self.recovered || self.want(std::slice::from_ref(&key)) {
            self.parked.push_back(Parked::Watch(id, port));
            return;
        }
        let staged_in = self.hot.staged_in(std::slice::from_ref(&key));
        match self.hot.find(&key).flatten().as_ref().and_then(Record::as_execution) {
            None => drop(port.send(Err(EngineError::execution_not_found()))),
            Some(execution) if execution.vector().is_terminal() && staged_in <= self.durable => {
                drop(port.send(Ok(Arc::clone(execution))));
            }
            Some(_) => {
                let ports = self.watchers.entry(id).or_default();
                ports.retain(|port| !port.is_closed());
                ports.push(port);
            }
        }
    }
}
