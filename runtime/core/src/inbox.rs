//! A create as it lies in the inbox of a store.
//!
//! An outside writer leaves it there inside a transaction of its own; the
//! owner of the partition reads it when that transaction has committed, maybe
//! after a restart under a newer version. A version byte opens the bytes; the
//! rest is bincode with a size limit.

use crate::command::{CreateExecution, PAYLOAD_BYTES_MAX};
use crate::error::EngineError;
use crate::ids::{ExecutionId, LaneId, Namespace};
use crate::time::TimestampMs;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The version this build writes.
pub const INBOX_VERSION: u8 = 1;

/// The most one entry may take, in bytes: the largest payload with the
/// largest tags, texts and policy around it.
pub const INBOX_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + (1 << 20);

/// The arguments in the order in which they are written.
#[derive(bincode::Encode, bincode::Decode)]
struct Written {
    execution_id: ExecutionId,
    namespace: Namespace,
    lane_id: LaneId,
    execution_kind: Arc<str>,
    input_payload: Vec<u8>,
    payload_encoding: Option<Arc<str>>,
    priority: i32,
    creator_identity: Arc<str>,
    idempotency_key: Option<Arc<str>>,
    tags: BTreeMap<String, String>,
    policy_json: Option<Vec<u8>>,
    delay_until: Option<TimestampMs>,
    execution_deadline_at: Option<TimestampMs>,
}

const fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<INBOX_BYTES_MAX>()
}

fn corrupt(field: &str, value: &str) -> EngineError {
    EngineError::corruption("inbox", field, value)
}

/// Checks a create and writes it down.
///
/// # Errors
///
/// What `create_execution` would refuse, with the same errors.
pub fn encode(create: &CreateExecution) -> Result<Vec<u8>, EngineError> {
    create.check()?;
    let written = Written {
        execution_id: create.execution_id,
        namespace: create.namespace.clone(),
        lane_id: create.lane_id.clone(),
        execution_kind: create.execution_kind.clone(),
        input_payload: create.input_payload.to_vec(),
        payload_encoding: create.payload_encoding.clone(),
        priority: create.priority,
        creator_identity: create.creator_identity.clone(),
        idempotency_key: create.idempotency_key.clone(),
        tags: create.tags.clone(),
        policy_json: create.policy_json.as_ref().map(|json| json.to_vec()),
        delay_until: create.delay_until,
        execution_deadline_at: create.execution_deadline_at,
    };
    let mut bytes = Vec::with_capacity(written.input_payload.len() + 512);
    bytes.push(INBOX_VERSION);
    bincode::encode_into_std_write(written, &mut bytes, config())
        .map_err(|error| corrupt("create", &error.to_string()))?;
    Ok(bytes)
}

/// Reads a create.
///
/// # Errors
///
/// `corruption` saying what is wrong with the bytes.
pub fn decode(bytes: &[u8]) -> Result<CreateExecution, EngineError> {
    let Some((&version, rest)) = bytes.split_first() else {
        return Err(corrupt("create", "empty"));
    };
    if version != INBOX_VERSION {
        return Err(corrupt("version", &version.to_string()));
    }
    let (written, read): (Written, usize) =
        bincode::decode_from_slice(rest, config()).map_err(|error| corrupt("create", &error.to_string()))?;
    if read != rest.len() {
        return Err(corrupt("create", "bytes left over"));
    }
    Ok(CreateExecution {
        execution_id: written.execution_id,
        namespace: written.namespace,
        lane_id: written.lane_id,
        execution_kind: written.execution_kind,
        input_payload: Bytes::from(written.input_payload),
        payload_encoding: written.payload_encoding,
        priority: written.priority,
        creator_identity: written.creator_identity,
        idempotency_key: written.idempotency_key,
        tags: written.tags,
        policy_json: written.policy_json.map(Bytes::from),
        delay_until: written.delay_until,
        execution_deadline_at: written.execution_deadline_at,
    })
}
