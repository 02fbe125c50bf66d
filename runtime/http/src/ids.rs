//! Reading identifiers from requests and minting those a caller leaves out.

use crate::api::Api;
use crate::error::Refusal;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::ids::{AttemptId, ExecutionId, LeaseId, Namespace, SignalId};
use leasehold_core::partition::PartitionFamily;
use std::fmt;
use std::str::FromStr;

/// Reads an identifier in its one spelling.
pub(crate) fn parse<T>(field: &str, text: &str) -> Result<T, Refusal>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    text.parse().map_err(|error| Refusal::invalid_input(format!("{field}: {error}")))
}

/// As [`parse`], for a field that may be absent.
pub(crate) fn parse_optional<T>(field: &str, text: Option<&str>) -> Result<Option<T>, Refusal>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    text.map(|text| parse(field, text)).transpose()
}

/// Reads a worker's or a process's name. Stricter than the engine: a name
/// with a space or a control character has been configured by mistake.
pub(crate) fn worker<T>(field: &str, text: &str) -> Result<T, Refusal>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Refusal::invalid_input(format!("{field}: whitespace or a control character")));
    }
    parse(field, text)
}

/// Reads what a worker offers.
pub(crate) fn offered(tokens: &[String]) -> Result<CapabilitySet, Refusal> {
    Ok(CapabilitySet::parse_offered(tokens.iter().map(String::as_str))?)
}

/// A number that must lie within bounds.
pub(crate) fn within(field: &str, value: u64, least: u64, most: u64) -> Result<u64, Refusal> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(Refusal::invalid_input(format!("{field}: {value}, from {least} to {most}")))
}

/// What a request says about where its execution lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placement<'a> {
    pub execution_id: Option<&'a str>,
    pub partition_id: Option<u16>,
    pub namespace: &'a Namespace,
    pub idempotency_key: Option<&'a str>,
}

impl Api {
    /// The id a create names, or a new one: beside its idempotency key, so
    /// that a repeat meets the first one, else spread by its own bytes.
    pub async fn place(&self, placement: Placement<'_>) -> Result<ExecutionId, Refusal> {
        if let Some(text) = placement.execution_id {
            let id: ExecutionId = parse("execution_id", text)?;
            self.check_partition("execution_id", id.partition())?;
            if placement.partition_id.is_some_and(|partition| partition != id.partition()) {
                return Err(Refusal::invalid_input(format!("partition_id: not the partition of {id}")));
            }
            return Ok(id);
        }
        let now = self.engine.server_time_ms().await?;
        let uuid = self.entropy.ordered_uuid(now.0);
        if let Some(partition) = placement.partition_id {
            self.check_partition("partition_id", partition)?;
            return Ok(ExecutionId::from_parts(partition, uuid));
        }
        Ok(match placement.idempotency_key.filter(|key| !key.is_empty()) {
            Some(key) => ExecutionId::keyed(placement.namespace, key, uuid, &self.partitions),
            None => ExecutionId::spread(uuid, &self.partitions),
        })
    }

    fn check_partition(&self, field: &str, partition: u16) -> Result<(), Refusal> {
        let count = self.partitions.count(PartitionFamily::Flow);
        if partition < count {
            return Ok(());
        }
        Err(Refusal::invalid_input(format!("{field}: partition {partition}, below {count}")))
    }

    /// The lease id a claim names, or a new one.
    pub fn lease_id(&self, text: Option<&str>) -> Result<LeaseId, Refusal> {
        let given = parse_optional("lease_id", text)?;
        Ok(given.unwrap_or_else(|| LeaseId::from_uuid(self.entropy.uuid())))
    }

    /// The attempt id a claim names, or a new one.
    pub fn attempt_id(&self, text: Option<&str>) -> Result<AttemptId, Refusal> {
        let given = parse_optional("attempt_id", text)?;
        Ok(given.unwrap_or_else(|| AttemptId::from_uuid(self.entropy.uuid())))
    }

    /// The signal id a sender names, or a new one.
    pub fn signal_id(&self, text: Option<&str>) -> Result<SignalId, Refusal> {
        let given = parse_optional("signal_id", text)?;
        Ok(given.unwrap_or_else(|| self.entropy.uuid().into()))
    }
}
