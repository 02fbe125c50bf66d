//! One connection that is made when it is needed and made again when it was
//! lost.

use super::runs::Runs;
use crate::server::field;
use crate::stats::Counters;
use crate::values;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, Pipeline, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Why a pipeline has no answer.
#[derive(Clone, Debug)]
pub(crate) enum Cut {
    /// There was no connection: nothing was sent.
    Unreached(String),
    /// The server refused the credentials: nothing else was sent.
    Denied(String),
    /// It was sent, and the connection broke or the time was over.
    Lost(String),
}

impl Cut {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Unreached(text) | Self::Denied(text) | Self::Lost(text) => text,
        }
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) response: Duration,
}

/// One connection. Pipelines of several callers travel on it at the same
/// time; each is written in one piece.
pub(crate) struct Link {
    info: ConnectionInfo,
    timeouts: Timeouts,
    counters: Arc<Counters>,
    runs: Arc<Runs>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    /// Counts connections, so that a late failure of an old one does not
    /// close the one that replaced it.
    made: u64,
    closed: bool,
}

impl Link {
    pub(crate) fn new(info: ConnectionInfo, timeouts: Timeouts, counters: Arc<Counters>, runs: Arc<Runs>) -> Self {
        Self { info, timeouts, counters, runs, state: Mutex::default() }
    }

    /// Sends commands in one piece and returns an answer for each, errors of
    /// the server among them.
    pub(crate) async fn send(&self, pipeline: &Pipeline) -> Result<Vec<Value>, Cut> {
        let count = pipeline.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        let (mut connection, made) = self.connection().await?;
        let answers = connection.send_packed_commands(pipeline, 0, count).await;
        Counters::add(&self.counters.round_trips, 1);
        Counters::add(&self.counters.commands, count);
        match answers {
            Ok(values) if values.len() == count => Ok(values),
            Ok(values) => {
                self.drop_connection(made).await;
                Err(Cut::Lost(format!("{} answers to {count} commands", values.len())))
            }
            Err(error) => {
                self.drop_connection(made).await;
                Err(Cut::Lost(error.to_string()))
            }
        }
    }

    async fn connection(&self) -> Result<(MultiplexedConnection, u64), Cut> {
        let mut state = self.state.lock().await;
        if state.closed {
            return Err(Cut::Unreached("the store is closed".to_owned()));
        }
        if let Some(connection) = &state.connection {
            return Ok((connection.clone(), state.made));
        }
        let unreached = |error: redis::RedisError| {
            let text = format!("{}: {error}", self.info.addr());
            let denied = error.kind() == redis::ErrorKind::AuthenticationFailed
                || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"));
            if denied { Cut::Denied(text) } else { Cut::Unreached(text) }
        };
        let client = Client::open(self.info.clone()).map_err(unreached)?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeouts.connect))
            .set_response_timeout(Some(self.timeouts.response));
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.map_err(unreached)?;
        Counters::add(&self.counters.connections, 1);
        let info: Value = redis::cmd("INFO").arg("server").query_async(&mut connection).await.map_err(unreached)?;
        if let Some(run) = values::text(&info).as_deref().and_then(|info| field(info, "run_id")) {
            self.runs.meet(&self.info.addr().to_string(), run);
        }
        state.connection = Some(connection.clone());
        state.made += 1;
        Ok((connection, state.made))
    }

    async fn drop_connection(&self, made: u64) {
        let mut state = self.state.lock().await;
        if state.made == made {
            state.connection = None;
        }
    }

    /// Lets the next call make a new connection. Calls that are on their way
    /// keep the old one.
    pub(crate) async fn forget(&self) {
        self.state.lock().await.connection = None;
    }

    /// Closes it for good.
    pub(crate) async fn close(&self) {
        let mut state = self.state.lock().await;
        state.closed = true;
        state.connection = None;
    }
}
