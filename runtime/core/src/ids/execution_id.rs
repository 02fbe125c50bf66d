//! The identifier of an execution, which carries the partition it lives in.
//!
//! The partition is chosen once, when the identifier is made, and read from
//! the identifier ever after: `{fp:N}:uuid`. Nothing re-hashes it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use uuid::Uuid;

use super::text::{canonical_uuid, serde_as_text, shown};
use super::{FlowId, LaneId, Namespace};
use crate::error::EngineError;
use crate::partition::{LanePartitioner, Partition, PartitionConfig, PartitionFamily, SoloPartitioner, parse_index};

/// Names an execution and the partition that holds it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, bincode::Encode, bincode::Decode)]
pub struct ExecutionId {
    partition: u16,
    uuid: StoredUuid,
}

/// A uuid stored as its sixteen bytes.
type StoredUuid = [u8; 16];

/// Why a text is not an execution id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExecutionIdError {
    /// It does not begin with a partition tag.
    #[error("an execution id begins with {{fp:N}}:")]
    MissingTag,
    /// The partition is not a number below 65536 in its one spelling.
    #[error("{0:?} is not a partition index")]
    InvalidPartitionIndex(String),
    /// What follows the tag is not a hyphenated lower-case uuid.
    #[error("an execution id ends in a hyphenated lower-case uuid")]
    InvalidUuid,
}

impl From<ExecutionIdError> for EngineError {
    fn from(error: ExecutionIdError) -> Self {
        Self::invalid_input(error.to_string())
    }
}

impl ExecutionId {
    /// Puts the two parts together. Does not check that the partition exists.
    pub const fn from_parts(partition: u16, uuid: Uuid) -> Self {
        Self { partition, uuid: uuid.into_bytes() }
    }

    /// A fresh id beside the flow it is a member of.
    pub fn for_flow(flow: FlowId, config: &PartitionConfig) -> Self {
        Self::deterministic_for_flow(flow, config, fresh_uuid())
    }

    /// A fresh id in the partition of its lane.
    pub fn solo(lane: &LaneId, config: &PartitionConfig) -> Self {
        Self::deterministic_solo(lane, config, fresh_uuid())
    }

    /// A fresh id where the given partitioner puts the lane.
    pub fn solo_with(partitioner: &dyn SoloPartitioner, lane: &LaneId, config: &PartitionConfig) -> Self {
        Self::from_parts(partitioner.partition(lane, config), fresh_uuid())
    }

    /// The caller's uuid beside its flow. Equal arguments give equal ids as
    /// long as the partition count is unchanged.
    pub fn deterministic_for_flow(flow: FlowId, config: &PartitionConfig, uuid: Uuid) -> Self {
        Self::hashed(flow.as_uuid().as_bytes(), *config, uuid)
    }

    /// The caller's uuid in the partition of its lane, always by the default
    /// partitioner, so that equal arguments give equal ids.
    pub fn deterministic_solo(lane: &LaneId, config: &PartitionConfig, uuid: Uuid) -> Self {
        Self::from_parts(LanePartitioner.partition(lane, config), uuid)
    }

    /// The uuid in the partition its own bytes hash to. Spreads solo
    /// executions evenly, which their lane's name would pile onto one partition.
    pub fn spread(uuid: Uuid, config: &PartitionConfig) -> Self {
        Self::hashed(uuid.as_bytes(), *config, uuid)
    }

    /// The uuid in the partition its idempotency key hashes to, so that a
    /// repeat with the same key meets the first one. The zero byte keeps
    /// namespace and key apart; a namespace holds none.
    pub fn keyed(namespace: &Namespace, key: &str, uuid: Uuid, config: &PartitionConfig) -> Self {
        let mut bytes = Vec::with_capacity(namespace.as_str().len() + 1 + key.len());
        bytes.extend_from_slice(namespace.as_str().as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(key.as_bytes());
        Self::hashed(&bytes, *config, uuid)
    }

    fn hashed(bytes: &[u8], config: PartitionConfig, uuid: Uuid) -> Self {
        Self::from_parts(config.partition_of(PartitionFamily::Flow, bytes).index, uuid)
    }

    /// Reads the one spelling. Does not check that the partition exists.
    pub fn parse(text: &str) -> Result<Self, ExecutionIdError> {
        let rest = text.strip_prefix("{fp:").ok_or(ExecutionIdError::MissingTag)?;
        let (index, uuid) = rest.split_once("}:").ok_or(ExecutionIdError::MissingTag)?;
        let partition = parse_index(index).ok_or_else(|| ExecutionIdError::InvalidPartitionIndex(shown(index)))?;
        let uuid = canonical_uuid(uuid).ok_or(ExecutionIdError::InvalidUuid)?;
        Ok(Self::from_parts(partition, uuid))
    }

    /// The number of the flow partition that holds the execution.
    pub const fn partition(&self) -> u16 {
        self.partition
    }

    /// The flow partition that holds the execution.
    pub const fn home(&self) -> Partition {
        Partition::flow(self.partition)
    }

    /// The uuid.
    pub const fn uuid(&self) -> Uuid {
        Uuid::from_bytes(self.uuid)
    }
}

#[expect(clippy::disallowed_methods, reason = "for clients at the edge; rules take identifiers as arguments")]
fn fresh_uuid() -> Uuid {
    Uuid::new_v4()
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{fp:{}}}:{}", self.partition, self.uuid().as_hyphenated())
    }
}

