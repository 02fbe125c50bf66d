//! Whether a batch whose outcome got lost was applied.

use crate::RedisBackend;
use crate::keys::{Kind, tag_of};
use crate::values::Place;
use crate::wire::{Call, How};
use leasehold_backend::{Batch, Expected, StoreResult};
use redis::Value;

/// The marks a head carries: the present one, and the last one under which
/// anything was written before.
const MARKS: [&str; 6] = ["epoch", "nonce", "seq", "previous_epoch", "previous_nonce", "previous_seq"];

/// Tells part by part. The takeover that came before waited for the disk or
/// for replicas as a commit does, and what it waited for includes everything
/// written before it, so that a part that landed is as durable as any other.
pub(crate) async fn landed(store: &RedisBackend, batch: &Batch) -> StoreResult<Vec<bool>> {
    let calls = batch
        .parts
        .iter()
        .map(|part| {
            let partition = part.expected.partition;
            let marks = redis::cmd("HMGET").arg(store.keys.of(partition, Kind::Head)).arg(&MARKS).clone();
            Call::new(&tag_of(partition), vec![marks])
        })
        .collect();
    let answers = store.wire.calls(&How::READ, calls).await;
    batch
        .parts
        .iter()
        .zip(answers)
        .map(|(part, answer)| {
            let value = answer.read()?.pop().unwrap_or(Value::Nil);
            stands_behind(&part.expected, value)
        })
        .collect()
}

fn stands_behind(expected: &Expected, value: Value) -> StoreResult<bool> {
    let place = Place::new("head", &expected.partition);
    let values = place.list(value)?;
    let mut numbers: Vec<Option<u64>> = Vec::with_capacity(MARKS.len());
    for (name, value) in MARKS.iter().zip(&values) {
        numbers.push(place.maybe_number(name, value)?);
    }
    Ok(numbers.chunks(3).any(|mark| match mark {
        [Some(epoch), Some(nonce), Some(seq)] => {
            (*epoch, *nonce) == (expected.epoch, expected.nonce) && *seq > expected.seq
        }
        _ => false,
    }))
}
