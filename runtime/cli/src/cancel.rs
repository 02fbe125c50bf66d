//! `leasehold cancel`: end an execution that has not ended.

use crate::connection::{Connection, execution_id};
use crate::error::CliError;
use crate::http_client::execution_path;
use crate::output;
use clap::Args;
use serde_json::json;

/// Cancel an execution that has not ended.
#[derive(Args, Debug)]
pub struct CancelArgs {
    /// The execution.
    pub id: String,
    /// Why, for people.
    #[arg(long, default_value = "")]
    pub reason: String,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

impl CancelArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let id = execution_id(&self.id)?;
        let body = json!({"reason": self.reason, "source": "operator_override"});
        let answer = self.connection.client()?.post(&execution_path(id, "/cancel"), &body).await?.json()?;
        output::outcome(&answer["Cancelled"], &["execution_id", "public_state"], self.connection.json);
        Ok(())
    }
}
