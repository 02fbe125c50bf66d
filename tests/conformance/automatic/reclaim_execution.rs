//! Executions whose worker died are offered again, up to the cap.

use crate::case::Case;
use crate::signals::{listen, told};
use crate::states::ended;
use leasehold_contract::{PollTasks, Task};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::{AttemptIndex, LeaseEpoch};
use leasehold_core::state::{AttemptType, PublicState};
use leasehold_tests::harness::TTL_MS;
use leasehold_tests::harness::act::completion;
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(60);

async fn next_task(case: &Case, ms: u64) -> Task {
    let (tasks, ()) = tokio::join!(case.engine.poll_tasks(case.poll()), case.pass(ms));
    tasks.unwrap().remove(0)
}

pub async fn a_dead_workers_execution_goes_to_the_next_who_polls(case: &mut Case) {
    let held = case.leased().await.execution;
    let id = held.execution_id;
    let lapses_at = held.lease_expires_at;
    let task = next_task(case, TTL_MS).await;
    assert_eq!((task.claimed.execution_id, task.claimed.kind), (id, HandleKind::Reclaimed));
    assert_eq!((task.claimed.attempt_type, task.claimed.attempt_index), (AttemptType::Reclaim, AttemptIndex(1)));
    assert_eq!((task.claimed.lease_epoch, task.lease_reclaim_count), (LeaseEpoch(2), 1));
    assert_eq!(case.story(id).await, ["acquired 1", "expired 1", "reclaimed 2 after 1"]);
    assert_eq!(case.events(id).await[1].at, lapses_at, "marked on time");
    case.other_refused(id, case.engine.complete_execution(completion(&held)), "stale_lease").await;
    case.engine.complete_execution(completion(&task.claimed)).await.unwrap();
}

pub async fn a_lapse_is_marked_on_time_though_nobody_asks(case: &mut Case) {
    let held = case.leased().await.execution;
    let mut listener = listen(case);
    case.pass(TTL_MS).await;
    let at = told(&mut listener, held.execution_id, "expired 1").await;
    assert_eq!(at, held.lease_expires_at);
}

pub async fn up_to_the_cap_and_then_it_fails(case: &mut Case) {
    let held = case.leased_under(r#"{"max_reclaim_count":2}"#).await.execution;
    let id = held.execution_id;
    for number in 1..=2 {
        assert_eq!(next_task(case, TTL_MS).await.lease_reclaim_count, number);
    }
    let engine = &case.engine;
    let (state, tasks, ()) =
        tokio::join!(engine.wait_terminal(id, WAIT), engine.poll_tasks(case.poll()), case.pass(60_000));
    assert_eq!((state, tasks.unwrap().len()), (Ok(Some(PublicState::Failed)), 0));
    assert_eq!(case.vector(id).await, ended("failed"));
    let record = case.record(id).await;
    assert_eq!(record.failure_reason.as_deref(), Some("max_reclaims_exceeded"));
    assert_eq!((record.lease_reclaim_count, record.total_attempt_count), (2, 3));
    let story = case.story(id).await;
    assert_eq!(story[story.len() - 2..], ["released 3 max_reclaims_exceeded", "completed failed"]);
}

pub async fn a_revoked_execution_is_offered_at_once(case: &mut Case) {
    let id = case.revoked().await.execution.execution_id;
    let task = case.engine.poll_tasks(case.poll()).await.unwrap().remove(0);
    assert_eq!((task.claimed.execution_id, task.claimed.kind), (id, HandleKind::Reclaimed));
}

pub async fn a_worker_that_lacks_something_is_not_offered_it(case: &mut Case) {
    let id = case.created_under(r#"{"routing_requirements":{"required_capabilities":["gpu"]}}"#).await;
    case.engine.issue_grant_and_claim(case.seize(id)).await.unwrap();
    let poll = PollTasks { max_wait: Duration::from_millis(40_000), ..case.poll() };
    let (none, ()) = tokio::join!(case.engine.poll_tasks(poll), case.pass(40_000));
    assert!(none.unwrap().is_empty());
    let able = PollTasks { capabilities: CapabilitySet::parse_offered(["gpu"]).unwrap(), ..case.poll() };
    let task = case.engine.poll_tasks(able).await.unwrap().remove(0);
    assert_eq!((task.claimed.execution_id, task.claimed.kind), (id, HandleKind::Reclaimed));
}

pub async fn a_lost_execution_is_offered_by_the_next_engine_too(case: &mut Case) {
    let id = case.revoked().await.execution.execution_id;
    case.kill().await;
    let task = case.engine.poll_tasks(case.poll()).await.unwrap().remove(0);
    assert_eq!((task.claimed.execution_id, task.lease_reclaim_count), (id, 1));
}

pub async fn urgent_work_goes_before_lost_work_of_lower_rank(case: &mut Case) {
    let lost = case.revoked().await.execution.execution_id;
    let urgent = case.created(|args| args.priority = 9).await;
    let mut order = Vec::new();
    for _ in 0..2 {
        order.push(case.engine.poll_tasks(case.poll()).await.unwrap()[0].claimed.execution_id);
    }
    assert_eq!(order, [urgent, lost]);
}

pub async fn a_dead_reclaimer_is_no_better_than_a_dead_worker(case: &mut Case) {
    let id = case.leased().await.execution.execution_id;
    for number in 1..=5 {
        let task = next_task(case, TTL_MS).await;
        assert_eq!((task.claimed.execution_id, task.claimed.lease_epoch.0), (id, number + 1));
    }
}
