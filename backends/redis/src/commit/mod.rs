//! Committing a batch.
//!
//! ```text
//!  part    one FCALL: verify head, executions and shape; then write
//!  batch   one pipeline per primary: FCALL, FCALL, …, WAIT or WAITAOF
//! ```
//!
//! Parts are independent of each other on these servers. A batch of which
//! some parts were applied and others were refused for a reason of their own
//! (no memory, damage) is reported as unknown: the engine then asks part by
//! part what landed, which is what it has to know.

mod landed;
mod ops;

pub(crate) use landed::landed;

use crate::RedisBackend;
use crate::errors;
use crate::keys::tag_of;
use crate::stats::Counters;
use crate::wire::{Answer, Call, How, Lane};
use leasehold_backend::{Batch, Part, PartOutcome, StoreError, StoreResult};
use leasehold_core::ids::ExecutionId;
use ops::Operations;
use redis::{ServerError, Value};

/// Applies a batch.
pub(crate) async fn commit(store: &RedisBackend, batch: &Batch) -> StoreResult<Vec<PartOutcome>> {
    let ascending = batch.parts.array_windows().all(|[one, two]| one.expected.partition < two.expected.partition);
    if !ascending {
        return Err(StoreError::permanent("the parts of a batch are not in ascending order of partition"));
    }
    let operations = batch.parts.iter().map(Operations::of).collect::<StoreResult<Vec<_>>>()?;
    let calls = batch
        .parts
        .iter()
        .zip(&operations)
        .map(|(part, operations)| Call::new(&tag_of(part.expected.partition), vec![operations.call(part, &store.keys)]))
        .collect();
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

/// What became of the batch. An error that is not `Unknown` says that no part
/// was applied.
fn together(outcomes: Vec<StoreResult<PartOutcome>>) -> StoreResult<Vec<PartOutcome>> {
    let applied = outcomes.iter().filter(|outcome| matches!(outcome, Ok(PartOutcome::Applied))).count();
    let failures: Vec<&StoreError> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    let Some(first) = failures.first() else { return outcomes.into_iter().collect() };
    if let Some(unknown) = failures.iter().find(|error| matches!(error, StoreError::Unknown { .. })) {
        return Err((*unknown).clone());
    }
    if applied > 0 {
        return Err(StoreError::unknown(format!(
            "{applied} of {} partitions' parts were applied and {} were not: {first}",
            outcomes.len(),
            failures.len()
        )));
    }
    // Trying again helps nobody if a part among them fails for good.
    let lasting = failures.iter().find(|error| !matches!(error, StoreError::Busy { .. }));
    Err((*lasting.unwrap_or(first)).clone())
}
