//! `leasehold waitpoints`, `leasehold suspended` and what else there is to do
//! about executions that wait: `resume`, `waitpoint-token`, `close-waitpoint`
//! and `expire-suspension`.

use crate::connection::{Connection, execution_id};
use crate::error::CliError;
use crate::http_client::{HttpClient, encoded, execution_path};
use crate::inspect::plain;
use crate::list::{Which, parse_partition};
use crate::table::Table;
use crate::{output, partitions, time};
use clap::Args;
use leasehold_core::ids::ExecutionId;
use serde_json::{Value, json};

/// Show where an execution takes signals.
#[derive(Args, Debug)]
pub struct WaitpointsArgs {
    /// The execution.
    pub id: String,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// Every waitpoint that is pending or active, page by page.
pub(crate) async fn open_waitpoints(client: &HttpClient, id: ExecutionId) -> Result<Vec<Value>, CliError> {
    let mut waitpoints = Vec::new();
    let mut after = String::new();
    loop {
        let path = execution_path(id, &format!("/pending-waitpoints?limit=1000{after}"));
        let page = client.get(&path).await?.json()?;
        waitpoints.extend(page["waitpoints"].as_array().into_iter().flatten().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => after = format!("&after={}", encoded(next)),
            None => return Ok(waitpoints),
        }
    }
}

impl WaitpointsArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let waitpoints = open_waitpoints(&self.connection.client()?, execution_id(&self.id)?).await?;
        if self.connection.json {
            output::json(&json!({"waitpoints": waitpoints}));
            return Ok(());
        }
        let mut table = Table::new(["WAITPOINT", "KEY", "STATE", "SIGNALS", "CREATED", "EXPIRES", "TOKEN"]);
        for waitpoint in &waitpoints {
            let names = waitpoint["required_signal_names"].as_array().into_iter().flatten();
            let names: Vec<String> = names.map(plain).collect();
            let token = format!("{}:{}…", plain(&waitpoint["token_kid"]), plain(&waitpoint["token_fingerprint"]));
            table.row([
                plain(&waitpoint["waitpoint_id"]).as_str(),
                &plain(&waitpoint["waitpoint_key"]),
                &plain(&waitpoint["state"]),
                &if names.is_empty() { "any".to_owned() } else { names.join(",") },
                &time::shown(&waitpoint["created_at"]),
                &time::shown(&waitpoint["expires_at"]),
                &token,
            ]);
        }
        output::data(&table.to_string());
        Ok(())
    }
}

/// List suspended executions, the longest suspended of each partition first.
#[derive(Args, Debug)]
pub struct SuspendedArgs {
    /// Only those of one partition, or `all`.
    #[arg(long, default_value = "all", value_parser = parse_partition)]
    pub partition: Which,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

impl SuspendedArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let client = self.connection.client()?;
        let listed = partitions::list(&client, "/v1/suspended", "entries", self.partition, self.limit as usize).await?;
        if self.connection.json {
            output::json(&json!({"entries": listed.entries, "more": listed.more}));
            return Ok(());
        }
        let mut table = Table::new(["EXECUTION", "REASON", "SINCE"]);
        for entry in &listed.entries {
            table.row([
                plain(&entry["execution_id"]).as_str(),
                &plain(&entry["reason"]),
                &time::shown(&entry["suspended_at_ms"]),
            ]);
        }
        output::data(&table.to_string());
        if listed.more {
            output::note("there are more; raise --limit");
        }
        Ok(())
    }
}

/// Let a suspended execution go on, whatever it waits for.
#[derive(Args, Debug)]
pub struct ResumeArgs {
    /// The execution.
    pub id: String,
    /// How long it rests before it goes on.
    #[arg(long, default_value_t = 0)]
    pub delay_ms: u64,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

impl ResumeArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let id = execution_id(&self.id)?;
        let body = json!({"trigger_type": "operator", "resume_delay_ms": self.delay_ms});
        let answer = self.connection.client()?.post(&execution_path(id, "/resume"), &body).await?.json()?;
        output::outcome(&answer["Resumed"], &["public_state"], self.connection.json);
        Ok(())
    }
}

/// Print the token of a waitpoint.
#[derive(Args, Debug)]
pub struct WaitpointTokenArgs {
    /// The execution.
    pub id: String,
    /// Which of its waitpoints.
    pub waitpoint: String,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

impl WaitpointTokenArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let id = execution_id(&self.id)?;
        let path = execution_path(id, &format!("/waitpoints/{}/token", encoded(&self.waitpoint)));
        let answer = self.connection.client()?.get(&path).await?.json()?;
        output::outcome(&answer, &["token"], self.connection.json);
        Ok(())
    }
}

/// Give up a pending waitpoint.
#[derive(Args, Debug)]
pub struct CloseWaitpointArgs {
    /// The execution.
    pub id: String,
    /// Which of its waitpoints.
    pub waitpoint: String,
    /// Only if its time is out.
    #[arg(long)]
    pub if_expired: bool,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

impl CloseWaitpointArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let id = execution_id(&self.id)?;
        let because = if self.if_expired { "expiry" } else { "abandonment" };
        let path = execution_path(id, &format!("/waitpoints/{}/close", encoded(&self.waitpoint)));
        let answer = self.connection.client()?.post(&path, &json!({"because": because})).await?.json()?;
        output::word(&answer, self.connection.json);
        Ok(())
    }
}

/// Let the deadline of a suspension act, if it is reached.
#[derive(Args, Debug)]
pub struct ExpireSuspensionArgs {
    /// The execution.
    pub id: String,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

impl ExpireSuspensionArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let id = execution_id(&self.id)?;
        let path = execution_path(id, "/expire-suspension");
        let answer = self.connection.client()?.post(&path, &json!({})).await?.json()?;
        output::outcome(&answer, &["outcome"], self.connection.json);
        Ok(())
    }
}
