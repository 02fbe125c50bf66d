//! Committing a batch.
//!
//! ```text
//!  part    one FCALL: verify head, executions and shape; then write
//!  batch   one pipeline per primary: FCALL, FCALL, …, WAIT or WAITAOF
//! ```
//!
//! Parts are independent of each other on these servers, and so are their
//! outcomes: one that finds no memory, is damaged or was sent to a primary that
//! does not answer fails by itself, and the others stand.

mod groups;
mod landed;
mod ops;

pub(crate) use landed::landed;

use crate::RedisBackend;
use crate::errors;
use crate::keys::tag_of;
use crate::stats::Counters;
use crate::wire::{Answer, Call, How, Lane};
use groups::Groups;
use leasehold_backend::{Batch, Part, PartOutcome, StoreError, StoreResult};
use leasehold_core::ids::ExecutionId;
use ops::Operations;
use redis::{ServerError, Value};
use std::mem::discriminant;

/// Applies a batch.
pub(crate) async fn commit(store: &RedisBackend, batch: &Batch) -> StoreResult<Vec<PartOutcome>> {
    let ascending = batch.parts.array_windows().all(|[one, two]| one.expected.partition < two.expected.partition);
    if !ascending {
        return Err(StoreError::permanent("the parts of a batch are not in ascending order of partition"));
    }
    let mut groups = Groups::default();
    let mut operations = Vec::with_capacity(batch.parts.len());
    let mut calls = Vec::with_capacity(batch.parts.len());
    for part in &batch.parts {
        groups.clear();
        let one = Operations::of(part, &mut groups)?;
        let call = one.call(part, &store.keys, &groups);
        calls.push(Call::new(&tag_of(part.expected.partition), vec![call]));
        operations.push(one);
    }
    let how = How { lane: Lane::Writes, repeatable: false, wait: store.wait() };
    let answers = store.wire.calls(&how, calls).await;
    let outcomes: Vec<StoreResult<PartOutcome>> = answers
        .into_iter()
        .zip(batch.parts.iter().zip(&operations))
        .map(|(answer, (part, operations))| outcome(answer, part, operations))
        .collect();
    if outcomes.iter().any(|outcome| matches!(outcome, Err(StoreError::Full { .. }))) {
        store.memory.set_full();
    }
    count(store, &outcomes, &operations);
    together(outcomes)
}

/// What became of one part.
fn outcome(answer: Answer, part: &Part, operations: &Operations) -> StoreResult<PartOutcome> {
    let error = match answer {
        Answer::Values(values) => match values.first() {
            Some(Value::Int(1)) => return Ok(PartOutcome::Applied),
            Some(Value::Int(0)) => return Ok(PartOutcome::Refused),
            Some(Value::ServerError(error)) => error.clone(),
            other => return Err(StoreError::unknown(format!("the commit function answered {other:?}"))),
        },
        other => return other.write().map(|_| PartOutcome::Refused),
    };
    Err(of_part(&error, part, operations))
}

/// What the function says of a part that it does not apply.
fn of_part(error: &ServerError, part: &Part, operations: &Operations) -> StoreError {
    let partition = part.expected.partition;
    let named = |ids: &[uuid::Uuid]| {
        let place = error.details().and_then(|text| text.split_whitespace().next()?.parse::<usize>().ok());
        let id = place.and_then(|place| ids.get(place.checked_sub(1)?));
        id.map_or_else(|| errors::text(error), |id| ExecutionId::from_parts(partition, *id).to_string())
    };
    match error.code() {
        "EXISTS" => StoreError::permanent(format!("execution {} is created and exists", named(&operations.created))),
        "MISSING" => errors::corrupt(
            "execution",
            named(&operations.known),
            "record",
            "known to the engine and missing in the store",
        ),
        "BROKEN" | "HALFDONE" => errors::half_written(partition, &errors::text(error)),
        _ => errors::of_server(error),
    }
}

fn count(store: &RedisBackend, outcomes: &[StoreResult<PartOutcome>], operations: &[Operations]) {
    let counters = &store.wire.counters;
    Counters::add(&counters.commits, 1);
    for (outcome, operations) in outcomes.iter().zip(operations) {
        if matches!(outcome, Ok(PartOutcome::Applied)) {
            Counters::add(&counters.parts, 1);
            Counters::add(&counters.keys_written, operations.rows);
            Counters::add(&counters.index_entries_written, operations.members);
        }
    }
}

/// What became of the batch: an error where all parts failed in the same way,
/// and otherwise part by part.
fn together(outcomes: Vec<StoreResult<PartOutcome>>) -> StoreResult<Vec<PartOutcome>> {
    if let Some(Err(first)) = outcomes.first() {
        let alike = |error: &StoreError| discriminant(error) == discriminant(first);
        if outcomes.iter().all(|outcome| outcome.as_ref().is_err_and(alike)) {
            return Err(first.clone());
        }
    }
    Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(PartOutcome::Failed)).collect())
}
