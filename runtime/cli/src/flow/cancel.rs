//! `leasehold flow cancel`: cancel a flow and end members of it.

use super::{flow_id, flow_path};
use crate::connection::Connection;
use crate::error::CliError;
use crate::output;
use clap::Args;
use serde_json::{Value, json};

/// How long the command waits; the server would wait longer, its answer not.
const WAIT_MS: u64 = 60_000;

/// Cancel a flow.
#[derive(Args, Debug)]
pub struct CancelFlowArgs {
    /// The flow.
    pub id: String,
    /// Why, for people.
    #[arg(long, default_value = "")]
    pub reason: String,
    /// Whom it ends: `cancel_all`, `cancel_pending` or `flow_only`.
    #[arg(long, default_value = "cancel_all")]
    pub policy: String,
    /// Wait up to a minute until they have ended.
    #[arg(long)]
    pub wait: bool,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

impl CancelFlowArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let id = flow_id(&self.id)?;
        let wait = if self.wait { format!("?wait_ms={WAIT_MS}") } else { String::new() };
        let body = json!({"reason": self.reason, "cancellation_policy": self.policy});
        let answer = self.connection.client()?.post(&flow_path(id, &format!("/cancel{wait}")), &body).await?.json()?;
        if self.connection.json {
            output::json(&answer);
            return Ok(());
        }
        let under = answer.as_object().and_then(|answer| answer.iter().next());
        let (outcome, told) = under.map_or(("", &Value::Null), |(outcome, told)| (outcome.as_str(), told));
        let count = |field: &str| told[field].as_array().map_or(0, Vec::len);
        let text = match outcome {
            "Cancelled" => format!("cancelled, {} members", count("member_execution_ids")),
            "CancellationScheduled" => format!("cancelled, {} members are being ended", told["member_count"]),
            _ => format!("cancelled, {} members could not be ended", count("failed_member_execution_ids")),
        };
        output::data(&text);
        Ok(())
    }
}
