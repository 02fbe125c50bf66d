//! `poll_tasks`: a worker waits for work and takes as much as it can.

use crate::case::Case;
use crate::states::{LEASED, delayed};
use bytes::Bytes;
use leasehold_contract::{CREDITS_MAX, POLL_WAIT_MAX, PollTasks, Task};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::{ExecutionId, LaneId, WorkerInstanceId};
use leasehold_tests::harness::TTL_MS;
use std::time::Duration;

fn ids(tasks: &[Task]) -> Vec<ExecutionId> {
    tasks.iter().map(|task| task.claimed.execution_id).collect()
}

pub async fn a_task_carries_all_a_handler_needs(case: &mut Case) {
    let id = case.created(|args| {
        args.priority = 3;
        args.input_payload = Bytes::from_static(b"\xff\x00");
        args.payload_encoding = Some("raw".into());
        args.tags = [("a.b".to_owned(), "v".to_owned())].into();
    });
    let id = id.await;
    let created_at = case.now();
    case.advance(5);
    let task = case.engine.poll_tasks(case.poll()).await.unwrap().remove(0);
    assert_eq!((task.claimed.execution_id, task.claimed.kind), (id, HandleKind::Fresh));
    assert_eq!((task.namespace.as_str(), &*task.execution_kind), ("tenant", "send"));
    assert_eq!((task.payload, task.payload_encoding.as_deref()), (Bytes::from_static(b"\xff\x00"), Some("raw")));
    assert_eq!(*task.tags, [("a.b".to_owned(), "v".to_owned())].into());
    assert_eq!((task.priority, task.created_at), (3, created_at));
    assert_eq!((task.retry_count, task.lease_reclaim_count), (0, 0));
    assert_eq!(task.claimed.lease_expires_at, case.now().plus(TTL_MS));
    assert_eq!(case.vector(id).await, LEASED);
    let handle = task.claimed.handle(case.backend.tag());
    case.engine.complete(&handle, None).await.expect("the lease is good");
}

pub async fn a_retried_task_says_how_often(case: &mut Case) {
    let id = case.retrying().await.execution.execution_id;
    case.advance(500);
    case.promote(id).await;
    let task = case.engine.poll_tasks(case.poll()).await.unwrap().remove(0);
    assert_eq!((task.retry_count, task.claimed.attempt_index.0), (1, 1));
}

pub async fn a_waiting_poll_is_given_what_comes(case: &mut Case) {
    let (tasks, id) = tokio::join!(case.engine.poll_tasks(case.poll()), case.waiting());
    assert_eq!(ids(&tasks.unwrap()), [id]);
}

pub async fn a_poll_in_vain_comes_back_empty_when_its_time_is_up(case: &mut Case) {
    let (tasks, ()) = tokio::join!(case.engine.poll_tasks(case.poll()), case.pass(60_000));
    assert!(tasks.unwrap().is_empty());
}

pub async fn no_more_is_given_than_there_are_credits(case: &mut Case) {
    let items: Vec<_> = (0..8).map(|_| case.create(case.id())).collect();
    case.engine.create_executions(items.clone()).await.unwrap();
    let mut all = Vec::new();
    while all.len() < items.len() {
        let tasks = case.engine.poll_tasks(PollTasks { credits: 3, ..case.poll() }).await.unwrap();
        assert!((1..=3).contains(&tasks.len()), "{}", tasks.len());
        all.extend(ids(&tasks));
    }
    all.sort();
    assert_eq!(all, items.iter().map(|item| item.execution_id).collect::<Vec<_>>());
}

