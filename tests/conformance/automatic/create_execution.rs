//! Delays and deadlines that are given at the creation.

use crate::case::Case;
use crate::signals::soon;
use crate::states::{delayed, ended_without};
use leasehold_contract::PollTasks;
use leasehold_core::state::PublicState;
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(60);

pub async fn a_delayed_execution_wakes_at_its_time(case: &mut Case) {
    let id = case.delayed(5000).await;
    case.pass(4999).await;
    assert_eq!(case.vector(id).await, delayed("waiting_for_delay", "pending_first_attempt"));
    let (tasks, ()) = tokio::join!(case.engine.poll_tasks(case.poll()), case.pass(1));
    assert_eq!(tasks.unwrap().remove(0).claimed.execution_id, id);
    assert_eq!(case.record(id).await.started_at, Some(case.now()));
}

pub async fn delays_wake_one_after_the_other(case: &mut Case) {
    let mut ids = Vec::new();
    for ms in [300, 100, 200] {
        ids.push(case.delayed(ms).await);
    }
    for id in [ids[1], ids[2], ids[0]] {
        let (tasks, ()) = tokio::join!(case.engine.poll_tasks(case.poll()), case.pass(100));
        assert_eq!(tasks.unwrap().remove(0).claimed.execution_id, id);
    }
}

pub async fn a_delay_that_passes_while_no_engine_runs_is_made_up_for(case: &mut Case) {
    let id = case.delayed(5000).await;
    case.kill_for(7000).await;
    let tasks = soon(case, case.engine.poll_tasks(case.poll())).await.unwrap();
    assert_eq!(tasks[0].claimed.execution_id, id);
}

pub async fn a_delay_goes_on_under_the_next_engine(case: &mut Case) {
    let id = case.delayed(5000).await;
    case.kill_for(1000).await;
    case.pass(3999).await;
    assert_eq!(case.engine.read_execution_state(id).await, Ok(Some(PublicState::Delayed)));
    let (tasks, ()) = tokio::join!(case.engine.poll_tasks(case.poll()), case.pass(1));
    assert_eq!(tasks.unwrap()[0].claimed.execution_id, id);
}

pub async fn past_its_deadline_a_waiting_execution_ends(case: &mut Case) {
    let deadline = case.now().plus(5000);
    let id = case.created(|args| args.execution_deadline_at = Some(deadline)).await;
    case.pass(4999).await;
    assert_eq!(case.engine.read_execution_state(id).await, Ok(Some(PublicState::Waiting)));
    let (state, ()) = tokio::join!(case.engine.wait_terminal(id, WAIT), case.pass(1));
    assert_eq!(state, Ok(Some(PublicState::Expired)));
    assert_eq!(case.vector(id).await, ended_without("expired", "pending_first_attempt"));
    assert_eq!(case.record(id).await.completed_at, Some(deadline));
    assert_eq!(case.story(id).await, ["completed expired"]);
}

pub async fn a_deadline_that_passes_while_no_engine_runs_is_made_up_for(case: &mut Case) {
    let deadline = case.now().plus(5000);
    let id = case.created(|args| args.execution_deadline_at = Some(deadline)).await;
    case.kill_for(7000).await;
    assert_eq!(soon(case, case.engine.wait_terminal(id, WAIT)).await, Ok(Some(PublicState::Expired)));
}

pub async fn a_storm_of_deadlines_leaves_nobody_behind(case: &mut Case) {
    let deadline = case.now().plus(1000);
    let mut items: Vec<_> = (0..300).map(|number| case.create(case.id_in(number % 4))).collect();
    for item in &mut items {
        item.execution_deadline_at = Some(deadline);
    }
    case.engine.create_executions(items.clone()).await.unwrap();
    let survivor = case.waiting().await;
    case.pass(1000).await;
    for item in items {
        let state = soon(case, case.engine.wait_terminal(item.execution_id, WAIT)).await;
        assert_eq!(state, Ok(Some(PublicState::Expired)));
    }
    let tasks = case.engine.poll_tasks(PollTasks { credits: 5, ..case.poll() }).await.unwrap();
    assert_eq!(tasks.iter().map(|task| task.claimed.execution_id).collect::<Vec<_>>(), [survivor]);
}

pub async fn what_waits_is_offered_by_the_next_engine(case: &mut Case) {
    let id = case.waiting().await;
    for _ in 0..3 {
        case.kill().await;
    }
    let tasks = case.engine.poll_tasks(case.poll()).await.unwrap();
    assert_eq!(tasks[0].claimed.execution_id, id);
}
