//! Calls: commands for a slot, sent where the slot is served.
//!
//! One pipeline goes to each primary, those of several primaries at the same
//! time. A command that the server refused to begin (the slot is served
//! elsewhere, the function library is missing) is sent again once the reason
//! is mended: nothing was executed, so no call is lost and none is doubled. A
//! pipeline without an answer is sent again only where the caller says that
//! repeating does no harm.

mod group;
mod link;
mod runs;
mod topology;

pub(crate) use link::{Cut, Timeouts};
pub(crate) use runs::Runs;
pub(crate) use topology::{Lane, Primary, Surveyor, Topology, WireTimeouts, slot_of};

use crate::errors;
use crate::library;
use crate::stats::Counters;
use futures::future::join_all;
use leasehold_backend::{StoreError, StoreResult};
use redis::{Cmd, Value};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Mutex;

/// The most commands of one pipeline.
const COMMANDS_MAX: usize = 512;

/// How often a call is sent while its refusals can be mended.
const TRIES: usize = 4;

/// Commands for one slot, answered together.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) slot: u16,
    pub(crate) commands: Vec<Cmd>,
}

impl Call {
    /// Commands for the slot of a tag.
    pub(crate) fn new(tag: &str, commands: Vec<Cmd>) -> Self {
        Self { slot: slot_of(tag), commands }
    }
}

/// How calls are sent.
#[derive(Clone, Debug)]
pub(crate) struct How {
    pub(crate) lane: Lane,
    /// Whether a pipeline without an answer may be sent again.
    pub(crate) repeatable: bool,
    /// A command that ends each pipeline and waits for the disk or for
    /// replicas, with the test of its answer.
    pub(crate) wait: Option<Wait>,
}

impl How {
    /// A read: may be sent again.
    pub(crate) const READ: Self = Self { lane: Lane::Reads, repeatable: true, wait: None };
}

/// A wait for the disk or for replicas.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    pub(crate) command: Cmd,
    /// How many must have acknowledged.
    pub(crate) wanted: u32,
}

impl Wait {
    /// Why the answer is not enough, if it is not.
    fn shortfall(&self, answer: &Value) -> Option<String> {
        let got = match answer {
            Value::Int(replicas) => Some(*replicas),
            // WAITAOF: this server's disk, replicas' disks.
            Value::Array(counts) => match counts.first() {
                Some(Value::Int(local)) => Some(*local),
                _ => None,
            },
            _ => None,
        };
        match got {
            Some(got) if got >= i64::from(self.wanted) => None,
            Some(got) => Some(format!("{got} of {} acknowledgements in time", self.wanted)),
            None => Some(format!("the wait for durability answered {answer:?}")),
        }
    }
}

/// What became of a call.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// One value per command, errors of the server among them.
    Values(Vec<Value>),
    /// Nothing was executed.
    Unreached(String),
    /// It may have been executed, or is not as durable as it should be.
    Unknown(String),
}

impl Answer {
    /// The values of a read, or what its failure means.
    pub(crate) fn read(self) -> StoreResult<Vec<Value>> {
        match self {
            Self::Values(values) => match values.iter().find_map(error_of) {
                Some(error) => Err(errors::of_server(error)),
                None => Ok(values),
            },
            Self::Unreached(text) | Self::Unknown(text) => Err(StoreError::busy(text)),
        }
    }

    /// The values of a write, or what its failure means.
    pub(crate) fn write(self) -> StoreResult<Vec<Value>> {
        match self {
            Self::Unknown(text) => Err(StoreError::unknown(text)),
            other => other.read(),
        }
    }
}

pub(crate) const fn error_of(value: &Value) -> Option<&redis::ServerError> {
    match value {
        Value::ServerError(error) => Some(error),
        _ => None,
    }
}

/// The way to the servers.
pub(crate) struct Wire {
    surveyor: Surveyor,
    topology: RwLock<Arc<Topology>>,
    /// One survey at a time.
    survey: Mutex<()>,
    pub(crate) counters: Arc<Counters>,
}

impl Wire {
    pub(crate) fn new(surveyor: Surveyor) -> Self {
        let counters = Arc::clone(&surveyor.counters);
        let topology = Topology { primaries: surveyor.seeds(), ..Topology::default() };
        Self { surveyor, topology: RwLock::new(Arc::new(topology)), survey: Mutex::default(), counters }
    }

