//! Arguments of operations, as a plain caller would give them.

use super::Harness;
use bytes::Bytes;
use leasehold_contract::{
    CancelExecution, ClaimExecution, ClaimForWorker, ClaimPolicy, ClaimResumedExecution, CommandSource,
    CompleteExecution, CreateExecution, FailExecution, FenceTriple, IssueClaimGrant, IssueGrantAndClaim,
    IssueReclaimGrant, PollTasks, ReclaimExecution, RenewLease, ReplayExecution, RevokeLease,
};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::command::ClaimedExecution;
use leasehold_core::ids::{AttemptId, ExecutionId, LaneId, LeaseId, Namespace, RequestId, WorkerId, WorkerInstanceId};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;
use uuid::Uuid;

/// The namespace of executions that name no other.
pub const NAMESPACE: &str = "tenant";
/// The lane of executions that name no other.
pub const LANE: &str = "mail";
/// The logical worker of claims that name no other.
pub const WORKER: &str = "worker";
/// The process of claims that name no other.
pub const INSTANCE: &str = "worker-1";
/// How long leases and grants last that say nothing else.
pub const TTL_MS: u64 = 30_000;

impl Harness {
    pub(super) fn mint(&self, kind: u32) -> Uuid {
        let number = self.minted.fetch_add(1, Ordering::Relaxed) + 1;
        Uuid::from_u128(u128::from(kind) << 96 | u128::from(number))
    }

    /// An id nothing was created with; they ascend.
    pub fn id(&self) -> ExecutionId {
        self.id_in(1)
    }

    /// As [`Harness::id`], in a partition.
    pub fn id_in(&self, partition: u16) -> ExecutionId {
        ExecutionId::from_parts(partition, self.mint(1))
    }

    /// A new lease id.
    pub fn lease_id(&self) -> LeaseId {
        LeaseId::from_uuid(self.mint(2))
    }

    /// A new attempt id.
    pub fn attempt_id(&self) -> AttemptId {
        AttemptId::from_uuid(self.mint(3))
    }

    /// A new request id.
    pub fn request_id(&self) -> RequestId {
        RequestId::from_uuid(self.mint(4))
    }

    /// Arguments that create a waiting execution.
    pub fn create(&self, execution_id: ExecutionId) -> CreateExecution {
        CreateExecution {
            execution_id,
            namespace: Namespace::new(NAMESPACE),
            lane_id: LaneId::new(LANE),
            execution_kind: "send".into(),
            input_payload: Bytes::from_static(b"payload"),
            payload_encoding: None,
            priority: 0,
            creator_identity: "suite".into(),
            idempotency_key: None,
            tags: BTreeMap::new(),
            policy_json: None,
            delay_until: None,
            execution_deadline_at: None,
        }
    }

    /// Arguments that promise an execution to the worker.
    pub fn grant(&self, execution_id: ExecutionId) -> IssueClaimGrant {
        IssueClaimGrant {
            execution_id,
            lane_id: LaneId::new(LANE),
            worker_id: WorkerId::new(WORKER),
            worker_instance_id: WorkerInstanceId::new(INSTANCE),
            capabilities: CapabilitySet::EMPTY,
            capability_hash: None,
            route_snapshot_json: None,
            admission_summary: None,
            grant_ttl_ms: TTL_MS,
        }
    }

    /// Arguments that use the worker's grant for a new attempt.
    pub fn claim(&self, execution_id: ExecutionId) -> ClaimExecution {
        ClaimExecution {
            execution_id,
            worker_id: WorkerId::new(WORKER),
            worker_instance_id: WorkerInstanceId::new(INSTANCE),
            lane_id: LaneId::new(LANE),
            lease_id: self.lease_id(),
            lease_ttl_ms: TTL_MS,
            attempt_id: self.attempt_id(),
            expected_attempt_index: None,
            attempt_policy_json: None,
            attempt_timeout_ms: None,
            execution_deadline_at: None,
        }
    }

    /// Arguments that use the worker's grant for an interrupted attempt.
    pub fn resume(&self, execution_id: ExecutionId) -> ClaimResumedExecution {
        ClaimResumedExecution {
            execution_id,
            worker_id: WorkerId::new(WORKER),
            worker_instance_id: WorkerInstanceId::new(INSTANCE),
            lane_id: LaneId::new(LANE),
            lease_id: self.lease_id(),
            lease_ttl_ms: TTL_MS,
            current_attempt_index: None,
            remaining_attempt_timeout_ms: None,
        }
    }

