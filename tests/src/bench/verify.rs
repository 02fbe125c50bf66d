//! What the store shows after a drain, read through the [`Backend`].

use super::BenchResult;
use leasehold_backend::{Backend, PAGE_MAX};
use leasehold_core::event::{Fact, LeaseFact};
use leasehold_core::state::PublicState;
use leasehold_core::time::TimestampMs;
use std::collections::HashMap;
use uuid::Uuid;

/// What the events tell of one execution.
#[derive(Default)]
struct Told {
    claimed_at: Option<TimestampMs>,
    completions: u32,
}

/// Checks that the store holds exactly `ended` executions that completed, each
/// with one completion event, and `delayed` that are, without one. Returns for each how many milliseconds lie between
/// the event of its first claim and that of its completion, by partition
/// time.
///
/// # Errors
///
/// A store that shows anything else.
pub(super) async fn all_ended_once(
    backend: &dyn Backend,
    partitions: u16,
    ended: usize,
    delayed: usize,
) -> BenchResult<Vec<f64>> {
    let executions = ended + delayed;
    let mut told: HashMap<Uuid, Told> = HashMap::with_capacity(executions);
    let mut took = Vec::with_capacity(executions);
    let (mut found, mut waiting) = (0, 0);
    for partition in 0..partitions {
        read_events(backend, partition, &mut told, &mut took).await?;
        let mut after = None;
        loop {
            let page = backend.list_executions(partition, after, PAGE_MAX).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id.uuid());
            for execution in &page {
                let state = execution.vector().public_state();
                let completions = told.get(&execution.id.uuid()).map_or(0, |told| told.completions);
                if state == PublicState::Delayed && completions == 0 {
                    waiting += 1;
                } else if state != PublicState::Completed || completions != 1 {
                    let id = execution.id;
                    return Err(format!("{id} is {} with {completions} completion events", state.as_str()).into());
                }
            }
            found += page.len();
        }
    }
    // A create leaves no event.
    if found != executions || told.len() != ended || waiting != delayed {
        let events = told.len();
        return Err(format!(
            "{found} executions, {waiting} of them delayed, and events of {events}; {executions} submitted, \
             {delayed} delayed"
        )
        .into());
    }
    Ok(took)
}

async fn read_events(
    backend: &dyn Backend,
    partition: u16,
    told: &mut HashMap<Uuid, Told>,
    took: &mut Vec<f64>,
) -> BenchResult<()> {
    let mut after = None;
    loop {
        let page = backend.read_events(partition, after, PAGE_MAX).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for event in page.into_iter().map(|logged| logged.event) {
            let told = told.entry(event.execution_id.uuid()).or_default();
            for fact in event.facts {
                match fact {
                    Fact::Lease { what: LeaseFact::Acquired { .. }, .. } => {
                        told.claimed_at = told.claimed_at.or(Some(event.at));
                    }
                    Fact::Completed { .. } => {
                        told.completions += 1;
                        took.extend(told.claimed_at.map(|claimed| event.at.since(claimed) as f64));
                    }
                    _ => {}
                }
            }
        }
    }
}
