//! Promises that nobody uses.

use crate::case::Case;
use crate::signals::soon;
use leasehold_contract::PollTasks;
use leasehold_tests::harness::TTL_MS;
use std::time::Duration;

pub async fn an_unused_promise_heals_by_its_expiry(case: &mut Case) {
    let id = case.granted().await;
    let brief = PollTasks { max_wait: Duration::from_millis(TTL_MS), ..case.poll() };
    let (none, ()) = tokio::join!(case.engine.poll_tasks(brief), case.pass(TTL_MS));
    assert!(none.unwrap().is_empty(), "it is promised to its last millisecond");
    let (tasks, ()) = tokio::join!(case.engine.poll_tasks(case.poll()), case.pass(1));
    assert_eq!(tasks.unwrap()[0].claimed.execution_id, id);
}

pub async fn an_unused_promise_heals_under_the_next_engine(case: &mut Case) {
    let id = case.granted().await;
    case.kill_for(TTL_MS + 1).await;
    let tasks = soon(case, case.engine.poll_tasks(case.poll())).await.unwrap();
    assert_eq!(tasks[0].claimed.execution_id, id);
}

pub async fn an_unused_reclaim_grant_heals_too(case: &mut Case) {
    let id = case.revoked().await.execution.execution_id;
    case.engine.issue_reclaim_grant(case.reclaim_grant(id)).await.unwrap();
    let (tasks, ()) = tokio::join!(case.engine.poll_tasks(case.poll()), case.pass(TTL_MS + 1));
    let task = tasks.unwrap().remove(0);
    assert_eq!((task.claimed.execution_id, task.lease_reclaim_count), (id, 1));
}
