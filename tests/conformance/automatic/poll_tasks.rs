//! Tasks that could not be delivered.

use crate::case::Case;
use leasehold_contract::PollTasks;

pub async fn what_a_poll_that_hung_up_was_to_get_goes_to_the_next(case: &mut Case) {
    for hung_up in 0..10 {
        let id = case.waiting().await;
        {
            let poll = case.engine.poll_tasks(case.poll());
            tokio::pin!(poll);
            // Some polls hang up before, some while and some after their task
            // is claimed.
            for _ in 0..hung_up {
                tokio::select! {
                    biased;
                    _ = &mut poll => break,
                    () = tokio::task::yield_now() => {}
                }
            }
        }
        let (tasks, ()) = tokio::join!(case.engine.poll_tasks(case.poll()), case.pass(5));
        let task = tasks.unwrap().remove(0);
        assert_eq!((task.claimed.execution_id, task.lease_reclaim_count), (id, 0), "after {hung_up} turns");
        case.engine.complete(&task.claimed.handle(case.backend.tag()), None).await.unwrap();
    }
}

pub async fn credits_are_not_lost_with_a_partition(case: &mut Case) {
    let items: Vec<_> = (0..40).map(|number| case.create(case.id_in(number % 4))).collect();
    case.engine.create_executions(items).await.unwrap();
    let mut taken = 0;
    while taken < 40 {
        let tasks = case.engine.poll_tasks(PollTasks { credits: 7, ..case.poll() }).await.unwrap();
        assert!((1..=7).contains(&tasks.len()));
        taken += tasks.len();
        case.kill().await;
    }
}