impl fmt::Debug for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExecutionId({self})")
    }
}

impl FromStr for ExecutionId {
    type Err = ExecutionIdError;

    fn from_str(text: &str) -> Result<Self, ExecutionIdError> {
        Self::parse(text)
    }
}

serde_as_text!(ExecutionId, "an execution id of the form {fp:N}:uuid");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::crc16;

    const UUID: &str = "6f1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d";

    fn uuid() -> Uuid {
        Uuid::parse_str(UUID).unwrap()
    }

    #[test]
    fn the_text_form_reads_back() {
        for partition in [0, 7, 255, 65535] {
            let id = ExecutionId::from_parts(partition, uuid());
            let text = format!("{{fp:{partition}}}:{UUID}");
            assert_eq!(id.to_string(), text);
            assert_eq!(ExecutionId::parse(&text), Ok(id));
            assert_eq!(serde_json::from_str::<ExecutionId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        }
    }

    #[test]
    fn malformed_ids_name_their_fault() {
        let index = |text: &str| ExecutionIdError::InvalidPartitionIndex(text.to_owned());
        for (text, expected) in [
            (UUID.to_owned(), ExecutionIdError::MissingTag),
            (format!("{{b:1}}:{UUID}"), ExecutionIdError::MissingTag),
            (format!("{{fp:1}}{UUID}"), ExecutionIdError::MissingTag),
            (format!("{{fp:}}:{UUID}"), index("")),
            (format!("{{fp:+7}}:{UUID}"), index("+7")),
            (format!("{{fp:007}}:{UUID}"), index("007")),
            (format!("{{fp:-1}}:{UUID}"), index("-1")),
            (format!("{{fp:65536}}:{UUID}"), index("65536")),
            ("{fp:1}:".to_owned(), ExecutionIdError::InvalidUuid),
            (format!("{{fp:1}}:{}", UUID.to_uppercase()), ExecutionIdError::InvalidUuid),
            (format!("{{fp:1}}:{{{UUID}}}"), ExecutionIdError::InvalidUuid),
            (format!("{{fp:1}}:{}", UUID.replace('-', "")), ExecutionIdError::InvalidUuid),
        ] {
            assert_eq!(ExecutionId::parse(&text), Err(expected), "{text}");
            assert!(serde_json::from_value::<ExecutionId>(serde_json::json!(text)).is_err());
        }
    }

    #[test]
    fn flow_members_live_where_the_raw_bytes_of_the_flow_hash_to() {
        let config = PartitionConfig::default();
        let flow = FlowId::from_uuid(uuid());
        let expected = crc16(uuid().as_bytes()) % 256;
        assert_eq!(ExecutionId::for_flow(flow, &config).partition(), expected);
        let id = ExecutionId::deterministic_for_flow(flow, &config, Uuid::nil());
        assert_eq!((id.partition(), id.uuid()), (expected, Uuid::nil()));
        assert_ne!(ExecutionId::for_flow(flow, &config), ExecutionId::for_flow(flow, &config));
    }

    #[test]
    fn solo_executions_follow_lane_own_uuid_or_key() {
        let config = PartitionConfig { num_flow_partitions: 100, ..PartitionConfig::default() };
        let lane = LaneId::new("default");
        let by_lane = ExecutionId::deterministic_solo(&lane, &config, uuid());
        assert_eq!(by_lane.partition(), crc16(b"default") % 100);
        assert_eq!(ExecutionId::solo(&lane, &config).partition(), by_lane.partition());
        assert_eq!(ExecutionId::spread(uuid(), &config).partition(), crc16(uuid().as_bytes()) % 100);
        let keyed = ExecutionId::keyed(&Namespace::new("ns"), "order-1", uuid(), &config);
        assert_eq!(keyed.partition(), crc16(b"ns\0order-1") % 100);
        assert_eq!(keyed.uuid(), uuid());
    }

    #[test]
    fn a_custom_partitioner_is_asked() {
        struct Fixed;
        impl SoloPartitioner for Fixed {
            fn partition(&self, _lane: &LaneId, _config: &PartitionConfig) -> u16 {
                42
            }
        }
        let id = ExecutionId::solo_with(&Fixed, &LaneId::new("a"), &PartitionConfig::default());
        assert_eq!(id.partition(), 42);
        assert_eq!(id.home().hash_tag(), "{fp:42}");
    }

    #[test]
    fn ids_order_by_partition_then_uuid() {
        let low = ExecutionId::from_parts(1, Uuid::max());
        let high = ExecutionId::from_parts(2, Uuid::nil());
        assert!(low < high);
        assert!(ExecutionId::from_parts(1, Uuid::nil()) < low);
    }

    #[test]
    fn the_stored_form_is_the_partition_and_sixteen_bytes() {
        let config = bincode::config::standard().with_fixed_int_encoding();
        let id = ExecutionId::from_parts(0x0102, uuid());
        let bytes = bincode::encode_to_vec(id, config).unwrap();
        assert_eq!(bytes[..2], [0x02, 0x01]);
        assert_eq!(bytes[2..], *uuid().as_bytes());
        assert_eq!(bincode::decode_from_slice::<ExecutionId, _>(&bytes, config).unwrap().0, id);
    }
}
