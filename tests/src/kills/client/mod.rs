//! The client: submits, cancels, replays and works, and logs what it is told.

mod api;
mod operate;
mod submit;
mod worker;

use super::acks::AckLog;
use super::{Fallible, runtime};
use api::{Answer, Api};
use leasehold_backend::{Clock, SystemClock};
use leasehold_core::partition::PartitionConfig;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use std::io::BufRead;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How many submit at the same time.
const SUBMITTERS: u64 = 3;

/// How many work at the same time.
const WORKERS: u64 = 2;

/// What a client is started with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Options {
    /// The file of acknowledgements.
    pub log: PathBuf,
    /// Where its randomness begins; also part of what it calls things, so that
    /// clients of different seeds do not meet.
    pub seed: u64,
    /// Flow partitions of the store.
    pub partitions: u16,
    /// How long a remote worker's lease runs, in ms: short, so that forgotten
    /// ones come back within the run.
    pub lease_ttl_ms: u64,
    /// How often each submitter submits, in ms.
    pub pace_ms: u64,
    /// How long everything acknowledged may take to end once nothing is
    /// broken any more, in ms.
    pub settle_ms: u64,
}

impl Options {
    /// Those of the process test.
    ///
    /// # Errors
    ///
    /// When the seed is no number.
    pub fn of_kills(log: &str, seed: &str) -> Fallible<Self> {
        let partitions = PartitionConfig::default().num_flow_partitions;
        let (log, seed) = (log.into(), seed.parse()?);
        Ok(Self { log, seed, partitions, lease_ttl_ms: 3000, pace_ms: 20, settle_ms: 180_000 })
    }
}

/// States nothing follows but a replay.
const TERMINAL: [&str; 5] = ["completed", "failed", "cancelled", "expired", "skipped"];

/// What everybody in here shares.
#[derive(Debug)]
struct Load {
    api: Api,
    /// Every acknowledged execution.
    ids: Mutex<Vec<String>>,
    /// No more load.
    stop: watch::Receiver<bool>,
    options: Options,
}

impl Load {
    fn stopped(&self) -> bool {
        *self.stop.borrow()
    }

    fn remember(&self, id: String) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).push(id);
    }

    /// One of the last `most` that were acknowledged.
    fn pick(&self, rng: &mut StdRng, most: usize) -> Option<String> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let from = ids.len().saturating_sub(most);
        (from < ids.len()).then(|| ids[rng.random_range(from..ids.len())].clone())
    }

    /// A source of randomness of one's own.
    fn rng(&self, who: u64) -> StdRng {
        StdRng::seed_from_u64(self.options.seed.wrapping_mul(31).wrapping_add(who))
    }
}

/// Runs the client until it is told to stop and everything acknowledged has
/// ended.
///
/// # Errors
///
/// When something has not ended in time.
pub fn run(options: Options) -> Fallible {
    let log = Arc::new(AckLog::open(&options.log)?);
    runtime()?.block_on(load(log, options))
}

async fn load(log: Arc<AckLog>, options: Options) -> Fallible {
    let (tell_port, mut port) = watch::channel(0);
    let (tell_stop, stop) = watch::channel(false);
    std::thread::spawn(move || listen(&tell_port, &tell_stop));
    port.changed().await?;
    let api = Api::new(port, log);
    let settle_max = Duration::from_millis(options.settle_ms);
    let load = Arc::new(Load { api, ids: Mutex::default(), stop, options });
    let (settled, over) = watch::channel(false);
    let mut callers = JoinSet::new();
    for number in 0..SUBMITTERS {
        callers.spawn(submit::run(load.clone(), number));
    }
    callers.spawn(operate::cancel(load.clone()));
    callers.spawn(operate::replay(load.clone()));
    let mut workers = JoinSet::new();
    for number in 0..WORKERS {
        workers.spawn(worker::run(load.clone(), number, over.clone()));
    }
    while let Some(ended) = callers.join_next().await {
        ended?;
    }
    let open = settle(&load, settle_max).await;
    settled.send_replace(true);
    while let Some(ended) = workers.join_next().await {
        ended?;
    }
    if open.is_empty() {
        return Ok(());
    }
    Err(format!("{} executions did not end within {settle_max:?}, among them {:?}", open.len(), open.first()).into())
}

/// Hears from the parent: the port of the node that lives, and when to stop.
fn listen(port: &watch::Sender<u16>, stop: &watch::Sender<bool>) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        if let Some(number) = line.strip_prefix("port ").and_then(|text| text.parse().ok()) {
            port.send_replace(number);
        } else if line == "stop" {
            stop.send_replace(true);
        }
    }
    // The parent is gone, and nobody reads what this would lead to.
    std::process::exit(1);
}

/// Waits until everything acknowledged has ended; what has not is returned
/// with its state.
async fn settle(load: &Load, most: Duration) -> Vec<(String, String)> {
    let mut api = load.api.clone();
    let clock = SystemClock::default();
    let mut ids = std::mem::take(&mut *load.ids.lock().unwrap_or_else(PoisonError::into_inner));
    ids.sort_unstable();
    ids.dedup();
    loop {
        let mut open = Vec::new();
        for id in ids {
            match api.get("read_execution_state", &format!("/v1/executions/{id}/state")).await {
                Answer::Done(state) if TERMINAL.iter().any(|terminal| state == *terminal) => {}
                Answer::Done(state) => open.push((id, state.to_string())),
                // Noted by the call; the account afterwards tells whether it
                // may be gone.
                Answer::Refused => {}
            }
        }
        if open.is_empty() || clock.monotonic() > most {
            return open;
        }
        ids = open.into_iter().map(|(id, _)| id).collect();
        api.pause().await;
    }
}