    /// Who serves what, as far as is known.
    pub(crate) fn topology(&self) -> Arc<Topology> {
        Arc::clone(&self.topology.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the servers whether they are a Cluster and who serves what.
    pub(crate) async fn find_cluster(&self) -> Result<(), Cut> {
        let mut last = Cut::Unreached("no address is configured".to_owned());
        for seed in &self.topology().primaries {
            let info = redis::cmd("INFO").arg("cluster").clone();
            match seed.send(Lane::Reads, [&info]).await {
                Ok(values) => {
                    let clustered = values.first().and_then(crate::values::text);
                    if clustered.is_some_and(|text| text.contains("cluster_enabled:1")) {
                        return self.refresh().await;
                    }
                    let topology = Topology { primaries: vec![Arc::clone(seed)], ..Topology::default() };
                    self.put(topology);
                    return Ok(());
                }
                Err(cut) => last = cut,
            }
        }
        Err(last)
    }

    fn put(&self, topology: Topology) {
        *self.topology.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(topology);
    }

    /// Asks anybody who serves what. A single server has nothing to say.
    async fn refresh(&self) -> Result<(), Cut> {
        let seen = self.topology();
        let _one = self.survey.lock().await;
        let before = self.topology();
        if !Arc::ptr_eq(&seen, &before) {
            return Ok(());
        }
        let slots = redis::cmd("CLUSTER").arg("SLOTS").clone();
        let mut last = Cut::Unreached("nobody says who serves which slot".to_owned());
        let seeds = self.surveyor.seeds();
        for server in before.primaries.iter().chain(&seeds) {
            match server.send(Lane::Reads, [&slots]).await {
                Ok(values) => {
                    let found = values.first().and_then(|value| self.surveyor.cluster(value, server, &before));
                    if let Some(topology) = found {
                        if topology.differs_from(&before) {
                            self.surveyor.runs.replaced();
                        }
                        self.put(topology);
                        return Ok(());
                    }
                }
                Err(cut) => last = cut,
            }
        }
        Err(last)
    }

    async fn refresh_if_clustered(&self) {
        if self.topology().clustered
            && let Err(cut) = self.refresh().await
        {
            tracing::warn!(error = cut.text(), "the Cluster does not say who serves which slot");
        }
    }

    /// Whether the servers are still those that they were.
    pub(crate) fn runs(&self) -> &Runs {
        &self.surveyor.runs
    }

    /// Meets every primary of a Cluster, so that one that was started again or
    /// replaced shows although nothing else is asked of it. A single server
    /// is met with every heartbeat.
    pub(crate) async fn meet_all(&self) {
        let topology = self.topology();
        if !topology.clustered {
            return;
        }
        let ping = redis::cmd("PING");
        let met = join_all(topology.primaries.iter().map(|primary| primary.send(Lane::Ownership, [&ping]))).await;
        if met.iter().any(Result::is_err) {
            self.refresh_if_clustered().await;
        }
    }

    /// Loads the library where it is missing. Somebody else may do the same
    /// at the same time; what is loaded under the name is the same.
    pub(crate) async fn load_library(&self, primary: &Primary) -> Result<Option<redis::ServerError>, Cut> {
        let load = redis::cmd("FUNCTION").arg("LOAD").arg(library::code()).clone();
        let values = primary.send(Lane::Ownership, [&load]).await?;
        match values.first().and_then(error_of) {
            Some(error) if error.details().is_some_and(|text| text.contains("already exists")) => Ok(None),
            Some(error) => Ok(Some(error.clone())),
            None => {
                Counters::add(&self.counters.libraries_loaded, 1);
                Ok(None)
            }
        }
    }

    /// Sends one call.
    pub(crate) async fn call(&self, how: &How, call: Call) -> Answer {
        let mut answers = self.calls(how, vec![call]).await;
        answers.pop().unwrap_or_else(|| Answer::Unreached("no call".to_owned()))
    }

    /// Sends calls and returns what became of each, in their order.
    pub(crate) async fn calls(&self, how: &How, mut calls: Vec<Call>) -> Vec<Answer> {
        let mut answers: Vec<Option<Answer>> = calls.iter().map(|_| None).collect();
        let mut open: Vec<usize> = (0..calls.len()).collect();
        for left in (0..TRIES).rev() {
            let groups = group::group(&self.topology(), how, &mut calls, &open, &mut answers);
            let results = join_all(groups.iter().map(|group| group.send(how))).await;
            open.clear();
            let mut refresh = false;
            for (group, result) in groups.into_iter().zip(results) {
                let repeat = how.repeatable && left == TRIES - 1;
                let again = group.settle(result, repeat, &mut answers);
                refresh |= again.refresh;
                if again.load
                    && let Err(text) = self.mend_library(&group.primary).await
                {
                    tracing::warn!(text, server = group.primary.address, "the function library cannot be loaded");
                }
                if left > 0 && !again.calls.is_empty() {
                    group.give_back(&mut calls, &again.calls);
                }
                open.extend(again.calls);
            }
            if refresh {
                self.refresh_if_clustered().await;
            }
            if open.is_empty() || left == 0 {
                break;
            }
        }
        answers.into_iter().map(|answer| answer.unwrap_or_else(|| Answer::Unreached("not sent".to_owned()))).collect()
    }

    async fn mend_library(&self, primary: &Primary) -> Result<(), String> {
        match self.load_library(primary).await {
            Ok(None) => Ok(()),
            Ok(Some(error)) => Err(errors::text(&error)),
            Err(cut) => Err(cut.text().to_owned()),
        }
    }

    /// Closes every connection for good.
    pub(crate) async fn close(&self) {
        self.topology().close().await;
    }
}
