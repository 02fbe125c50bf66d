//! Attempts and executions that run out of time.

use crate::case::Case;
use crate::states::ended;
use leasehold_contract::ClaimExecution;
use leasehold_core::state::PublicState;
use leasehold_tests::harness::act::renewal;
use std::time::Duration;

const DAY_MS: u64 = 86_400_000;

async fn expires(case: &Case, id: leasehold_core::ids::ExecutionId, ms: u64) {
    let wait = case.engine.wait_terminal(id, Duration::from_secs(10 * 86_400));
    let (state, ()) = tokio::join!(wait, case.pass(ms));
    assert_eq!(state, Ok(Some(PublicState::Expired)));
}

pub async fn an_attempt_over_its_time_ends_and_is_not_retried(case: &mut Case) {
    const POLICY: &str = r#"{"timeout_policy":{"attempt_timeout_ms":10000},"retry_policy":{"max_retries":3}}"#;
    let id = case.leased_under(POLICY).await.execution.execution_id;
    case.pass(9999).await;
    assert_eq!(case.engine.read_execution_state(id).await, Ok(Some(PublicState::Active)));
    expires(case, id, 1).await;
    assert_eq!(case.vector(id).await, ended("expired"));
    assert_eq!(case.story(id).await, ["acquired 1", "released 1 expired:attempt_timeout", "completed expired"]);
}

pub async fn renewals_do_not_lengthen_an_attempt(case: &mut Case) {
    let held = case.leased_under(r#"{"timeout_policy":{"attempt_timeout_ms":40000}}"#).await.execution;
    for _ in 0..3 {
        case.pass(12_000).await;
        case.engine.renew_lease(renewal(&held)).await.unwrap();
    }
    expires(case, held.execution_id, 4000).await;
}

pub async fn a_handler_that_hangs_is_not_immortal(case: &mut Case) {
    let id = case.granted().await;
    let args = ClaimExecution { lease_ttl_ms: 3 * DAY_MS, ..case.claim(id) };
    case.engine.claim_execution(args).await.unwrap();
    case.pass(DAY_MS - 1).await;
    assert_eq!(case.engine.read_execution_state(id).await, Ok(Some(PublicState::Active)));
    expires(case, id, 1).await;
}

pub async fn a_deadline_ends_a_running_execution(case: &mut Case) {
    let id = case.leased_under(r#"{"timeout_policy":{"execution_deadline_ms":10000}}"#).await.execution.execution_id;
    expires(case, id, 10_000).await;
    let story = ["acquired 1", "released 1 expired:execution_deadline", "completed expired"];
    assert_eq!(case.story(id).await, story);
}

pub async fn a_deadline_ends_an_execution_that_waits_for_its_time(case: &mut Case) {
    let held = case.leased_under(r#"{"timeout_policy":{"execution_deadline_ms":10000}}"#).await;
    case.engine.delay(&held.handle, case.now().plus(DAY_MS)).await.unwrap();
    expires(case, held.execution.execution_id, 10_000).await;
}

pub async fn an_interrupted_attempt_uses_up_no_time(case: &mut Case) {
    let held = case.leased_under(r#"{"timeout_policy":{"attempt_timeout_ms":10000}}"#).await;
    let id = held.execution.execution_id;
    case.pass(4000).await;
    case.engine.delay(&held.handle, case.now().plus(50_000)).await.unwrap();
    let mut poll = case.poll();
    poll.worker_instance_id = leasehold_core::ids::WorkerInstanceId::new("worker-2");
    let (tasks, ()) = tokio::join!(case.engine.poll_tasks(poll), case.pass(50_000));
    assert_eq!(tasks.unwrap()[0].claimed.execution_id, id);
    case.pass(5999).await;
    assert_eq!(case.engine.read_execution_state(id).await, Ok(Some(PublicState::Active)));
    expires(case, id, 1).await;
}

pub async fn a_timeout_goes_on_under_the_next_engine(case: &mut Case) {
    let id = case.leased_under(r#"{"timeout_policy":{"attempt_timeout_ms":10000}}"#).await.execution.execution_id;
    case.kill_for(4000).await;
    case.pass(5999).await;
    assert_eq!(case.engine.read_execution_state(id).await, Ok(Some(PublicState::Active)));
    expires(case, id, 1).await;
}
