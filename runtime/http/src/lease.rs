//! Proofs of a lease: the handle or the fence that a worker's request
//! carries, and leases as answers show them.

use crate::api::Api;
use crate::bytes::Base64;
use crate::error::Refusal;
use crate::ids;
use leasehold_contract::Claimed;
use leasehold_core::command::{ClaimedExecution, CommandSource, FenceTriple};
use leasehold_core::handle::{Handle, HandleKind, HandlePayload};
use leasehold_core::ids::{
    AttemptId, AttemptIndex, ExecutionId, LaneId, LeaseEpoch, LeaseFence, LeaseId, WorkerInstanceId,
};
use leasehold_core::state::AttemptType;
use leasehold_core::time::TimestampMs;
use serde::{Deserialize, Serialize};

/// A fence as a request gives it. A part of one is for the engine to refuse.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Fence {
    #[serde(default)]
    pub lease_id: Option<String>,
    #[serde(default)]
    pub lease_epoch: Option<u64>,
    #[serde(default)]
    pub attempt_id: Option<String>,
}

impl Fence {
    /// Whether nothing of a fence is given.
    pub const fn is_empty(&self) -> bool {
        self.lease_id.is_none() && self.lease_epoch.is_none() && self.attempt_id.is_none()
    }

    /// The fence as the engine takes it.
    pub fn triple(&self) -> Result<FenceTriple, Refusal> {
        Ok(FenceTriple {
            lease_id: ids::parse_optional("lease_id", self.lease_id.as_deref())?,
            lease_epoch: self.lease_epoch.map(LeaseEpoch),
            attempt_id: ids::parse_optional("attempt_id", self.attempt_id.as_deref())?,
        })
    }
}

/// A handle with what it says.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub handle: Handle,
    pub payload: HandlePayload,
}

/// How a request proves its lease.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    /// By the handle it was given.
    Handle(Box<Held>),
    /// By naming the fence, all of it, a part or nothing.
    Fence(FenceTriple),
}

impl Api {
    /// What a request's `handle` and `fence` prove about an execution.
    pub fn proof(&self, target: ExecutionId, handle: Option<Base64>, fence: Option<&Fence>) -> Result<Proof, Refusal> {
        let Some(handle) = handle else {
            return Ok(Proof::Fence(fence.map(Fence::triple).transpose()?.unwrap_or_default()));
        };
        if fence.is_some() {
            return Err(Refusal::invalid_input("handle and fence: give one of them"));
        }
        // The outer kind carries no authority and does not travel.
        let handle =
            Handle { backend: self.tag(), kind: HandleKind::Fresh, opaque: handle.decoded("handle")?.to_vec() };
        let payload = handle.decode(self.tag())?;
        if payload.execution_id != target {
            return Err(Refusal::invalid_input(format!(
                "handle: it is for {}, the path names {target}",
                payload.execution_id
            )));
        }
        Ok(Proof::Handle(Box::new(Held { handle, payload })))
    }

    /// A handle for operations that take nothing else. The engine judges a
    /// lease by its fence alone, so the other fields of a handle that is made
    /// of a fence are placeholders.
    pub fn handle_of(&self, target: ExecutionId, proof: Proof) -> Result<Handle, Refusal> {
        let fence = match proof {
            Proof::Handle(held) => return Ok(held.handle),
            Proof::Fence(fence) => required(&fence)?,
        };
        let payload = HandlePayload {
            execution_id: target,
            attempt_index: AttemptIndex(0),
            attempt_id: fence.attempt_id,
            lease_id: fence.lease_id,
            lease_epoch: fence.lease_epoch,
            lease_ttl_ms: 1,
            lane_id: LaneId::new("-"),
            worker_instance_id: WorkerInstanceId::new("-"),
        };
        Ok(Handle::encode(self.tag(), HandleKind::Fresh, &payload))
    }
}

/// The whole fence, or the engine's refusal of anything less.
fn required(fence: &FenceTriple) -> Result<LeaseFence, Refusal> {
    use leasehold_core::error::{EngineError, ValidationKind};
    let missing = || EngineError::validation(ValidationKind::FenceRequired, "a handle or a fence proves the lease");
    Ok(fence.shape()?.ok_or_else(missing)?)
}

/// Who asks for the end of a lease. A worker that forgets its proof must not
/// pass for an operator, so a request has to say that it is one.
pub(crate) fn source(given: Option<&str>) -> CommandSource {
    given.filter(|text| !text.is_empty()).map_or(CommandSource::LeaseHolder, CommandSource::parse)
}

/// A lease in an answer.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LeaseView {
    pub execution_id: ExecutionId,
    pub handle: Base64,
    pub kind: HandleKind,
    pub fence: LeaseFence,
    pub lease_id: LeaseId,
    pub lease_epoch: LeaseEpoch,
    pub attempt_id: AttemptId,
    pub attempt_index: AttemptIndex,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_type: Option<AttemptType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_expires_at: Option<TimestampMs>,
    pub lease_ttl_ms: u64,
    pub lane_id: LaneId,
    pub worker_instance_id: WorkerInstanceId,
}

impl LeaseView {
    /// A lease that was issued with its handle.
    pub fn new(execution: &ClaimedExecution, handle: Handle) -> Self {
        Self {
            execution_id: execution.execution_id,
            handle: handle.opaque.into(),
            kind: execution.kind,
            fence: execution.fence(),
            lease_id: execution.lease_id,
            lease_epoch: execution.lease_epoch,
            attempt_id: execution.attempt_id,
            attempt_index: execution.attempt_index,
            attempt_type: Some(execution.attempt_type),
            lease_expires_at: Some(execution.lease_expires_at),
            lease_ttl_ms: execution.lease_ttl_ms,
            lane_id: execution.lane_id.clone(),
            worker_instance_id: execution.worker_instance_id.clone(),
        }
    }

    /// A lease of which only the handle is known.
    pub fn of_handle(api: &Api, handle: Handle) -> Result<Self, Refusal> {
        let payload = handle.decode(api.tag())?;
        Ok(Self {
            execution_id: payload.execution_id,
            kind: handle.kind,
            handle: handle.opaque.into(),
            fence: payload.fence(),
            lease_id: payload.lease_id,
            lease_epoch: payload.lease_epoch,
            attempt_id: payload.attempt_id,
            attempt_index: payload.attempt_index,
            attempt_type: None,
            lease_expires_at: None,
            lease_ttl_ms: payload.lease_ttl_ms,
            lane_id: payload.lane_id,
            worker_instance_id: payload.worker_instance_id,
        })
    }
}

impl From<Claimed> for LeaseView {
    fn from(claimed: Claimed) -> Self {
        Self::new(&claimed.execution, claimed.handle)
    }
}

/// Answer of every claim of a named execution.
#[derive(Clone, Debug, Serialize)]
pub(crate) enum ClaimAnswer {
    /// The caller has it.
    Claimed(LeaseView),
}