    /// Arguments with which an operator takes an execution.
    pub fn seize(&self, execution_id: ExecutionId) -> IssueGrantAndClaim {
        IssueGrantAndClaim {
            execution_id,
            lane_id: LaneId::new(LANE),
            lease_id: self.lease_id(),
            attempt_id: self.attempt_id(),
            lease_duration_ms: TTL_MS,
        }
    }

    /// The worker as it polls, at once and for any work of the lane.
    pub fn policy(&self) -> ClaimPolicy {
        ClaimPolicy {
            worker_id: WorkerId::new(WORKER),
            worker_instance_id: WorkerInstanceId::new(INSTANCE),
            lease_ttl_ms: TTL_MS as u32,
            max_wait_ms: None,
            request_id: None,
        }
    }

    /// The worker as it asks for a grant.
    pub fn for_worker(&self) -> ClaimForWorker {
        ClaimForWorker {
            lane_id: LaneId::new(LANE),
            worker_id: WorkerId::new(WORKER),
            worker_instance_id: WorkerInstanceId::new(INSTANCE),
            worker_capabilities: CapabilitySet::EMPTY,
            grant_ttl_ms: TTL_MS,
        }
    }

    /// The worker as it waits for a task.
    pub fn poll(&self) -> PollTasks {
        PollTasks {
            lanes: vec![LaneId::new(LANE)],
            worker_id: WorkerId::new(WORKER),
            worker_instance_id: WorkerInstanceId::new(INSTANCE),
            capabilities: CapabilitySet::EMPTY,
            credits: 1,
            lease_ttl_ms: TTL_MS,
            max_wait: Duration::from_secs(60),
            request_id: None,
        }
    }

    /// Arguments that promise a lost execution to a second worker.
    pub fn reclaim_grant(&self, execution_id: ExecutionId) -> IssueReclaimGrant {
        IssueReclaimGrant {
            execution_id,
            worker_id: WorkerId::new("rescuer"),
            worker_instance_id: WorkerInstanceId::new("rescuer-1"),
            capabilities: CapabilitySet::EMPTY,
            capability_hash: None,
            route_snapshot_json: None,
            admission_summary: None,
            grant_ttl_ms: TTL_MS,
        }
    }

    /// Arguments that use the second worker's grant.
    pub fn reclaim(&self, execution_id: ExecutionId) -> ReclaimExecution {
        ReclaimExecution {
            execution_id,
            worker_id: WorkerId::new("rescuer"),
            worker_instance_id: WorkerInstanceId::new("rescuer-1"),
            lease_id: self.lease_id(),
            lease_ttl_ms: TTL_MS,
            attempt_id: self.attempt_id(),
            attempt_policy_json: None,
            max_reclaim_count: None,
        }
    }
}

/// Arguments with which the holder of a lease renews it.
pub fn renewal(held: &ClaimedExecution) -> RenewLease {
    RenewLease {
        execution_id: held.execution_id,
        attempt_index: held.attempt_index,
        fence: held.fence().into(),
        lease_ttl_ms: held.lease_ttl_ms,
    }
}

/// Arguments with which the holder of a lease completes.
pub fn completion(held: &ClaimedExecution) -> CompleteExecution {
    CompleteExecution {
        execution_id: held.execution_id,
        fence: held.fence().into(),
        attempt_index: None,
        result_payload: None,
        result_encoding: None,
        source: CommandSource::LeaseHolder,
    }
}

/// Arguments with which the holder of a lease fails.
pub fn failure(held: &ClaimedExecution) -> FailExecution {
    FailExecution {
        execution_id: held.execution_id,
        fence: held.fence().into(),
        attempt_index: None,
        failure_reason: "broken pipe".to_owned(),
        failure_category: "net".to_owned(),
        failure_class: None,
        retry_policy_json: None,
        source: CommandSource::LeaseHolder,
    }
}

/// Arguments with which an operator cancels.
pub fn cancellation(execution_id: ExecutionId) -> CancelExecution {
    CancelExecution {
        execution_id,
        reason: "no longer wanted".to_owned(),
        source: CommandSource::OperatorOverride,
        fence: FenceTriple::NONE,
    }
}

/// Arguments that take a lease away, whoever has it.
pub fn revocation(execution_id: ExecutionId) -> RevokeLease {
    RevokeLease { execution_id, expected_lease_id: None, worker_instance_id: None, reason: "drained".to_owned() }
}

/// Arguments that run an ended execution once more.
pub fn replay(execution_id: ExecutionId) -> ReplayExecution {
    ReplayExecution { execution_id, requested_by: None, reason: None }
}

/// A policy as a caller writes it.
pub fn policy(json: &'static str) -> Option<Bytes> {
    Some(Bytes::from_static(json.as_bytes()))
}
