//! Permits, windows and the dispatcher.

use crate::fixture::{Fixture, START, settle, spawn};
use leasehold_backend::Backend;
use leasehold_contract::{
    CommandSource, CompleteExecution, CreateExecution, EngineResult, Executions, Leases, Task, Work,
};
use leasehold_core::capability::CapabilitySet;
use leasehold_core::command::{ChangePriority, CreateWaitpoint, Operation};
use leasehold_core::error::EngineError;
use leasehold_core::ids::{ExecutionId, Namespace};
use leasehold_core::time::TimestampMs;
use leasehold_memory::{CallFault, CommitFault};
use tokio::task::JoinHandle;

#[tokio::test]
async fn a_flood_of_creates_is_refused_and_running_work_still_ends() {
    let fixture = Fixture::with(|options| {
        options.permits_partition = 2;
        options.permits_holders = 2;
    })
    .await;
    fixture.create().await;
    let task = fixture.claim().await;
    fixture.plan.next_commit(CommitFault::DelayBefore(5000));
    let flood: Vec<_> = (0..5)
        .map(|_| {
            let (engine, args) = (fixture.engine.clone(), fixture.create_args(fixture.id()));
            spawn(async move { engine.create_execution(args).await })
        })
        .collect();
    settle().await;
    let complete = spawn({
        let engine = fixture.engine.clone();
        async move {
            engine
                .complete_execution(CompleteExecution {
                    execution_id: task.claimed.execution_id,
                    fence: task.claimed.fence().into(),
                    attempt_index: None,
                    result_payload: None,
                    result_encoding: None,
                    source: CommandSource::LeaseHolder,
                })
                .await
        }
    });
    settle().await;
    fixture.clock.advance(1000);
    settle().await;
    let refused = flood.iter().filter(|create| create.is_finished()).count();
    assert_eq!(refused, 3);
    fixture.clock.advance(4000);
    complete.await.unwrap().unwrap();
    let mut exhausted = 0;
    for create in flood {
        if let Err(error) = create.await.unwrap() {
            assert!(matches!(error, EngineError::ResourceExhausted { pool: "partition", max: 2, .. }), "{error}");
            exhausted += 1;
        }
    }
    assert_eq!(exhausted, 3);
}

#[tokio::test]
async fn a_flood_of_one_namespace_leaves_room_for_the_others() {
    let fixture = Fixture::with(|options| {
        options.permits_namespace = 2;
        options.permits_node = 4;
    })
    .await;
    fixture.plan.next_commit(CommitFault::DelayBefore(5000));
    let create = |namespace: &str| {
        let (engine, mut args) = (fixture.engine.clone(), fixture.create_args(fixture.id()));
        args.namespace = Namespace::try_new(namespace).unwrap();
        spawn(async move { engine.create_execution(args).await })
    };
    let flood: Vec<_> = (0..5).map(|_| create("loud")).collect();
    settle().await;
    let quiet = create("quiet");
    settle().await;
    fixture.clock.advance(1000);
    settle().await;
    assert_eq!(flood.iter().filter(|create| create.is_finished()).count(), 3);
    fixture.clock.advance(4000);
    quiet.await.unwrap().unwrap();
    let mut refused = 0;
    for create in flood {
        if let Err(error) = create.await.unwrap() {
            assert!(matches!(error, EngineError::ResourceExhausted { pool: "namespace", max: 2, .. }), "{error}");
            refused += 1;
        }
    }
    assert_eq!(refused, 3);
    // What was held came back.
    create("loud").await.unwrap().unwrap();
}

#[tokio::test]
async fn a_command_past_its_deadline_is_dropped_with_an_error() {
    let mut fixture = Fixture::with(|options| options.command_deadline = std::time::Duration::from_millis(500)).await;
    let id = fixture.create().await;
    fixture.crash().await;
    // Its records come later than its deadline.
    fixture.plan.next_read(leasehold_memory::CallFault::Delay(1000));
    let cancel = spawn({
        let engine = fixture.engine.clone();
        let args = leasehold_contract::CancelExecution {
            execution_id: id,
            reason: "enough".to_owned(),
            source: CommandSource::OperatorOverride,
            fence: leasehold_contract::FenceTriple::NONE,
        };
        async move { engine.cancel_execution(args).await }
    });
    settle().await;
    fixture.clock.advance(1000);
    let error = cancel.await.unwrap().unwrap_err();
    assert!(matches!(error, EngineError::Timeout { op: "cancel_execution", .. }), "{error}");
}