pub async fn only_work_of_its_lanes_and_within_its_reach_is_given(case: &mut Case) {
    let choosy = case.created_under(r#"{"routing_requirements":{"required_capabilities":["gpu"]}}"#).await;
    let other = case.created(|args| args.lane_id = LaneId::new("other")).await;
    let plain = case.waiting().await;
    case.created(|args| args.lane_id = LaneId::new("third")).await;
    let lanes = vec![LaneId::new("mail"), LaneId::new("other")];
    let poll = |capabilities| PollTasks { lanes: lanes.clone(), credits: 10, capabilities, ..case.poll() };
    let mut taken = Vec::new();
    while taken.len() < 2 {
        taken.extend(ids(&case.engine.poll_tasks(poll(CapabilitySet::EMPTY)).await.unwrap()));
    }
    taken.sort();
    assert_eq!(taken, [other, plain]);
    let able = poll(CapabilitySet::parse_offered(["gpu"]).unwrap());
    assert_eq!(ids(&case.engine.poll_tasks(able).await.unwrap()), [choosy]);
}

pub async fn polls_at_once_share_the_work(case: &mut Case) {
    let of = |instance| PollTasks { worker_instance_id: WorkerInstanceId::new(instance), ..case.poll() };
    let engine = &case.engine;
    let (first, second, created) =
        tokio::join!(engine.poll_tasks(of("worker-1")), engine.poll_tasks(of("worker-2")), async {
            [case.waiting().await, case.waiting().await]
        });
    let mut taken = [ids(&first.unwrap()), ids(&second.unwrap())].concat();
    taken.sort();
    assert_eq!(taken, created);
}

pub async fn a_repeated_request_is_given_the_same_tasks(case: &mut Case) {
    let id = case.waiting().await;
    case.waiting().await;
    let poll = PollTasks { request_id: Some(case.request_id()), ..case.poll() };
    let first = case.engine.poll_tasks(poll.clone()).await.unwrap().remove(0);
    assert_eq!(first.claimed.execution_id, id);
    let mut again = case.changes_nothing(id, case.engine.poll_tasks(poll.clone())).await;
    assert_eq!(again.len(), 1);
    assert_eq!(again.remove(0).claimed, first.claimed);
    case.kill().await;
    let mut again = case.changes_nothing(id, case.engine.poll_tasks(poll)).await;
    assert_eq!(again.remove(0).claimed, first.claimed);
}

pub async fn what_a_poll_that_hung_up_was_to_get_is_given_back(case: &mut Case) {
    let id = case.waiting().await;
    {
        let poll = case.engine.poll_tasks(case.poll());
        // Once is enough to ask; nobody is there when the answer comes.
        tokio::select! {
            biased;
            _ = poll => panic!("answered before anybody could have claimed"),
            () = std::future::ready(()) => {}
        }
    }
    case.pass(0).await;
    let record = case.record(id).await;
    if record.total_attempt_count == 0 {
        // Nothing had been claimed yet when it hung up.
        let task = case.engine.poll_tasks(case.poll()).await.unwrap().remove(0);
        assert_eq!(task.claimed.execution_id, id);
        return;
    }
    assert_eq!(case.vector(id).await, delayed("waiting_for_delay", "attempt_interrupted"));
    assert_eq!(record.lease_reclaim_count, 0);
}

pub async fn arguments_out_of_bounds_are_refused(case: &mut Case) {
    let id = case.waiting().await;
    let exotic = CapabilitySet::parse_required(["a\u{a0}b"]).unwrap();
    for odd in [
        PollTasks { lanes: Vec::new(), ..case.poll() },
        PollTasks { lanes: vec![LaneId::new("mail"); 65], ..case.poll() },
        PollTasks { credits: 0, ..case.poll() },
        PollTasks { credits: CREDITS_MAX + 1, ..case.poll() },
        PollTasks { lease_ttl_ms: 99, ..case.poll() },
        PollTasks { lease_ttl_ms: 24 * 86_400_000 + 1, ..case.poll() },
        PollTasks { max_wait: POLL_WAIT_MAX + Duration::from_millis(1), ..case.poll() },
        PollTasks { capabilities: exotic, ..case.poll() },
    ] {
        case.refused(id, case.engine.poll_tasks(odd), "invalid_input").await;
    }
}

pub async fn an_engine_that_is_going_down_gives_none(case: &mut Case) {
    let id = case.waiting().await;
    case.engine.shutdown_prepare(Duration::ZERO).await.unwrap();
    case.refused(id, case.engine.poll_tasks(case.poll()), "resource_exhausted").await;
}
