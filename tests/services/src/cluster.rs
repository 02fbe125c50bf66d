//! A Valkey Cluster of one's own: three primaries with a replica each.

use crate::error::{ServiceError, ServiceResult};
use crate::redis::{Flavour, Redis, RedisConfig, field_of};
use crate::resp::Reply;
use crate::wait::wait_for;
use std::thread;
use std::time::Duration;

const PRIMARIES: usize = 3;
const NODES: usize = 2 * PRIMARIES;
const SLOTS: usize = 16_384;

/// How long the nodes may take to agree.
const LIMIT: Duration = Duration::from_secs(60);

/// Six nodes; in the beginning the first three are primaries, and each of the others is the
/// replica of the one three places before it.
#[derive(Debug)]
pub struct ValkeyCluster {
    nodes: Vec<Redis>,
}

impl ValkeyCluster {
    /// Starts six nodes and makes them a cluster.
    ///
    /// # Errors
    ///
    /// When a node does not start, or they do not agree.
    pub fn start(config: &RedisConfig) -> ServiceResult<Self> {
        let config = RedisConfig { flavour: Flavour::Valkey, cluster: true, ..config.clone() };
        // Looked up once, so that six nodes do not fetch the programs side by side.
        crate::Kind::Valkey.programs()?;
        let nodes: ServiceResult<Vec<_>> = thread::scope(|scope| {
            let starting: Vec<_> = (0..NODES).map(|_| scope.spawn(|| Redis::start(&config))).collect();
            starting.into_iter().map(|node| node.join().unwrap_or_else(|_| Err(failed("a node panicked")))).collect()
        });
        let cluster = Self { nodes: nodes? };
        cluster.join()?;
        Ok(cluster)
    }

    /// All nodes, the primaries of the beginning first.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// A node, to be killed, frozen or started again.
    pub fn node(&mut self, index: usize) -> &mut Redis {
        &mut self.nodes[index]
    }

    /// The URLs of all nodes.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::url).collect()
    }

    /// The URLs of the primaries of the beginning.
    pub fn primary_urls(&self) -> Vec<String> {
        self.nodes[..PRIMARIES].iter().map(Redis::url).collect()
    }

    /// Which nodes call themselves primaries now; one that does not answer is none.
    pub fn primaries(&self) -> Vec<usize> {
        let is_primary = |node: &Redis| matches!(node.info("role"), Ok(Some(role)) if role == "master");
        (0..NODES).filter(|index| is_primary(&self.nodes[*index])).collect()
    }

    /// Waits until every node that runs finds all slots served.
    ///
    /// # Errors
    ///
    /// When they do not in time.
    pub fn wait_until_whole(&self) -> ServiceResult {
        let whole = wait_for(LIMIT, || {
            let all = self.nodes.iter().filter(|node| node.is_alive()).all(is_whole);
            Ok::<_, ServiceError>(all.then_some(()))
        })?;
        whole.ok_or_else(|| failed("its nodes do not find all slots served"))
    }

    /// Gives slots to the primaries, makes all nodes meet, and attaches the replicas.
    fn join(&self) -> ServiceResult {
        for (index, node) in self.nodes.iter().enumerate() {
            // Refused once a node has heard of another.
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()])?;
        }
        for (index, node) in self.nodes[..PRIMARIES].iter().enumerate() {
            let (first, past) = (index * SLOTS / PRIMARIES, (index + 1) * SLOTS / PRIMARIES);
            node.command(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &(past - 1).to_string()])?;
        }
        for (index, node) in self.nodes.iter().enumerate() {
            for other in &self.nodes[index + 1..] {
                node.command(&["CLUSTER", "MEET", "127.0.0.1", &other.port().to_string()])?;
            }
        }
        for (replica, primary) in self.nodes[PRIMARIES..].iter().zip(&self.nodes) {
            attach(replica, primary)?;
        }
        self.wait_until_whole()?;
        let follows = wait_for(LIMIT, || {
            let links = self.nodes[PRIMARIES..].iter().map(|replica| replica.info("master_link_status"));
            let up =
                links.map(|link| link.map(|link| link.as_deref() == Some("up"))).collect::<ServiceResult<Vec<_>>>();
            let shown = self.shows_all_replicas()?;
            Ok::<_, ServiceError>((shown && up?.into_iter().all(|up| up)).then_some(()))
        })?;
        follows.ok_or_else(|| failed("its replicas do not follow"))
    }

    /// Whether every node tells clients of a replica for each primary.
    fn shows_all_replicas(&self) -> ServiceResult<bool> {
        for node in &self.nodes {
            let Reply::List(ranges) = node.command(&["CLUSTER", "SLOTS"])? else {
                return Ok(false);
            };
            // A range is its first and last slot, its primary, and the replicas.
            let complete = |range: &Reply| matches!(range, Reply::List(parts) if parts.len() == 4);
            if ranges.len() != PRIMARIES || !ranges.iter().all(complete) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Closes the pipes to the guards; the nodes are ended beside whatever happens here.
    pub(crate) fn release(&mut self) {
        self.nodes.iter_mut().for_each(Redis::release);
    }
}

impl Drop for ValkeyCluster {
    fn drop(&mut self) {
        // All at once, so that the ends overlap.
        self.release();
    }
}

/// Makes a node a replica as soon as it has met its primary.
fn attach(replica: &Redis, primary: &Redis) -> ServiceResult {
    let Reply::Text(id) = primary.command(&["CLUSTER", "MYID"])? else {
        return Err(failed("a node has no id"));
    };
    let attached = wait_for(LIMIT, || match replica.command(&["CLUSTER", "REPLICATE", &id]) {
        Ok(_) => Ok(Some(())),
        Err(ServiceError::Command { reason, .. }) if reason.contains("Unknown node") => Ok(None),
        Err(error) => Err(error),
    })?;
    attached.ok_or_else(|| failed("its nodes do not meet"))
}

fn is_whole(node: &Redis) -> bool {
    let Ok(Reply::Text(info)) = node.command(&["CLUSTER", "INFO"]) else {
        return false;
    };
    field_of(&info, "cluster_state") == Some("ok")
        && field_of(&info, "cluster_slots_ok") == Some("16384")
        && field_of(&info, "cluster_known_nodes") == Some("6")
}

fn failed(reason: &str) -> ServiceError {
    ServiceError::Start { what: "the Valkey Cluster", reason: reason.to_owned() }
}