#[tokio::test]
async fn work_that_nobody_here_can_do_hides_nothing_behind_it() {
    let fixture = Fixture::with(|options| options.ready_window = 4).await;
    for _ in 0..20 {
        let mut hard = fixture.create_args(fixture.id());
        hard.priority = 9000;
        hard.policy_json =
            Some(r#"{"routing_requirements":{"required_capabilities":["gpu"]}}"#.as_bytes().to_vec().into());
        fixture.engine.create_execution(hard).await.unwrap();
    }
    let easy = fixture.create().await;
    assert_eq!(fixture.claim().await.claimed.execution_id, easy);
    let mut able = fixture.poll(64, 1000);
    able.capabilities = CapabilitySet::parse_offered(["gpu"]).unwrap();
    let mut got = 0;
    while got < 20 {
        let tasks = fixture.engine.poll_tasks(able.clone()).await.unwrap();
        assert!(!tasks.is_empty());
        got += tasks.len();
    }
}

#[tokio::test]
async fn higher_priority_goes_first_and_equal_ones_in_order_of_age_beyond_the_window_too() {
    let fixture = Fixture::with(|options| {
        options.ready_window = 3;
        options.cache_bytes = 0;
    })
    .await;
    let mut expected = Vec::new();
    for priority in [0, 5, 2] {
        for _ in 0..7 {
            let mut args = fixture.create_args(fixture.id());
            args.priority = priority;
            expected.push((-priority, fixture.clock_now(), args.execution_id));
            fixture.engine.create_execution(args).await.unwrap();
            fixture.clock.advance(1);
        }
    }
    expected.sort_unstable();
    for (_, _, id) in expected {
        settle().await;
        assert_eq!(fixture.claim().await.claimed.execution_id, id);
    }
}

impl Fixture {
    fn clock_now(&self) -> TimestampMs {
        leasehold_backend::Clock::now(self.clock.as_ref())
    }
}

#[tokio::test]
async fn delayed_work_beyond_the_window_wakes_at_its_time() {
    let fixture = Fixture::with(|options| {
        options.due_window = 4;
        options.due_turn = 2;
    })
    .await;
    for index in 0..30 {
        let mut args = fixture.create_args(fixture.id());
        args.delay_until = Some(TimestampMs(START.0 + 1000 + index % 10 * 100));
        fixture.engine.create_execution(args).await.unwrap();
    }
    fixture.clock.advance(999);
    settle().await;
    assert!(!fixture.has_work().await);
    let mut woken = 0;
    for _ in 0..10 {
        for _ in 0..20 {
            fixture.clock.advance(5);
            settle().await;
        }
        let ready = fixture.backend.scan_eligible(0, &leasehold_core::ids::LaneId::new("lane"), 100).await.unwrap();
        assert!(ready.len() >= woken, "nothing goes back to sleep");
        woken = ready.len();
    }
    assert_eq!(woken, 30);
}

impl Fixture {
    async fn has_work(&self) -> bool {
        !self.backend.scan_eligible(0, &leasehold_core::ids::LaneId::new("lane"), 1).await.unwrap().is_empty()
    }
}

#[tokio::test]
async fn a_drained_node_takes_nothing_new_and_lets_work_end() {
    let fixture = Fixture::new().await;
    fixture.create().await;
    let task = fixture.claim().await;
    fixture.engine.router().drain(std::time::Duration::from_secs(1)).await.unwrap();
    assert!(fixture.engine.create_execution(fixture.create_args(fixture.id())).await.is_err());
    assert!(fixture.engine.poll_tasks(fixture.poll(1, 10)).await.is_err());
    let handle = task.claimed.handle(fixture.backend.tag());
    fixture.engine.complete(&handle, None).await.unwrap();
}

#[tokio::test]
async fn a_subscriber_that_is_too_slow_is_told_how_much_it_missed() {
    let fixture = Fixture::with(|options| options.event_buffer = 2).await;
    let mut events = fixture.engine.subscribe().unwrap();
    for _ in 0..4 {
        fixture.create().await;
        fixture.claim().await;
    }
    assert_eq!(events.next().await, leasehold_actors::events::Received::Lagged(2));
    assert!(matches!(events.next().await, leasehold_actors::events::Received::Event(_)));
}

#[tokio::test]
async fn a_full_store_takes_nothing_new_and_lets_work_end() {
    let fixture = Fixture::new().await;
    fixture.create().await;
    let task = fixture.claim().await;
    fixture.plan.full(true);
    let refused = fixture.engine.create_execution(fixture.create_args(fixture.id())).await.unwrap_err();
    assert!(matches!(refused, EngineError::ResourceExhausted { pool: "store", .. }), "{refused}");
    let handle = task.claimed.handle(fixture.backend.tag());
    fixture.engine.complete(&handle, None).await.unwrap();
    fixture.plan.full(false);
    fixture.create().await;
}

#[tokio::test]
async fn what_becomes_ready_while_a_worker_waits_is_claimed_by_the_same_commit() {
    let fixture = Fixture::new().await;
    let polling = spawn({
        let (engine, poll) = (fixture.engine.clone(), fixture.poll(1, 60_000));
        async move { engine.poll_tasks(poll).await }
    });
    settle().await;
    fixture.plan.pass_commits(1);
    fixture.plan.next_commit(CommitFault::DelayBefore(50));
    fixture.engine.create_execution(fixture.create_args(fixture.id())).await.unwrap();
    settle().await;
    // A second commit would still wait for its fifty milliseconds.
    assert!(polling.is_finished());
    assert_eq!(polling.await.unwrap().unwrap().len(), 1);
}

#[tokio::test]
async fn an_id_minted_for_its_command_is_not_looked_for_and_another_one_is() {
    let fixture = Fixture::new().await;
    fixture.create().await;
    let task = fixture.claim().await;
    let create = |minted| {
        let command = CreateWaitpoint {
            execution_id: task.claimed.execution_id,
            fence: task.claimed.fence().into(),
            attempt_index: None,
            waitpoint_id: fixture.id().uuid().into(),
            waitpoint_key: "key".to_owned(),
            expires_in_ms: 60_000,
        };
        let engine = fixture.engine.clone();
        spawn(async move { engine.router().submit_command(command.into_command(), minted).await })
    };
    // Brings in the key ring.
    create(true).await.unwrap().unwrap();
    fixture.plan.next_read(CallFault::Delay(50));
    let minted = create(true);
    settle().await;
    assert!(minted.is_finished());
    minted.await.unwrap().unwrap();
    let given = create(false);
    settle().await;
    assert!(!given.is_finished());
    fixture.clock.advance(50);
    given.await.unwrap().unwrap();
}

/// A poll for two executions of two partitions, the records of one of which
/// take so many milliseconds to load.
async fn polled_while_one_of_two_loads_for(ms: u64) -> (Fixture, JoinHandle<EngineResult<Vec<Task>>>) {
    let mut fixture = Fixture::with(|options| options.partitions.num_flow_partitions = 2).await;
    for partition in [0, 1] {
        let id = ExecutionId::from_parts(partition, fixture.entropy.uuid());
        fixture.engine.create_execution(fixture.create_args(id)).await.unwrap();
    }
    fixture.crash().await;
    fixture.plan.next_read(CallFault::Delay(ms));
    let polling = spawn({
        let (engine, poll) = (fixture.engine.clone(), fixture.poll(2, 60_000));
        async move { engine.poll_tasks(poll).await }
    });
    settle().await;
    (fixture, polling)
}

#[tokio::test]
async fn a_poll_waits_for_what_is_being_claimed_for_it_besides() {
    let (fixture, polling) = polled_while_one_of_two_loads_for(50).await;
    assert!(!polling.is_finished());
    fixture.clock.advance(50);
    assert_eq!(polling.await.unwrap().unwrap().len(), 2);
}

#[tokio::test]
async fn a_poll_does_not_wait_long_for_what_is_being_claimed_besides_and_gives_it_back() {
    let (fixture, polling) = polled_while_one_of_two_loads_for(5000).await;
    fixture.clock.advance(100);
    assert_eq!(polling.await.unwrap().unwrap().len(), 1);
    fixture.pass(6).await;
    assert_eq!(fixture.claim().await.lease_reclaim_count, 0);
}

#[tokio::test]
async fn what_is_due_together_is_settled_in_its_order_whatever_has_to_be_loaded() {
    let mut fixture = Fixture::new().await;
    let mut ids: Vec<_> = (0..3).map(|_| fixture.id()).collect();
    ids.sort_unstable();
    let deadline = START.plus(60_000);
    for id in &ids {
        let args = CreateExecution { execution_deadline_at: Some(deadline), ..fixture.create_args(*id) };
        fixture.engine.create_execution(args).await.unwrap();
    }
    fixture.crash().await;
    // All but the first are in memory.
    for id in &ids[1..] {
        let change = ChangePriority { execution_id: *id, new_priority: 5 };
        fixture.engine.change_priority(change).await.unwrap();
    }
    let mut events = fixture.engine.subscribe().unwrap();
    fixture.pass(40).await;
    let mut ended = Vec::new();
    while ended.len() < 3 {
        if let leasehold_actors::events::Received::Event(event) = events.next().await {
            ended.push(event.execution_id);
        }
    }
    assert_eq!(ended, ids);
}
