//! Executions in known states, made by the rules themselves.

use bytes::Bytes;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::command::{
    Claim, ClaimOutcome, Command, CommandSource, CreateExecution, FailExecution, FenceTriple, Operation, Reply, decide,
};
use leasehold_core::decision::Context;
use leasehold_core::ids::{AttemptId, ExecutionId, LaneId, LeaseId, Namespace, WorkerId, WorkerInstanceId};
use leasehold_core::record::{Execution, Holder, Record, RecordKey};
use leasehold_core::time::TimestampMs;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use uuid::Uuid;

#[derive(Default)]
struct Records(HashMap<RecordKey, Record>);

impl Records {
    fn apply(&mut self, now: i64, command: &Command) -> Reply {
        let context = Context { now: TimestampMs(now), random: 0.5, promised_until: None };
        let decision = decide(command, &self.0, &context).decided().unwrap();
        let reply = decision.outcome.unwrap();
        for change in decision.changes.changes {
            match change.new {
                Some(record) => self.0.insert(change.key, record),
                None => self.0.remove(&change.key),
            };
        }
        reply
    }

    fn execution(&self) -> Arc<Execution> {
        self.0[&RecordKey::Execution(id().uuid())].as_execution().unwrap().clone()
    }
}

fn id() -> ExecutionId {
    ExecutionId::from_parts(7, Uuid::from_u128(1))
}

fn create() -> Records {
    let policy = r#"{"retry_policy":{"max_retries":1,"backoff":{"type":"fixed","delay_ms":500}},
        "routing_requirements":{"required_capabilities":["gpu","cuda"]}}"#;
    let mut records = Records::default();
    let create = CreateExecution {
        execution_id: id(),
        namespace: Namespace::new("tenant"),
        lane_id: LaneId::new("mail"),
        execution_kind: "send".into(),
        input_payload: Bytes::from_static(b"payload"),
        payload_encoding: None,
        priority: 5,
        creator_identity: "tests".into(),
        idempotency_key: None,
        tags: BTreeMap::from([("team.owner".to_owned(), "mail".to_owned())]),
        policy_json: Some(Bytes::from_static(policy.as_bytes())),
        delay_until: None,
        execution_deadline_at: None,
    };
    records.apply(1000, &create.into_command());
    records
}

fn claim() -> (Records, FenceTriple) {
    let mut records = create();
    let claim = Claim {
        execution_id: id(),
        worker_id: WorkerId::new("worker"),
        worker_instance_id: WorkerInstanceId::new("worker-1"),
        holder: Holder::Remote,
        capabilities: CapabilitySet::parse_offered(["gpu", "cuda"]).unwrap(),
        request_id: None,
        lease_id: LeaseId::from_uuid(Uuid::from_u128(2)),
        attempt_id: AttemptId::from_uuid(Uuid::from_u128(3)),
        lease_ttl_ms: 30_000,
    };
    let reply = records.apply(2000, &claim.into_command());
    let Reply::Claim(ClaimOutcome::Claimed(claimed)) = reply else { panic!("not claimed: {reply:?}") };
    (records, claimed.fence().into())
}

/// Waiting on lane `mail` since 1000 for a worker with `cuda` and `gpu`.
pub(super) fn created() -> Arc<Execution> {
    create().execution()
}

/// Claimed at 2000 for half a minute.
pub(super) fn claimed() -> Arc<Execution> {
    claim().0.execution()
}

/// Failed at 3000, to be retried at 3500.
pub(super) fn retry_scheduled() -> Arc<Execution> {
    let (mut records, fence) = claim();
    let fail = FailExecution {
        execution_id: id(),
        fence,
        attempt_index: None,
        failure_reason: "broken pipe".to_owned(),
        failure_category: "net".to_owned(),
        failure_class: None,
        retry_policy_json: None,
        source: CommandSource::LeaseHolder,
    };
    records.apply(3000, &fail.into_command());
    records.execution()
}
