//! `leasehold replay`: run an ended execution once more.

use crate::connection::{Connection, execution_id};
use crate::error::CliError;
use crate::http_client::execution_path;
use crate::output;
use clap::Args;
use serde_json::json;

/// Run an ended execution once more.
#[derive(Args, Debug)]
pub struct ReplayArgs {
    /// The execution.
    pub id: String,
    /// Why, for people.
    #[arg(long)]
    pub reason: Option<String>,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

impl ReplayArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let id = execution_id(&self.id)?;
        let body = json!({"requested_by": "cli", "reason": self.reason});
        let answer = self.connection.client()?.post(&execution_path(id, "/replay"), &body).await?.json()?;
        output::outcome(&answer["Replayed"], &["execution_id", "public_state"], self.connection.json);
        Ok(())
    }
}
