//! Lists that the server keeps per partition, shown as one.

use crate::error::CliError;
use crate::http_client::{HttpClient, encoded};
use crate::list::{Which, is_refused_argument};
use serde_json::Value;

/// How many entries a page of the server holds at most.
const PAGE_MAX: usize = 1000;

/// Entries, and whether there are more than were asked for.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub entries: Vec<Value>,
    pub more: bool,
}

/// The entries of a list, `name`d so in the answers of `path`, over one
/// partition or all of them in order.
pub(crate) async fn list(
    client: &HttpClient,
    path: &str,
    name: &str,
    which: Which,
    limit: usize,
) -> Result<Listed, CliError> {
    let mut listed = Listed::default();
    let first = if let Which::One(partition) = which { partition } else { 0 };
    let mut partition = first;
    loop {
        match append(client, path, name, partition, limit, &mut listed).await {
            // Past the last partition.
            Err(error) if which == Which::All && partition > first && is_refused_argument(&error) => return Ok(listed),
            other => other?,
        }
        let next = partition.checked_add(1).filter(|_| which == Which::All && !listed.more);
        let Some(next) = next else { return Ok(listed) };
        partition = next;
    }
}

/// The entries of one partition, page by page, and one more than was asked
/// for, to know whether there is one.
async fn append(
    client: &HttpClient,
    path: &str,
    name: &str,
    partition: u16,
    limit: usize,
    listed: &mut Listed,
) -> Result<(), CliError> {
    let mut cursor = String::new();
    loop {
        let wanted = (limit + 1 - listed.entries.len()).min(PAGE_MAX);
        let page = client.get(&format!("{path}?partition={partition}&limit={wanted}{cursor}")).await?.json()?;
        listed.entries.extend(page[name].as_array().into_iter().flatten().cloned());
        if listed.entries.len() > limit {
            listed.entries.truncate(limit);
            listed.more = true;
            return Ok(());
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={}", encoded(next)),
            None => return Ok(()),
        }
    }
}
