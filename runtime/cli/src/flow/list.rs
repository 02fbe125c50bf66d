//! `leasehold flow list`: flows and what became of them.

use crate::connection::Connection;
use crate::error::CliError;
use crate::inspect::plain;
use crate::list::{Which, parse_partition};
use crate::table::Table;
use crate::{output, partitions, time};
use clap::Args;
use serde_json::json;

/// List flows.
#[derive(Args, Debug)]
pub struct ListFlowsArgs {
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

impl ListFlowsArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let client = self.connection.client()?;
        let listed = partitions::list(&client, "/v1/flows", "flows", self.partition, self.limit as usize).await?;
        if self.connection.json {
            output::json(&json!({"flows": listed.entries, "more": listed.more}));
            return Ok(());
        }
        let mut table = Table::new(["FLOW", "STATUS", "CREATED"]);
        for flow in &listed.entries {
            table.row([plain(&flow["flow_id"]).as_str(), &plain(&flow["status"]), &time::shown(&flow["created_at"])]);
        }
        output::data(&table.to_string());
        if listed.more {
            output::note("there are more; raise --limit");
        }
        Ok(())
    }
}
