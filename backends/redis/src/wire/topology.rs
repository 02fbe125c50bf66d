//! Who serves what: one server for everything, or the primaries of a Cluster.

use super::link::{Cut, Link, Timeouts};
use super::runs::Runs;
use crate::stats::Counters;
use leasehold_core::partition::crc16;
use redis::{Cmd, ConnectionAddr, ConnectionInfo, Pipeline, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many slots a Cluster has.
const SLOTS: u16 = 16384;

/// The slot of a hash tag.
pub(crate) fn slot_of(tag: &str) -> u16 {
    crc16(tag.as_bytes()) % SLOTS
}

/// A server that takes writes, with the connections to it.
pub(crate) struct Primary {
    pub(crate) address: String,
    reads: Vec<Link>,
    next_read: AtomicUsize,
    /// Commits wait on their connection for the disk or for replicas, which
    /// holds up whoever else is on it.
    writes: Link,
    /// Nodes and their leases must not stand behind such a wait.
    ownership: Link,
}

/// Which connection a call travels on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Reads, several connections.
    Reads,
    /// Commits and takeovers.
    Writes,
    /// Nodes and their leases.
    Ownership,
}

impl Primary {
    fn new(info: &ConnectionInfo, of: &Surveyor) -> Self {
        let link = |timeouts| Link::new(info.clone(), timeouts, Arc::clone(&of.counters), Arc::clone(&of.runs));
        let (readers, timeouts) = (of.readers, of.timeouts);
        Self {
            address: info.addr().to_string(),
            reads: (0..readers.max(1)).map(|_| link(timeouts.reads)).collect(),
            next_read: AtomicUsize::new(0),
            writes: link(timeouts.writes),
            ownership: link(timeouts.writes),
        }
    }

    fn link(&self, lane: Lane) -> &Link {
        match lane {
            Lane::Reads => &self.reads[self.next_read.fetch_add(1, Relaxed) % self.reads.len()],
            Lane::Writes => &self.writes,
            Lane::Ownership => &self.ownership,
        }
    }

    /// Sends commands in one piece on one connection.
    pub(crate) async fn send(&self, lane: Lane, commands: impl IntoIterator<Item = &Cmd>) -> Result<Vec<Value>, Cut> {
        let mut pipeline = Pipeline::new();
        for command in commands {
            pipeline.add_command(command.clone());
        }
        self.send_pipeline(lane, &pipeline).await
    }

    /// Sends a pipeline in one piece on one connection.
    pub(crate) async fn send_pipeline(&self, lane: Lane, pipeline: &Pipeline) -> Result<Vec<Value>, Cut> {
        let answers = self.link(lane).send(pipeline).await;
        if lane == Lane::Reads && matches!(answers, Err(Cut::Lost(_))) {
            // What cut one has likely cut the others, and a read that is sent
            // once more must not meet the next dead connection.
            for link in &self.reads {
                link.forget().await;
            }
        }
        answers
    }

    async fn close(&self) {
        for link in self.reads.iter().chain([&self.writes, &self.ownership]) {
            link.close().await;
        }
    }
}

/// Timeouts by kind of connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WireTimeouts {
    pub(crate) reads: Timeouts,
    pub(crate) writes: Timeouts,
}

/// Who serves what.
#[derive(Clone, Default)]
pub(crate) struct Topology {
    pub(crate) primaries: Vec<Arc<Primary>>,
    /// First and last slot and the place of their primary; empty outside a
    /// Cluster.
    pub(super) ranges: Vec<(u16, u16, usize)>,
    /// Whether it is a Cluster.
    pub(crate) clustered: bool,
}

impl Topology {
    /// The primary of a slot.
    pub(crate) fn of(&self, slot: u16) -> Option<&Arc<Primary>> {
        if !self.clustered {
            return self.primaries.first();
        }
        let range = self.ranges.iter().find(|(first, last, _)| (*first..=*last).contains(&slot))?;
        self.primaries.get(range.2)
    }

    /// Whether somebody else serves what was served before.
    pub(super) fn differs_from(&self, before: &Self) -> bool {
        let address = |topology: &Self, slot| topology.of(slot).map(|primary| primary.address.clone());
        let moved = |slot| address(before, slot).is_some_and(|served| address(self, slot) != Some(served));
        before.clustered && self.ranges.iter().any(|(first, last, _)| moved(*first) || moved(*last))
    }

    pub(crate) async fn close(&self) {
        for primary in &self.primaries {
            primary.close().await;
        }
    }
}

/// Makes topologies, keeping the connections to servers that stay.
pub(crate) struct Surveyor {
    pub(crate) seeds: Vec<ConnectionInfo>,
    pub(crate) readers: usize,
    pub(crate) timeouts: WireTimeouts,
    pub(crate) counters: Arc<Counters>,
    pub(crate) runs: Arc<Runs>,
}

impl Surveyor {
    /// The single server, or a Cluster's seeds before anybody was asked.
    pub(crate) fn seeds(&self) -> Vec<Arc<Primary>> {
        self.seeds.iter().map(|info| Arc::new(self.primary(info))).collect()
    }

    fn primary(&self, info: &ConnectionInfo) -> Primary {
        Primary::new(info, self)
    }

    /// Reads the answer to `CLUSTER SLOTS` that `asked` gave.
    pub(crate) fn cluster(&self, answer: &Value, asked: &Primary, before: &Topology) -> Option<Topology> {
        let template = self.seeds.first()?;
        let mut topology = Topology { clustered: true, ..Topology::default() };
        for range in array(answer)? {
            let [first, last, primary, ..] = array(range)? else { return None };
            let [host, port, ..] = array(primary)? else { return None };
            let host = text(host).filter(|host| !host.is_empty()).or_else(|| host_of(&asked.address))?;
            let port = u16::try_from(int(port)?).ok()?;
            let info = template.clone().set_addr(ConnectionAddr::Tcp(host, port));
            let address = info.addr().to_string();
            let at = topology.primaries.iter().position(|known| known.address == address).unwrap_or_else(|| {
                let known = before.primaries.iter().find(|known| known.address == address);
                topology.primaries.push(known.map_or_else(|| Arc::new(self.primary(&info)), Arc::clone));
                topology.primaries.len() - 1
            });
            topology.ranges.push((u16::try_from(int(first)?).ok()?, u16::try_from(int(last)?).ok()?, at));
        }
        (!topology.ranges.is_empty()).then_some(topology)
    }
}

fn host_of(address: &str) -> Option<String> {
    address.rsplit_once(':').map(|(host, _)| host.to_owned())
}

fn array(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(values) => Some(values),
        _ => None,
    }
}

const fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_servers() {
        // As `CLUSTER KEYSLOT` answers.
        assert_eq!(slot_of("123456789"), 12739);
        assert_eq!(slot_of("foo"), 12182);
    }
}
