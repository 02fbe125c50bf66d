//! `leasehold signal`: send a signal to a waitpoint.

use crate::connection::{Connection, execution_id};
use crate::error::CliError;
use crate::http_client::{base64, execution_path};
use crate::{output, payload};
use clap::Args;
use serde_json::json;
use std::fmt;
use std::path::PathBuf;

/// Send a signal to a waitpoint.
#[derive(Args)]
pub struct SignalArgs {
    /// The execution.
    pub id: String,
    /// Which of its waitpoints.
    pub waitpoint: String,
    /// What the signal is called.
    pub name: String,
    /// Proof that the sender was told of the waitpoint.
    #[arg(long, env = "LEASEHOLD_WAITPOINT_TOKEN", hide_env_values = true)]
    pub waitpoint_token: String,
    /// What it carries, as text.
    #[arg(long, conflicts_with = "payload_file", allow_hyphen_values = true)]
    pub payload: Option<String>,
    /// A file with what it carries; `-` is the standard input.
    #[arg(long)]
    pub payload_file: Option<PathBuf>,
    /// What kind of signal it is.
    #[arg(long, default_value = "")]
    pub category: String,
    /// Who sends it.
    #[arg(long, default_value = "")]
    pub source: String,
    /// Makes a repeat a duplicate.
    #[arg(long)]
    pub idempotency_key: Option<String>,
    /// How long the execution rests before it goes on.
    #[arg(long, default_value_t = 0)]
    pub resume_delay_ms: u64,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

impl fmt::Debug for SignalArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalArgs").field("id", &self.id).field("waitpoint", &self.waitpoint).finish_non_exhaustive()
    }
}

impl SignalArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let id = execution_id(&self.id)?;
        let mut body = json!({
            "waitpoint_id": self.waitpoint,
            "signal_name": self.name,
            "signal_category": self.category,
            "source_type": "cli",
            "source_identity": self.source,
            "waitpoint_token": self.waitpoint_token,
            "idempotency_key": self.idempotency_key,
            "resume_delay_ms": self.resume_delay_ms,
        });
        if self.payload.is_some() || self.payload_file.is_some() {
            let payload = payload::read(self.payload.as_deref(), self.payload_file.as_deref())?;
            body["payload"] = base64(&payload).into();
        }
        let answer = self.connection.client()?.post(&execution_path(id, "/signal"), &body).await?.json()?;
        output::delivered(&answer, self.connection.json);
        Ok(())
    }
}
