//! Everything a store holds, in words.

use crate::checker::contents::{Contents, Global, Stored, read_global};
use crate::checker::{Report, Rule};
use leasehold_backend::{Backend, LoggedEvent};
use leasehold_core::partition::fnv1a64;
use leasehold_core::record::Blob;
use std::collections::BTreeSet;

/// Reads a store at rest. Lines stand in an order that no store decides,
/// except where the order itself is what is compared: scans and the log.
pub async fn describe(backend: &dyn Backend, partitions: u16) -> Vec<String> {
    let mut report = Report::default();
    let mut lines = Vec::new();
    let Global { lapsing, lanes } = read_global(backend, &mut report).await;
    lines.push(format!("lanes {lanes:?}"));
    for (partition, leases) in lapsing {
        lines.extend(leases.iter().map(|lease| format!("partition {partition} lapses {lease:?}")));
    }
    for partition in 0..partitions {
        let contents = Contents::read(backend, partition, &mut report).await;
        describe_partition(&contents, &mut lines);
    }
    let unread = report.violations.iter().filter(|violation| violation.rule == Rule::Readable);
    let disorder = report.violations.iter().filter(|violation| violation.rule != Rule::Readable);
    lines.extend(unread.map(|violation| format!("unreadable: {violation}")));
    lines.extend(disorder.map(|violation| format!("out of order: {violation}")));
    lines
}

fn describe_partition(contents: &Contents, lines: &mut Vec<String>) {
    let name = format!("partition {}", contents.partition);
    for Stored { execution, attempts, index, payload, result } in contents.executions.values() {
        lines.push(format!("{name} {execution:?}"));
        lines.extend(attempts.iter().map(|attempt| format!("{name} {} {attempt:?}", execution.id)));
        lines.push(format!("{name} {} indexed {index:?}", execution.id));
        lines.push(format!(
            "{name} {} payload {} result {}",
            execution.id,
            blob(payload.as_ref()),
            blob(result.as_ref())
        ));
    }
    for (group, found) in &contents.ready {
        let ids: Vec<_> = found.iter().map(|execution| execution.id).collect();
        lines.push(format!("{name} ready {group:?} {ids:?}"));
    }
    for (lane, ids) in &contents.eligible {
        lines.push(format!("{name} eligible {lane:?} {ids:?}"));
    }
    lines.push(format!("{name} due {:?}", contents.due));
    let active: Vec<_> = contents.active.iter().map(|execution| execution.id).collect();
    lines.push(format!("{name} active {active:?}"));
    describe_log(&name, &contents.events, lines);
}

/// The log, each event under the rank of the ownership epoch it was written
/// in: epochs only have to grow.
fn describe_log(name: &str, events: &[LoggedEvent], lines: &mut Vec<String>) {
    let epochs: BTreeSet<u64> = events.iter().map(|event| event.id.epoch).collect();
    let epochs: Vec<u64> = epochs.into_iter().collect();
    for LoggedEvent { id, event } in events {
        let rank = epochs.partition_point(|epoch| *epoch < id.epoch);
        lines.push(format!("{name} event {rank}.{} {event:?}", id.number));
    }
}

fn blob(blob: Option<&Blob>) -> String {
    blob.map_or_else(|| "none".to_owned(), |bytes| format!("{} bytes {:016x}", bytes.len(), fnv1a64(bytes)))
}
