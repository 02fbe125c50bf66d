//! Partitions: how many there are, which one a key belongs to, and the tag
//! that names one.
//!
//! The counts are fixed for the life of a store. The partition of an execution
//! is written into its id, so nothing here is ever asked twice for the same
//! execution.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::error::EngineError;
use crate::ids::LaneId;

const CRC16_POLYNOMIAL: u16 = 0x1021;
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// The remainder of every possible byte, so that hashing costs one step a byte.
const CRC16_TABLE: [u16; 256] = crc16_table();

const fn crc16_table() -> [u16; 256] {
    let mut table = [0_u16; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        let mut remainder = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            let carry = remainder & 0x8000 != 0;
            remainder <<= 1;
            if carry {
                remainder ^= CRC16_POLYNOMIAL;
            }
            bit += 1;
        }
        table[byte] = remainder;
        byte += 1;
    }
    table
}

/// CRC-16/XMODEM: polynomial 0x1021, start 0, no reflection, no final xor.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| {
        let slot = usize::from((crc >> 8) ^ u16::from(*byte));
        (crc << 8) ^ CRC16_TABLE[slot]
    })
}

/// FNV-1a with 64 bits.
pub fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(FNV_OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME))
}

/// FNV-1a of the text with its two halves folded together, as 8 hex digits.
/// A short name for a capability set in logs; it proves nothing.
pub fn fnv_digest8(text: &str) -> String {
    let hash = fnv1a64(text.as_bytes());
    format!("{:08x}", (hash >> 32) as u32 ^ hash as u32)
}

/// How many partitions each family has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(default)]
pub struct PartitionConfig {
    /// Partitions of flows and their executions.
    pub num_flow_partitions: u16,
    /// Partitions of budgets.
    pub num_budget_partitions: u16,
    /// Partitions of quota policies.
    pub num_quota_partitions: u16,
}

impl Default for PartitionConfig {
    fn default() -> Self {
        Self { num_flow_partitions: 256, num_budget_partitions: 32, num_quota_partitions: 32 }
    }
}

impl PartitionConfig {
    /// Refuses a family without partitions: nothing could be placed in it.
    pub fn validate(&self) -> Result<(), EngineError> {
        let counts = [
            ("num_flow_partitions", self.num_flow_partitions),
            ("num_budget_partitions", self.num_budget_partitions),
            ("num_quota_partitions", self.num_quota_partitions),
        ];
        match counts.into_iter().find(|(_, count)| *count == 0) {
            Some((name, _)) => Err(EngineError::invalid_input(format!("{name} must be at least 1"))),
            None => Ok(()),
        }
    }

    /// How many partitions the family has; the system family has exactly one.
    pub const fn count(&self, family: PartitionFamily) -> u16 {
        match family {
            PartitionFamily::Flow | PartitionFamily::Execution => self.num_flow_partitions,
            PartitionFamily::Budget => self.num_budget_partitions,
            PartitionFamily::Quota => self.num_quota_partitions,
            PartitionFamily::System => 1,
        }
    }

    /// The partition in which a flow lives, and with it all its members.
    pub fn of_flow(&self, flow_id: crate::ids::FlowId) -> u16 {
        self.partition_of(PartitionFamily::Flow, flow_id.as_uuid().as_bytes()).index
    }

    /// The partition of the family that these bytes hash to.
    pub fn partition_of(&self, family: PartitionFamily, bytes: &[u8]) -> Partition {
        // A count of zero is refused at start by `validate`; the floor of one
        // only keeps an unvalidated configuration from dividing by zero.
        let index = crc16(bytes) % self.count(family).max(1);
        Partition { family, index }
    }
}

/// What kind of record a partition holds.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
#[serde(rename_all = "snake_case")]
pub enum PartitionFamily {
    /// Flow records and execution records.
    Flow,
    /// Another name for [`Self::Flow`]: the same tag and the same place, yet unequal in memory.
    Execution,
    /// Budgets.
    Budget,
    /// Quota policies.
    Quota,
    /// Records of the cluster as a whole, such as workers and lanes.
    System,
}

impl PartitionFamily {
    /// The letters in front of the index in a hash tag.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Flow | Self::Execution => "fp",
            Self::Budget => "b",
            Self::Quota => "q",
            Self::System => "s",
        }
    }

    fn from_prefix(prefix: &str) -> Option<Self> {
        match prefix {
            "fp" => Some(Self::Flow),
            "b" => Some(Self::Budget),
            "q" => Some(Self::Quota),
            "s" => Some(Self::System),
            _ => None,
        }
    }
}

/// One partition.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
pub struct Partition {
    /// What it holds.
    pub family: PartitionFamily,
    /// Its number within the family.
    pub index: u16,
}

impl Partition {
    /// The partition that holds the records of the cluster as a whole.
    pub const SYSTEM: Self = Self { family: PartitionFamily::System, index: 0 };

    /// The flow partition with this number.
    pub const fn flow(index: u16) -> Self {
        Self { family: PartitionFamily::Flow, index }
    }

    /// The tag `{prefix:index}`.
    pub fn hash_tag(self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}:{}}}", self.family.prefix(), self.index)
    }
}

/// A hash tag as consumers see it: an opaque text they only hand back.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
#[serde(transparent)]
pub struct PartitionKey(String);

