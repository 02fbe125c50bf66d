//! `leasehold list`: executions, page by page.
//!
//! The server lists one partition at a time. Without `--partition` the pages
//! run through all of them in order; the cursor is an execution's id and thus
//! says itself in which partition to go on.

use crate::connection::{Connection, execution_id};
use crate::error::CliError;
use crate::http_client::{HttpClient, encoded, execution_path};
use crate::inspect::plain;
use crate::table::Table;
use crate::{output, time};
use clap::Args;
use futures::StreamExt;
use futures::TryStreamExt;
use hyper::StatusCode;
use leasehold_core::error::EngineError;
use leasehold_core::ids::ExecutionId;
use serde_json::{Value, json};

/// How many executions are asked about at the same time.
const AT_ONCE: usize = 16;

/// How many executions a page of the server holds at most.
const PAGE_MAX: usize = 1000;

/// List executions.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only those of one partition, or `all`.
    #[arg(long, default_value = "all", value_parser = parse_partition)]
    pub partition: Which,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Go on after this execution, as the page before said.
    #[arg(long)]
    pub cursor: Option<String>,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

/// Which partitions are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Every one.
    All,
    /// One.
    One(u16),
}

pub(crate) fn parse_partition(text: &str) -> Result<Which, String> {
    if text == "all" {
        return Ok(Which::All);
    }
    text.parse().map(Which::One).map_err(|_| "neither a partition's number nor all".to_owned())
}

/// Executions and where to go on.
#[derive(Debug, Default)]
struct Page {
    ids: Vec<ExecutionId>,
    next: Option<ExecutionId>,
}

impl ListArgs {
    pub(crate) async fn run(&self) -> Result<(), CliError> {
        let cursor = match &self.cursor {
            Some(text) => Some(
                execution_id(text)
                    .map_err(|_| EngineError::invalid_input(format!("cursor: {text} is no execution")))?,
            ),
            None => None,
        };
        let client = self.connection.client()?;
        let page = self.page(&client, cursor).await?;
        let about = |id: ExecutionId| {
            let client = &client;
            async move { Ok::<Value, CliError>(client.get(&execution_path(id, "")).await?.json()?) }
        };
        let executions: Vec<Value> = futures::stream::iter(page.ids).map(about).buffered(AT_ONCE).try_collect().await?;
        let next = page.next.map(|id| id.to_string());
        if self.connection.json {
            output::json(&json!({"executions": executions, "next_cursor": next}));
            return Ok(());
        }
        output::data(&table(&executions).to_string());
        if let Some(next) = next {
            output::note(&format!("go on with --cursor '{next}'"));
        }
        Ok(())
    }

    async fn page(&self, client: &HttpClient, cursor: Option<ExecutionId>) -> Result<Page, CliError> {
        let limit = self.limit as usize;
        let mut page = Page::default();
        let mut partition = match (self.partition, cursor) {
            (Which::One(partition), _) => partition,
            (Which::All, cursor) => cursor.map_or(0, |id| id.partition()),
        };
        let first = partition;
        let mut after = cursor;
        loop {
            let wanted = limit - page.ids.len();
            let part = match one(client, partition, after, wanted.min(PAGE_MAX)).await {
                Err(error) if self.partition == Which::All && partition > first && is_refused_argument(&error) => {
                    // Past the last partition.
                    page.next = None;
                    return Ok(page);
                }
                part => part?,
            };
            page.ids.extend(part.ids);
            after = part.next;
            // A page that ends with its partition goes on with the next one.
            page.next = after.or_else(|| page.ids.last().copied().filter(|_| self.partition == Which::All));
            if page.ids.len() >= limit {
                return Ok(page);
            }
            if after.is_some() {
                continue;
            }
            let (Which::All, Some(next)) = (self.partition, partition.checked_add(1)) else {
                page.next = None;
                return Ok(page);
            };
            partition = next;
        }
    }
}

pub(crate) fn is_refused_argument(error: &CliError) -> bool {
    let CliError::Client(error) = error else { return false };
    error.refusal().is_some_and(|refusal| refusal.status == StatusCode::BAD_REQUEST)
}

async fn one(client: &HttpClient, partition: u16, after: Option<ExecutionId>, limit: usize) -> Result<Page, CliError> {
    let cursor = after.map(|id| format!("&cursor={}", encoded(&id.to_string()))).unwrap_or_default();
    let answer = client.get(&format!("/v1/executions?partition={partition}&limit={limit}{cursor}")).await?.json()?;
    let ids = answer["executions"].as_array().into_iter().flatten();
    let ids = ids.map(|id| execution_id(id.as_str().unwrap_or_default())).collect::<Result<_, _>>()?;
    let next = answer["next_cursor"].as_str().map(execution_id).transpose()?;
    Ok(Page { ids, next })
}

fn table(executions: &[Value]) -> Table {
    let mut table = Table::new(["EXECUTION", "STATE", "KIND", "LANE", "PRIORITY", "CREATED"]);
    for execution in executions {
        table.row([
            plain(&execution["execution_id"]).as_str(),
            &plain(&execution["public_state"]),
            &plain(&execution["execution_kind"]),
            &plain(&execution["lane_id"]),
            &plain(&execution["priority"]),
            &time::shown(&execution["created_at"]),
        ]);
    }
    table
}
