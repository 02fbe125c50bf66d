//! The engine as callers see it: a handle that implements the contract.
//!
//! Writes go through the router to the actor that owns the partition and are
//! answered once they are durable. Reads go to the store directly and never
//! wait for an actor; only the expiry of a live lease is asked of its owner,
//! because renewals are stored later than they are answered.

mod claims;
mod executions;
mod expired;
mod fields;
mod flows;
mod inbox;
mod leases;
mod limits;
mod maintenance;
mod paging;
mod reads;
mod records;
mod rotation;
mod start;
pub(crate) mod store_error;
mod suspension;
mod views;
mod work;

#[cfg(test)]
mod fixture;

use crate::env::Env;
use crate::router::Router;
use leasehold_backend::{Loaded, StoreError};
use leasehold_contract::{Claimed, EngineResult, Handle};
use leasehold_core::command::{ClaimedExecution, Operation};
use leasehold_core::error::{BugKind, EngineError, Entity};
use leasehold_core::handle::{BackendTag, HandlePayload};
use leasehold_core::ids::{ExecutionId, LeaseId};
use leasehold_core::partition::{Partition, PartitionFamily};
use leasehold_core::record::{BlobKey, Execution, RecordKey};
use leasehold_core::state::OwnershipState;
use leasehold_core::time::TimestampMs;
use rotation::Rotation;
pub use start::Node;
use std::sync::Arc;
use tracing::Instrument;

/// Refuses a lease that is too short or too long, in ms.
pub(crate) fn check_lease_ttl(lease_ttl_ms: u64) -> EngineResult<()> {
    limits::lease_ttl("lease_ttl_ms", lease_ttl_ms)
}

/// A running engine. Clones are cheap and mean the same engine.
#[derive(Clone)]
pub struct EngineHandle {
    pub(crate) env: Arc<Env>,
    pub(crate) router: Router,
    pub(crate) node: Node,
    rotation: Arc<Rotation>,
}

impl std::fmt::Debug for EngineHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineHandle").field("env", &self.env).finish_non_exhaustive()
    }
}

impl EngineHandle {
    /// A handle on the engine behind the router.
    pub(crate) fn new(env: Arc<Env>, router: Router, node: Node) -> Self {
        Self { env, router, node, rotation: Arc::new(Rotation::default()) }
    }

    /// Which store this engine runs on; part of every handle it gives out.
    pub(crate) fn tag(&self) -> BackendTag {
        self.env.backend.tag()
    }

    /// Sends a write to the owner of its execution and waits until the answer
    /// is durable.
    async fn submit<O: Operation>(&self, execution_id: ExecutionId, op: O) -> EngineResult<O::Outcome> {
        self.submit_as(execution_id, op, false).await
    }

    /// As `submit`; `minted` says that its ids were minted for this call.
    async fn submit_as<O: Operation>(
        &self,
        execution_id: ExecutionId,
        op: O,
        minted: bool,
    ) -> EngineResult<O::Outcome> {
        let span = tracing::debug_span!("engine", op = O::NAME, %execution_id);
        let command = op.into_command();
        let again = self.may_find_it_in_the_inbox(&command).then(|| command.clone());
        let reply = async {
            match (self.router.submit_command(command, minted).await, again) {
                (Err(EngineError::NotFound { entity: Entity::Execution }), Some(command)) => {
                    self.take_in(O::NAME, execution_id).await?;
                    self.router.submit_command(command, false).await
                }
                (reply, _) => reply,
            }
        };
        let reply = reply.instrument(span).await?;
        O::outcome(reply).map_err(|_| EngineError::bug(BugKind::Panic, "a reply of another operation"))
    }

    /// What a worker's handle says, if this engine's store issued it.
    fn open(&self, handle: &Handle) -> EngineResult<HandlePayload> {
        handle.decode(self.tag())
    }

    /// A new lease with the handle its worker carries.
    fn claimed(&self, execution: ClaimedExecution) -> Claimed {
        Claimed { handle: execution.handle(self.tag()), execution }
    }

    /// A lease id of this process's randomness.
    fn mint_lease_id(&self) -> LeaseId {
        LeaseId::from_uuid(self.env.entropy.uuid())
    }

    /// Names the operation in a failure of the store.
    fn store_failed(&self, op: &'static str) -> impl FnOnce(StoreError) -> EngineError {
        let backend = self.tag();
        move |error| store_error::engine_error(op, backend, error)
    }

    /// How many partitions executions are spread over.
    fn partition_count(&self) -> u16 {
        self.env.options.partitions.num_flow_partitions
    }

    /// The number of a partition that holds executions.
    fn flow_partition(&self, partition: Partition) -> EngineResult<u16> {
        let holds_executions = matches!(partition.family, PartitionFamily::Flow | PartitionFamily::Execution);
        if holds_executions && partition.index < self.partition_count() {
            return Ok(partition.index);
        }
        Err(EngineError::invalid_input(format!("partition {partition} holds no executions")))
    }

    /// Loads an execution and blobs of it from one snapshot.
    async fn load(
        &self,
        op: &'static str,
        id: ExecutionId,
        blobs: &[BlobKey],
    ) -> EngineResult<(Option<Arc<Execution>>, Vec<Option<bytes::Bytes>>)> {
        if id.partition() >= self.partition_count() {
            // Such an id can be written down but was never given out.
            return Ok((None, vec![None; blobs.len()]));
        }
        let loaded = self.load_once(op, id, blobs).await?;
        if loaded.0.is_some() || !self.env.outside_writers {
            return Ok(loaded);
        }
        self.take_in(op, id).await?;
        self.load_once(op, id, blobs).await
    }

    async fn load_once(
        &self,
        op: &'static str,
        id: ExecutionId,
        blobs: &[BlobKey],
    ) -> EngineResult<(Option<Arc<Execution>>, Vec<Option<bytes::Bytes>>)> {
        let keys = [RecordKey::Execution(id.uuid())];
        let loaded = self.env.backend.load(id.partition(), &keys, blobs).await;
        let Loaded { records, blobs } = loaded.map_err(self.store_failed(op))?;
        let execution = records.into_iter().next().flatten().and_then(|record| record.as_execution().cloned());
        Ok((execution, blobs))
    }

    /// Loads an execution; none when it does not exist.
    async fn find(&self, op: &'static str, id: ExecutionId) -> EngineResult<Option<Arc<Execution>>> {
        self.load(op, id, &[]).await.map(|(execution, _)| execution)
    }

    /// Loads an execution that must exist.
    async fn get(&self, op: &'static str, id: ExecutionId) -> EngineResult<Arc<Execution>> {
        self.find(op, id).await?.ok_or_else(EngineError::execution_not_found)
    }

    /// When the lease of an execution lapses: what its owner promised, or what
    /// is stored where no owner answers. None without a lease.
    async fn lease_expiry(&self, execution: &Execution) -> EngineResult<Option<TimestampMs>> {
        let Some(lease) = execution.lease.as_ref().filter(|_| execution.vector().is_active()) else {
            return Ok(None);
        };
        if execution.vector().ownership_state() != OwnershipState::Leased {
            return Ok(Some(lease.expires_at));
        }
        match self.router.lease_expires_at(execution.id).await {
            Ok(promised) => Ok(Some(promised.unwrap_or(lease.expires_at))),
            Err(error) if error.is_retryable() => Ok(Some(lease.expires_at)),
            Err(error) => Err(error),
        }
    }
}