impl PartitionKey {
    /// Takes a text as it came; [`Self::parse`] judges it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition the key names. `{fp:N}` always reads as the flow family,
    /// because the tag does not tell the two names of that family apart.
    pub fn parse(&self) -> Result<Partition, PartitionKeyError> {
        let body = self.0.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let body = body.ok_or(PartitionKeyError::MissingBraces)?;
        let (prefix, index) = body.split_once(':').ok_or(PartitionKeyError::MalformedBody)?;
        let family = PartitionFamily::from_prefix(prefix)
            .ok_or_else(|| PartitionKeyError::UnknownFamilyPrefix(prefix.to_owned()))?;
        let index = parse_index(index).ok_or_else(|| PartitionKeyError::InvalidIndex(index.to_owned()))?;
        Ok(Partition { family, index })
    }
}

impl From<Partition> for PartitionKey {
    fn from(partition: Partition) -> Self {
        Self(partition.hash_tag())
    }
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not a partition key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PartitionKeyError {
    /// It is not enclosed in braces.
    #[error("a partition key is enclosed in braces")]
    MissingBraces,
    /// There is no colon inside the braces.
    #[error("a partition key has the form {{prefix:index}}")]
    MalformedBody,
    /// The letters before the colon name no family.
    #[error("no partition family has the prefix {0:?}")]
    UnknownFamilyPrefix(String),
    /// What follows the colon is not an index in its one spelling.
    #[error("{0:?} is not a partition index")]
    InvalidIndex(String),
}

impl From<PartitionKeyError> for EngineError {
    fn from(error: PartitionKeyError) -> Self {
        Self::invalid_input(error.to_string())
    }
}

/// Reads a partition index in its one spelling: digits only, no leading zero.
/// A second spelling would give one record two addresses.
pub(crate) fn parse_index(text: &str) -> Option<u16> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

/// Chooses the partition of executions that belong to no flow. It must be a
/// pure function, or a repeated create would look in a different place.
pub trait SoloPartitioner: Send + Sync {
    /// The flow partition for this lane.
    fn partition(&self, lane: &LaneId, config: &PartitionConfig) -> u16;
}

/// Puts all solo executions of a lane into the partition its name hashes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LanePartitioner;

impl SoloPartitioner for LanePartitioner {
    fn partition(&self, lane: &LaneId, config: &PartitionConfig) -> u16 {
        config.partition_of(PartitionFamily::Flow, lane.as_str().as_bytes()).index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc16_gives_the_published_check_values() {
        assert_eq!(crc16(b""), 0);
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(crc16(b"A"), 0x58E5);
    }

    #[test]
    fn fnv_gives_the_published_check_values() {
        assert_eq!(fnv1a64(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a64(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a64(b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(fnv_digest8("foobar"), format!("{:08x}", 0x8594_4171_u32 ^ 0xf739_67e8));
        assert_eq!(fnv_digest8("").len(), 8);
    }

    #[test]
    fn a_family_without_partitions_is_refused() {
        assert_eq!(PartitionConfig::default().validate(), Ok(()));
        let broken = PartitionConfig { num_quota_partitions: 0, ..PartitionConfig::default() };
        let error = broken.validate().unwrap_err();
        assert_eq!(error.code(), "invalid_input");
        assert!(error.to_string().contains("num_quota_partitions"));
        assert_eq!(broken.partition_of(PartitionFamily::Quota, b"x").index, 0);
    }

    #[test]
    fn hash_tags_read_back_and_the_execution_alias_collapses() {
        for (family, tag) in [
            (PartitionFamily::Flow, "{fp:7}"),
            (PartitionFamily::Execution, "{fp:7}"),
            (PartitionFamily::Budget, "{b:7}"),
            (PartitionFamily::Quota, "{q:7}"),
            (PartitionFamily::System, "{s:7}"),
        ] {
            let partition = Partition { family, index: 7 };
            assert_eq!(partition.hash_tag(), tag);
            let read = PartitionKey::from(partition).parse().unwrap();
            assert_eq!(read.hash_tag(), tag);
            assert_eq!(read == partition, family != PartitionFamily::Execution);
        }
    }

    #[test]
    fn malformed_partition_keys_name_their_fault() {
        let index = |text: &str| PartitionKeyError::InvalidIndex(text.to_owned());
        for (text, expected) in [
            ("", PartitionKeyError::MissingBraces),
            ("fp:1", PartitionKeyError::MissingBraces),
            ("{fp:1", PartitionKeyError::MissingBraces),
            ("{", PartitionKeyError::MissingBraces),
            ("{}", PartitionKeyError::MalformedBody),
            ("{fp1}", PartitionKeyError::MalformedBody),
            ("{x:1}", PartitionKeyError::UnknownFamilyPrefix("x".to_owned())),
            ("{fp:}", index("")),
            ("{fp:+1}", index("+1")),
            ("{fp:01}", index("01")),
            ("{fp:65536}", index("65536")),
            ("{fp:1:2}", index("1:2")),
        ] {
            assert_eq!(PartitionKey::new(text).parse(), Err(expected), "{text}");
        }
        assert_eq!(PartitionKey::new("{fp:65535}").parse(), Ok(Partition::flow(65535)));
        assert_eq!(PartitionKey::new("{fp:0}").parse(), Ok(Partition::flow(0)));
    }

    #[test]
    fn the_default_partitioner_keeps_a_lane_together() {
        let config = PartitionConfig::default();
        let lane = LaneId::new("default");
        assert_eq!(LanePartitioner.partition(&lane, &config), crc16(b"default") % 256);
    }
}
