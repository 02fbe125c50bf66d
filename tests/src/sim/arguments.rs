//! Arguments that generated commands have in common, here and in the
//! [differential](crate::differential) programs.

use bytes::Bytes;
use leasehold_backend::Entropy;
use leasehold_contract::CreateExecution;
use leasehold_core::capability::CapabilitySet;
use leasehold_core::ids::{ExecutionId, LaneId, Namespace, WorkerId, WorkerInstanceId};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::time::TimestampMs;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One of two lanes.
pub fn lane(number: u64) -> LaneId {
    if number.is_multiple_of(2) { LaneId::new("alpha") } else { LaneId::new("beta") }
}

/// One of three workers.
pub fn worker(number: u64) -> (WorkerId, WorkerInstanceId) {
    let name = format!("worker-{}", number % 3);
    (WorkerId::try_new(&name).expect("a name"), WorkerInstanceId::try_new(&name).expect("a name"))
}

/// Nothing, or what some executions ask for.
pub fn capabilities(number: u64) -> CapabilitySet {
    let tokens: &[&str] = if number.is_multiple_of(3) { &[] } else { &["gpu"] };
    CapabilitySet::parse_offered(tokens.iter().copied()).expect("tokens")
}

/// Arguments that create an execution of some kind.
pub fn create(entropy: &dyn Entropy, now: TimestampMs, config: &PartitionConfig) -> CreateExecution {
    let roll = entropy.next_u64();
    let namespace = Namespace::try_new("sim").expect("a name");
    let key: Option<Arc<str>> = roll.is_multiple_of(5).then(|| format!("key-{}", roll % 7).into());
    let uuid = entropy.ordered_uuid(now.0);
    let execution_id = match &key {
        Some(key) => ExecutionId::keyed(&namespace, key, uuid, config),
        None => ExecutionId::spread(uuid, config),
    };
    let policy = match roll % 6 {
        0 => None,
        1 => Some(r#"{"retry_policy":{"max_retries":2,"backoff":{"type":"fixed","delay_ms":700}}}"#.to_owned()),
        2 => Some(
            r#"{"retry_policy":{"max_retries":3,"backoff":{"type":"exponential","initial_delay_ms":200,"max_delay_ms":5000,"multiplier":2.0,"jitter":true}},"max_reclaim_count":2}"#
                .to_owned(),
        ),
        3 => Some(r#"{"timeout_policy":{"attempt_timeout_ms":9000},"max_replay_count":1}"#.to_owned()),
        4 => Some(r#"{"routing_requirements":{"required_capabilities":["gpu"]}}"#.to_owned()),
        _ => Some(r#"{"timeout_policy":{"execution_deadline_ms":60000}}"#.to_owned()),
    };
    CreateExecution {
        execution_id,
        namespace,
        lane_id: lane(roll >> 8),
        execution_kind: "work".into(),
        input_payload: Bytes::from(vec![7; (roll % 300) as usize]),
        payload_encoding: None,
        priority: ((roll >> 16) % 4) as i32,
        creator_identity: "sim".into(),
        idempotency_key: key,
        tags: BTreeMap::new(),
        policy_json: policy.map(Bytes::from),
        delay_until: (roll % 4 == 1).then(|| now.plus((roll >> 20) % 4000)),
        execution_deadline_at: None,
    }
}
