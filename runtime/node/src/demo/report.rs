//! The closing table, for people and for programs.

use super::audit::{Audit, Row};
use super::workload;
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

/// Problems that are written out for people.
const PROBLEMS_SHOWN: usize = 20;

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    file: &'a Path,
    elapsed_ms: u64,
    acknowledged: usize,
    every_execution_accounted_for: bool,
    #[serde(flatten)]
    audit: &'a Audit,
}

/// As one line of JSON.
pub(super) fn json(
    audit: &Audit,
    file: &Path,
    acknowledged: usize,
    elapsed: Duration,
) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Report {
        file,
        elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        acknowledged,
        every_execution_accounted_for: audit.problems.is_empty(),
        audit,
    })
}

/// As a table.
pub(super) fn table(audit: &Audit, acknowledged: usize) -> String {
    let mut text = String::new();
    // Writing into a text does not fail.
    write_table(&mut text, audit, acknowledged).unwrap_or(());
    text
}

fn write_table(text: &mut String, audit: &Audit, acknowledged: usize) -> std::fmt::Result {
    let head = ["submitted", "completed", "failed", "expired", "cancelled", "open", "attempts", "retries", "reclaims"];
    write!(text, "{:<9}{:<9}", "lane", "kind")?;
    for name in head {
        write!(text, "{name:>10}")?;
    }
    writeln!(text, "  what it shows")?;
    for row in audit.rows.iter().chain([&audit.total]) {
        write!(text, "{:<9}{:<9}", row.lane, row.kind)?;
        for number in numbers(row) {
            write!(text, "{number:>10}")?;
        }
        writeln!(text, "  {}", workload::find(&row.kind).map_or("", |kind| kind.about))?;
    }
    let Row { completed, failed, expired, cancelled, open, completions, replays, submitted, .. } = &audit.total;
    let sum = completed + failed + expired + cancelled + open;
    writeln!(text)?;
    writeln!(
        text,
        "{completed} completed + {failed} failed + {expired} expired + {cancelled} cancelled + {open} open = {sum}; \
         {submitted} in the store, {acknowledged} acknowledged"
    )?;
    writeln!(text, "{completions} completion events: one for each, and one more for each of {replays} replayed")?;
    let lost = audit.lost_with_killed_worker;
    writeln!(text, "{lost} leases that the killed worker had not let lapse on purpose were lost; each was reclaimed")?;
    if audit.problems.is_empty() {
        return writeln!(text, "every execution is accounted for");
    }
    writeln!(text, "NOT every execution is accounted for; {} problems:", audit.problems.len())?;
    for problem in audit.problems.iter().take(PROBLEMS_SHOWN) {
        writeln!(text, "  {problem}")?;
    }
    if audit.problems.len() > PROBLEMS_SHOWN {
        writeln!(text, "  and {} more; --json prints them all", audit.problems.len() - PROBLEMS_SHOWN)?;
    }
    Ok(())
}

fn numbers(row: &Row) -> [u64; 9] {
    [
        row.submitted,
        row.completed,
        row.failed,
        row.expired,
        row.cancelled,
        row.open,
        row.attempts,
        row.retries,
        row.reclaims,
    ]
}
