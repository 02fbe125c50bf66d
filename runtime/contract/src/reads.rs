//! Reads. They never wait for an actor and see every acknowledged write; only
//! a live lease's expiry is asked of the partition's owner.

use crate::EngineResult;
use async_trait::async_trait;
use bytes::Bytes;
use leasehold_core::ids::{
    AttemptId, AttemptIndex, ExecutionId, FlowId, LaneId, LeaseEpoch, LeaseId, Namespace, WaitpointId, WorkerId,
    WorkerInstanceId,
};
use leasehold_core::partition::Partition;
use leasehold_core::state::{AttemptLifecycle, AttemptType, BlockingReason, PublicState, StateVector};
use leasehold_core::time::TimestampMs;
use serde::Serialize;
use std::collections::BTreeMap;

/// The live or last attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CurrentAttempt {
    /// Its id.
    pub attempt_id: AttemptId,
    /// Its zero-based index.
    pub attempt_index: AttemptIndex,
}

/// The lease of an active execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CurrentLease {
    /// Its epoch.
    pub lease_epoch: LeaseEpoch,
    /// Who has it.
    pub worker_instance_id: WorkerInstanceId,
    /// When it lapses, as its owner promises.
    pub expires_at: TimestampMs,
    /// Its id.
    pub lease_id: LeaseId,
    /// The attempt it drives.
    pub attempt_index: AttemptIndex,
    /// The last renewal.
    pub last_heartbeat_at: Option<TimestampMs>,
}

/// Answer of `describe_execution`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExecutionSnapshot {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Its flow.
    pub flow_id: Option<FlowId>,
    /// Its lane.
    pub lane_id: LaneId,
    /// Its namespace.
    pub namespace: Namespace,
    /// The label shown to people.
    pub public_state: PublicState,
    /// Why it is not running; none where nothing blocks it.
    pub blocking_reason: Option<BlockingReason>,
    /// What a block says beyond its reason.
    pub blocking_detail: Option<String>,
    /// The live or last attempt.
    pub current_attempt: Option<CurrentAttempt>,
    /// The lease while it is active.
    pub current_lease: Option<CurrentLease>,
    /// What it waits for.
    pub current_waitpoint: Option<WaitpointId>,
    /// When it was created.
    pub created_at: TimestampMs,
    /// When anything last changed.
    pub last_mutation_at: TimestampMs,
    /// Attempts ever.
    pub total_attempt_count: u32,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Answer of `read_execution_info`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExecutionInfo {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its lane.
    pub lane_id: LaneId,
    /// 0 to 9000.
    pub priority: i32,
    /// Which handler runs it.
    pub execution_kind: String,
    /// All dimensions.
    pub state_vector: StateVector,
    /// The label shown to people.
    pub public_state: PublicState,
    /// Unix ms, as text.
    pub created_at: String,
    /// Unix ms, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// Unix ms, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// The pointer to the live or last attempt.
    pub current_attempt_index: AttemptIndex,
    /// Its flow.
    pub flow_id: Option<FlowId>,
    /// What a block says beyond its reason; empty when nothing.
    pub blocking_detail: String,
}

/// Answer of `read_execution_context`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionContext {
    /// What it was created with.
    pub input_payload: Bytes,
    /// Which handler runs it.
    pub execution_kind: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A page of executions of one partition, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecutionPage {
    /// The ids.
    pub executions: Vec<ExecutionId>,
    /// Where to go on; none at the end.
    pub next_cursor: Option<ExecutionId>,
}

/// A page of lanes, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LanePage {
    /// The lanes.
    pub lanes: Vec<LaneId>,
    /// Where to go on; none at the end.
    pub next_cursor: Option<LaneId>,
}

/// One attempt, as listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttemptView {
    /// Its id.
    pub attempt_id: AttemptId,
    /// Its zero-based index.
    pub attempt_index: AttemptIndex,
    /// Why it exists.
    pub attempt_type: AttemptType,
    /// Where it stands.
    pub lifecycle: AttemptLifecycle,
    /// When it first ran.
    pub started_at: TimestampMs,
    /// When it ended.
    pub ended_at: Option<TimestampMs>,
    /// When it went on after an interruption.
    pub resumed_at: Option<TimestampMs>,
    /// When it gave its lease back to go on later.
    pub suspended_at: Option<TimestampMs>,
    /// The last lease it ran under.
    pub lease_id: LeaseId,
    /// That lease's epoch.
    pub lease_epoch: LeaseEpoch,
    /// The last worker.
    pub worker_id: WorkerId,
    /// The last worker's process.
    pub worker_instance_id: WorkerInstanceId,
    /// Why it failed or was cancelled.
    pub failure_reason: Option<String>,
    /// The class of the failure.
    pub failure_category: Option<String>,
}

/// A page of attempts of one execution, by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptPage {
    /// The attempts.
    pub attempts: Vec<AttemptView>,
    /// The last index seen, to go on after; none at the end.
    pub next_cursor: Option<AttemptIndex>,
}

/// Reads of executions, attempts and lanes.
#[async_trait]
pub trait Reads: Send + Sync {
    /// A snapshot; none when there is no such execution.
    async fn describe_execution(&self, execution_id: ExecutionId) -> EngineResult<Option<ExecutionSnapshot>>;

    /// Payload, kind and tags; `invalid_input` when there is no such
    /// execution.
    async fn read_execution_context(&self, execution_id: ExecutionId) -> EngineResult<ExecutionContext>;

    /// All dimensions; none when there is no such execution.
    async fn read_execution_info(&self, execution_id: ExecutionId) -> EngineResult<Option<ExecutionInfo>>;

    /// The public state; none when there is no such execution.
    async fn read_execution_state(&self, execution_id: ExecutionId) -> EngineResult<Option<PublicState>>;

    /// The result; none when none is stored.
    async fn get_execution_result(&self, execution_id: ExecutionId) -> EngineResult<Option<Bytes>>;

    /// The namespace; none when there is no such execution.
    async fn get_execution_namespace(&self, execution_id: ExecutionId) -> EngineResult<Option<Namespace>>;

    /// Fields by the names of the specification (1.7), as text; unknown names
    /// and a missing execution give none. `invalid_input` when the partition
    /// is not the id's, or for more than 64 names.
    async fn read_exec_core_fields(
        &self,
        partition: Partition,
        execution_id: ExecutionId,
        names: &[String],
    ) -> EngineResult<BTreeMap<String, Option<String>>>;

    /// The pointer to the live or last attempt, 0 before the first claim;
    /// `execution_not_found`.
    async fn read_current_attempt_index(&self, execution_id: ExecutionId) -> EngineResult<AttemptIndex>;

    /// Attempts ever, the index of the next one; `execution_not_found`.
    async fn read_total_attempt_count(&self, execution_id: ExecutionId) -> EngineResult<u32>;

    /// Executions of one partition; a limit of 0 gives an empty page, 1000 is
    /// the most.
    async fn list_executions(
        &self,
        partition: Partition,
        cursor: Option<ExecutionId>,
        limit: usize,
    ) -> EngineResult<ExecutionPage>;

    /// Lanes; as [`Reads::list_executions`].
    async fn list_lanes(&self, cursor: Option<LaneId>, limit: usize) -> EngineResult<LanePage>;

    /// Attempts of one execution; as [`Reads::list_executions`];
    /// `execution_not_found`.
    async fn list_attempts(
        &self,
        execution_id: ExecutionId,
        cursor: Option<AttemptIndex>,
        limit: usize,
    ) -> EngineResult<AttemptPage>;
}
