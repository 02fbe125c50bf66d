//! Who takes part in a walk, and under which policies.

use leasehold_core::capability::CapabilitySet;
use leasehold_core::ids::{WorkerId, WorkerInstanceId};

pub const POLICIES: [&str; 6] = [
    "{}",
    r#"{"retry_policy":{"max_retries":2,"backoff":{"type":"fixed","delay_ms":40}}}"#,
    r#"{"max_reclaim_count":1,"retry_policy":{"backoff":{"type":"exponential","jitter":true,"initial_delay_ms":50}}}"#,
    r#"{"routing_requirements":{"required_capabilities":["gpu"]},"max_replay_count":1}"#,
    r#"{"routing_requirements":{"required_capabilities":["gpu","cuda"]},"timeout_policy":{"attempt_timeout_ms":900}}"#,
    r#"{"timeout_policy":{"execution_deadline_ms":5000},"dedup_window_ms":400}"#,
];

pub const WORKERS: [&str; 4] = ["w-plain", "w-gpu", "w-cuda", "w-all"];

pub fn worker(n: usize) -> WorkerId {
    WorkerId::new(WORKERS[n])
}

pub fn instance(n: usize) -> WorkerInstanceId {
    WorkerInstanceId::new(WORKERS[n])
}

pub fn capabilities(n: usize) -> CapabilitySet {
    let tokens: &[&str] = [&[][..], &["gpu"], &["cuda"], &["gpu", "cuda", "tpu"]][n];
    CapabilitySet::parse_offered(tokens.iter().copied()).unwrap()
}

/// What a process offers; an operator is not asked.
pub fn capabilities_of(instance: &WorkerInstanceId) -> Option<CapabilitySet> {
    WORKERS.iter().position(|name| *name == instance.as_str()).map(capabilities)
}
