//! Word from outside writers, on one connection that listens.
//!
//! # Model
//!
//! ```text
//!  an application, another node ──NOTIFY──▶ this connection ──▶ hints
//!  announce ──▶ this connection ──NOTIFY──▶ other nodes
//! ```
//!
//! The channel has the name of the store's schema, and what is sent carries
//! nothing. What this node says itself comes back to it and is passed over.
//! Several announcements within [`REST`] go out as one. Nothing is sent in a
//! commit of the engine: a transaction that notifies holds a lock of the whole
//! server while it ends.
//!
//! The connection is made when somebody first asks for hints, so that a store
//! that is only read or migrated does without.
//!
//! # Failures
//!
//! Any word may be lost; whoever listens looks into the inbox from time to
//! time all the same. A connection that ends is made again, at first at once
//! and then ever more rarely up to [`BACKOFF_MAX`], and gives a hint when it
//! stands, for what was missed. One that hears nothing is asked for an answer
//! every [`PROBE_EVERY`], so that it does not stay deaf for good. Behind a
//! pooler in transaction mode there is no session that could listen.

use crate::stats::Counters;
use crate::wire::within;
use leasehold_backend::{Clock, Hinter, Hints, SystemClock};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// How long announcements gather after one was sent.
const REST: Duration = Duration::from_millis(10);

/// The first pause before a connection is made again; doubled each time.
const BACKOFF: Duration = Duration::from_millis(100);

/// The longest such pause.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// How often a connection that hears nothing is asked whether it still stands.
const PROBE_EVERY: Duration = Duration::from_secs(20);

/// What a listener is made of.
pub(crate) struct Ear {
    pub(crate) connect_options: PgConnectOptions,
    /// Where word comes from: the store's schema.
    pub(crate) channel: String,
    /// For a connection to be made.
    pub(crate) connect: Duration,
    /// For an answer.
    pub(crate) trip: Duration,
    pub(crate) counters: Arc<Counters>,
    /// The machine's, also where the store is given another one: a network
    /// does not wait for that.
    pub(crate) clock: SystemClock,
}

/// Hints for this node, and word for others.
pub(crate) struct Watch {
    shared: Arc<Shared>,
    /// None where nobody can listen.
    task: Option<AbortHandle>,
}

#[derive(Default)]
struct Shared {
    hinter: Hinter,
    /// Somebody asks for hints.
    wanted: Notify,
    /// Something is to be told to others.
    news: Notify,
}

impl Watch {
    /// Without an ear nothing is heard and nothing is told.
    pub(crate) fn new(ear: Option<Ear>) -> Self {
        let shared = Arc::<Shared>::default();
        let task = ear.map(|ear| tokio::spawn(keep_listening(ear, Arc::clone(&shared))).abort_handle());
        Self { shared, task }
    }

    pub(crate) fn hints(&self) -> Hints {
        if self.task.is_none() {
            return Hints::never();
        }
        self.shared.wanted.notify_one();
        self.shared.hinter.hints()
    }

    pub(crate) fn announce(&self) {
        self.shared.news.notify_one();
    }

    pub(crate) fn close(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.close();
    }
}

async fn keep_listening(ear: Ear, shared: Arc<Shared>) {
    shared.wanted.notified().await;
    let mut pause = BACKOFF;
    loop {
        let mut stood = false;
        let Err(error) = listen(&ear, &shared, &mut stood).await;
        if stood {
            tracing::warn!(%error, "the connection that listens was lost");
            pause = BACKOFF;
        } else {
            tracing::debug!(%error, ?pause, "nobody listens for word from outside writers; trying again");
            ear.clock.sleep(pause).await;
            pause = (pause * 2).min(BACKOFF_MAX);
        }
    }
}

/// The statement that tells whoever listens for a schema.
pub(crate) fn notify(schema: &str) -> String {
    format!("NOTIFY \"{schema}\"")
}

enum Next {
    /// Somebody has told something, or the connection is gone.
    Heard(Result<Option<u32>, sqlx::Error>),
    /// Nothing was heard for long.
    Silence,
    /// Something is to be told.
    News,
}

/// Listens for as long as the connection stands.
async fn listen(ear: &Ear, shared: &Shared, stood: &mut bool) -> Result<std::convert::Infallible, sqlx::Error> {
    // One of its own each time: what is left of a connection that hangs must
    // not keep the next one waiting.
    let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let pool = pool.acquire_timeout(ear.connect).connect_lazy_with(ear.connect_options.clone());
    Counters::add(&ear.counters.connects, 1);
    let mut listener = within(ear.connect, PgListener::connect_with(&pool)).await?;
    listener.eager_reconnect(false);
    let own_pid = sqlx::query_scalar::<_, i32>("SELECT pg_backend_pid()").fetch_one(&mut listener);
    let own_pid = within(ear.trip, own_pid).await?.cast_unsigned();
    within(ear.trip, listener.listen(&ear.channel)).await?;
    *stood = true;
    shared.hinter.hint();
    let mut rested = ear.clock.monotonic();
    loop {
        let next = tokio::select! {
            heard = tokio::time::timeout(PROBE_EVERY, listener.try_recv()) => {
                heard.map_or(Next::Silence, |heard| Next::Heard(heard.map(|word| word.map(|word| word.process_id()))))
            }
            () = told(ear, shared, rested) => Next::News,
        };
        let text = match next {
            Next::Heard(Ok(Some(pid))) => {
                if pid != own_pid {
                    shared.hinter.hint();
                }
                continue;
            }
            Next::Heard(Ok(None)) => return Err(sqlx::Error::WorkerCrashed),
            Next::Heard(Err(error)) => return Err(error),
            Next::Silence => "SELECT 1".to_owned(),
            Next::News => notify(&ear.channel),
        };
        Counters::add(&ear.counters.statements, 1);
        Counters::add(&ear.counters.round_trips, 1);
        within(ear.trip, listener.execute(AssertSqlSafe(text))).await?;
        rested = ear.clock.monotonic() + REST;
    }
}

/// Ends when something is to be told, and not before the rest is over.
async fn told(ear: &Ear, shared: &Shared, rested: Duration) {
    ear.clock.sleep_until(rested).await;
    shared.news.notified().await;
}
