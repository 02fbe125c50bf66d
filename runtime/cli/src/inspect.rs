//! `leasehold inspect`: an execution, its attempts and its result.

use crate::connection::{Connection, execution_id};
use crate::error::CliError;
use crate::http_client::{HttpClient, base64, execution_path};
use crate::table::Table;
use crate::{output, submit, time};
use clap::Args;
use leasehold_core::ids::ExecutionId;
use serde_json::{Value, json};

/// How much of a result is shown to people.
const RESULT_CHARS: usize = 200;

/// Show an execution, its attempts and its result.
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// The execution.
    pub id: String,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

impl InspectArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let id = execution_id(&self.id)?;
        let client = self.connection.client()?;
        let execution = client.get(&execution_path(id, "")).await?.json()?;
        let snapshot = client.get(&execution_path(id, "/snapshot")).await?.json()?;
        let attempts = attempts(&client, id).await?;
        let result = submit::result(&client, id).await?.map(|answer| answer.bytes);
        if self.connection.json {
            let result = result.as_deref().map(base64);
            output::json(&json!({
                "execution": execution, "snapshot": snapshot, "attempts": attempts, "result": result,
            }));
            return Ok(());
        }
        output::data(&facts(&execution, &snapshot, result.as_deref()).to_string());
        if !attempts.is_empty() {
            output::data(&format!("\n{}", attempts_table(&attempts)));
        }
        Ok(())
    }
}

/// All attempts, page by page.
async fn attempts(client: &HttpClient, id: ExecutionId) -> Result<Vec<Value>, CliError> {
    let mut attempts = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&execution_path(id, &format!("/attempts?limit=1000{cursor}"))).await?.json()?;
        attempts.extend(page["attempts"].as_array().into_iter().flatten().cloned());
        match page["next_cursor"].as_u64() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(attempts),
        }
    }
}

/// A value as people read it: no quotes, nothing for null.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn facts(execution: &Value, snapshot: &Value, result: Option<&[u8]>) -> Table {
    let mut table = Table::of_pairs();
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            table.row([name, &value]);
        }
    };
    fact("execution", plain(&execution["execution_id"]));
    fact("state", plain(&execution["public_state"]));
    for name in ["lifecycle_phase", "eligibility_state", "blocking_reason", "terminal_outcome", "attempt_state"] {
        let value = plain(&execution["state_vector"][name]);
        fact(&format!("  {name}"), if value == "none" { String::new() } else { value });
    }
    fact("blocking detail", plain(&execution["blocking_detail"]));
    fact("kind", plain(&execution["execution_kind"]));
    fact("lane", plain(&execution["lane_id"]));
    fact("namespace", plain(&execution["namespace"]));
    fact("priority", plain(&execution["priority"]));
    fact("attempts", plain(&snapshot["total_attempt_count"]));
    fact("created", time::shown(&execution["created_at"]));
    fact("started", time::shown(&execution["started_at"]));
    fact("completed", time::shown(&execution["completed_at"]));
    fact("last change", time::shown(&snapshot["last_mutation_at"]));
    let lease = &snapshot["current_lease"];
    if lease.is_object() {
        fact("lease", plain(&lease["lease_id"]));
        fact("  epoch", plain(&lease["lease_epoch"]));
        fact("  worker", plain(&lease["worker_instance_id"]));
        fact("  expires", time::shown(&lease["expires_at"]));
    }
    for (key, value) in snapshot["tags"].as_object().into_iter().flatten() {
        fact("tag", format!("{key}={}", plain(value)));
    }
    if let Some(bytes) = result {
        let text = String::from_utf8_lossy(bytes);
        let cut: String = text.chars().take(RESULT_CHARS).collect();
        let more = if cut.len() < text.len() { "…" } else { "" };
        fact("result", format!("{} bytes: {cut}{more}", bytes.len()));
    }
    table
}

fn attempts_table(attempts: &[Value]) -> Table {
    let mut table = Table::new(["ATTEMPT", "TYPE", "STATE", "EPOCH", "WORKER", "STARTED", "ENDED", "FAILURE"]);
    for attempt in attempts {
        let failure = match (plain(&attempt["failure_category"]), plain(&attempt["failure_reason"])) {
            (category, reason) if category.is_empty() || reason.is_empty() => category + &reason,
            (category, reason) => format!("{category}: {reason}"),
        };
        table.row([
            plain(&attempt["attempt_index"]).as_str(),
            &plain(&attempt["attempt_type"]),
            &plain(&attempt["lifecycle"]),
            &plain(&attempt["lease_epoch"]),
            &plain(&attempt["worker_instance_id"]),
            &time::shown(&attempt["started_at"]),
            &time::shown(&attempt["ended_at"]),
            &failure,
        ]);
    }
    table
}
