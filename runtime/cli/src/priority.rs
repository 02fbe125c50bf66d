//! `leasehold priority`: move a waiting execution within its queue.

use crate::connection::{Connection, execution_id};
use crate::error::CliError;
use crate::http_client::execution_path;
use crate::output;
use clap::Args;
use serde_json::json;

/// Move a waiting execution within its queue.
#[derive(Args, Debug)]
pub struct PriorityArgs {
    /// The execution.
    pub id: String,
    /// The new priority; kept within 0 and 9000.
    #[arg(allow_hyphen_values = true)]
    pub priority: i32,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

impl PriorityArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let id = execution_id(&self.id)?;
        let body = json!({"new_priority": self.priority});
        let answer = self.connection.client()?.put(&execution_path(id, "/priority"), &body).await?.json()?;
        output::outcome(&answer["Changed"], &["execution_id", "priority"], self.connection.json);
        Ok(())
    }
}
