//! `leasehold approve` and `leasehold reject`: answer an execution that waits
//! for an approval.

use crate::connection::{Connection, execution_id};
use crate::error::CliError;
use crate::http_client::execution_path;
use crate::{output, waits};
use clap::Args;
use leasehold_core::error::EngineError;
use serde_json::json;

/// Answer an execution that waits for an approval.
#[derive(Args, Debug)]
pub struct ApproveArgs {
    /// The execution.
    pub id: String,
    /// Which of its waitpoints; the only one unless named.
    pub waitpoint: Option<String>,
    /// Who answers; the same answer of the same person counts once.
    #[arg(long, default_value = "cli")]
    pub by: String,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

impl ApproveArgs {
    /// `signal_name` is the answer: `approved` or `rejected`.
    pub(crate) async fn run(&self, signal_name: &str) -> Result<(), CliError> {
        let id = execution_id(&self.id)?;
        let client = self.connection.client()?;
        let waitpoint = if let Some(waitpoint) = &self.waitpoint {
            waitpoint.clone()
        } else {
            let open = waits::open_waitpoints(&client, id).await?;
            let [only] = open.as_slice() else {
                let detail = format!("waitpoint: name one of the {} there are", open.len());
                return Err(EngineError::invalid_input(detail).into());
            };
            only["waitpoint_id"].as_str().unwrap_or_default().to_owned()
        };
        let body = json!({"waitpoint_id": waitpoint, "signal_name": signal_name, "idempotency_suffix": self.by});
        let answer = client.post(&execution_path(id, "/approval-signal"), &body).await?.json()?;
        output::delivered(&answer, self.connection.json);
        Ok(())
    }
}
