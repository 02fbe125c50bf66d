//! Tasks that could not be delivered.

use crate::case::Case;
use crate::signals::soon;
use leasehold_contract::{PollTasks, Task};

pub async fn what_a_poll_that_hung_up_was_to_get_goes_to_the_next(case: &mut Case) {
    let done = async |task: &Task| {
        let handle = task.claimed.handle(case.backend.tag());
        case.engine.complete(&handle, None).await.expect("whoever gets it holds it");
    };
    for turns in 0..20 {
        let id = case.waiting().await;
        // It hangs up before, while or after its task is claimed.
        let poll = case.engine.poll_tasks(case.poll());
        let hang_up = async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        };
        let answered = tokio::select! {
            biased;
            () = hang_up => None,
            tasks = poll => Some(tasks.unwrap()),
        };
        if let Some(tasks) = answered {
            done(&tasks[0]).await;
            continue;
        }
        let tasks = soon(case, case.engine.poll_tasks(case.poll())).await;
        let task = tasks.unwrap().remove(0);
        assert_eq!((task.claimed.execution_id, task.lease_reclaim_count), (id, 0), "after {turns} turns");
        done(&task).await;
    }
}

pub async fn credits_are_not_lost_with_a_partition(case: &mut Case) {
    let items: Vec<_> = (0..40).map(|number| case.create(case.id_in(number % 4))).collect();
    case.engine.create_executions(items).await.unwrap();
    let mut taken = 0;
    while taken < 40 {
        let poll = PollTasks { credits: 7, ..case.poll() };
        let tasks = soon(case, case.engine.poll_tasks(poll)).await.unwrap();
        assert!((1..=7).contains(&tasks.len()));
        taken += tasks.len();
        // What came too late for the poll is given back before the end.
        case.pass(5).await;
        case.kill().await;
    }
}
