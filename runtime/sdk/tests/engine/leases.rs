//! Leases of a fleet: panics, hangs, losses, drains.

use crate::rig::{Rig, limited, plain, retries};
use leasehold_actors::partition::PartitionMsg;
use leasehold_contract::{Leases, Reads, RevokeLease};
use leasehold_core::event::Fact;
use leasehold_core::ids::ExecutionId;
use leasehold_core::state::{AttemptType, PublicState};
use leasehold_memory::{CommitFault, HeartbeatFault};
use leasehold_sdk::{Cancel, Context, Data, FleetHealth, HandlerOutcome, TaskInfo};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};

/// What handlers tell the test, and what holds them.
struct Stage {
    began: mpsc::UnboundedSender<ExecutionId>,
    cancelled: mpsc::UnboundedSender<ExecutionId>,
    gate: Semaphore,
    running: AtomicU32,
    most: AtomicU32,
}

struct Signals {
    began: mpsc::UnboundedReceiver<ExecutionId>,
    cancelled: mpsc::UnboundedReceiver<ExecutionId>,
}

fn stage() -> (Stage, Signals) {
    let (began, began_here) = mpsc::unbounded_channel();
    let (cancelled, cancelled_here) = mpsc::unbounded_channel();
    let stage =
        Stage { began, cancelled, gate: Semaphore::new(0), running: AtomicU32::new(0), most: AtomicU32::new(0) };
    (stage, Signals { began: began_here, cancelled: cancelled_here })
}

/// Says when it begins and when it is cancelled, and ends when it is let
/// through the gate, whatever its token says.
async fn held(info: TaskInfo, Cancel(token): Cancel, stage: Data<Stage>) -> &'static str {
    let id = info.claimed.execution_id;
    let now = stage.running.fetch_add(1, Ordering::SeqCst) + 1;
    stage.most.fetch_max(now, Ordering::SeqCst);
    stage.began.send(id).unwrap();
    let watcher = stage.clone();
    let watch = async {
        token.cancelled().await;
        // A test may have stopped listening.
        watcher.cancelled.send(id).unwrap_or_default();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = watch => {}
        permit = stage.gate.acquire() => permit.unwrap().forget(),
    }
    stage.running.fetch_sub(1, Ordering::SeqCst);
    "held"
}

#[tokio::test]
async fn a_panic_fails_the_attempt_at_once_and_is_retried() {
    let rig = Rig::start().await;
    let panics = |info: TaskInfo| async move {
        assert!(info.retry_count > 0, "the first attempt");
        "second"
    };
    rig.worker().on("panics", panics).start().await.unwrap();
    let id = rig.submit("panics", &retries(1)).await;
    let outcome = rig.outcome(id).await;
    assert_eq!(outcome.result.as_deref(), Some(&b"second"[..]));
    assert!(rig.clock_ms() < 1000, "nobody waited for the lease to lapse");
    assert_eq!(rig.failures(id).await, [Some("handler_panic".to_owned()), None]);
}

#[tokio::test]
async fn without_a_policy_a_panic_ends_the_execution() {
    let rig = Rig::start().await;
    let panics = || async {
        assert_eq!(1, 2);
    };
    let worker = rig.worker().on("panics", panics).start().await.unwrap();
    let id = rig.submit("panics", &plain()).await;
    assert_eq!(rig.outcome(id).await.public_state, PublicState::Failed);
    assert_eq!(worker.status().panics, 1);
}

#[tokio::test]
async fn a_hang_is_ended_by_the_attempt_timeout_and_keeps_its_slot_until_its_future_ends() {
    let rig = Rig::start().await;
    let (stage, mut signals) = stage();
    let worker = rig.worker().slots(1).lease_ttl(Duration::from_secs(3)).data(stage).on("held", held);
    let worker = worker.start().await.unwrap();
    let hangs = rig.submit("held", &limited(5000)).await;
    assert_eq!(rig.at_once(signals.began.recv()).await, Some(hangs));
    let next = rig.submit("held", &plain()).await;

    assert_eq!(rig.outcome(hangs).await.public_state, PublicState::Expired);
    assert_eq!(rig.until(signals.cancelled.recv()).await, Some(hangs));
    rig.pass(Duration::from_secs(10)).await;
    assert!(signals.began.try_recv().is_err(), "the slot is taken");
    assert_eq!(worker.status().running, 1);

    worker.resize(2).unwrap();
    assert_eq!(rig.at_once(signals.began.recv()).await, Some(next));
}

#[tokio::test]
async fn a_long_handler_keeps_its_lease() {
    let rig = Rig::start().await;
    let (stage, mut signals) = stage();
    let worker = rig.worker().lease_ttl(Duration::from_secs(1)).data(stage).on("held", held);
    let worker = worker.start().await.unwrap();
    let id = rig.submit("held", &plain()).await;
    rig.until(signals.began.recv()).await;
    rig.pass(Duration::from_secs(20)).await;
    assert!(signals.cancelled.try_recv().is_err());
    assert_eq!(worker.status().running, 1);
    let lease = rig.client.inspect(id).await.unwrap().unwrap().current_lease.unwrap();
    assert_eq!(lease.lease_epoch.0, 1);
}

#[tokio::test]
async fn a_revoked_lease_cancels_the_token() {
    let rig = Rig::start().await;
    let (stage, mut signals) = stage();
    rig.worker().lease_ttl(Duration::from_secs(3)).data(stage).on("held", held).start().await.unwrap();
    let id = rig.submit("held", &plain()).await;
    rig.until(signals.began.recv()).await;
    let lease = rig.client.inspect(id).await.unwrap().unwrap().current_lease.unwrap();
    let revoke = RevokeLease {
        execution_id: id,
        expected_lease_id: Some(lease.lease_id),
        worker_instance_id: Some(lease.worker_instance_id),
        reason: "operator".to_owned(),
    };
    rig.engine.revoke_lease(revoke).await.unwrap();
    assert_eq!(rig.until(signals.cancelled.recv()).await, Some(id));
}

#[tokio::test]
async fn a_drain_waits_for_handlers_and_gives_back_what_does_not_end() {
    let rig = Rig::start().await;
    let (stage, mut signals) = stage();
    let worker = rig.worker().data(stage).on("held", held).on("polite", polite).start().await.unwrap();
    let stays = rig.submit("held", &plain()).await;
    let yields = rig.submit("polite", &plain()).await;
    rig.until(signals.began.recv()).await;

    let began = rig.clock_ms();
    let report = rig.until(worker.drain(Duration::from_secs(7))).await;
    assert!(rig.clock_ms() - began >= 7000, "the grace was not waited for");
    assert_eq!((report.given_back, report.stuck), (1, 0));
    assert_eq!(worker.status().health, FleetHealth::Stopped);
    assert!(worker.status().running == 0);

    // Both go on with the next worker: the same attempt, and no reclaim.
    let resumed = |info: TaskInfo| async move {
        assert_eq!(info.claimed.attempt_type, AttemptType::Initial);
        assert_eq!((info.claimed.attempt_index.0, info.lease_reclaim_count), (0, 0));
        "resumed"
    };
    rig.worker().on("held", resumed).on("polite", resumed).start().await.unwrap();
    for id in [stays, yields] {
        assert_eq!(rig.outcome(id).await.result.as_deref(), Some(&b"resumed"[..]));
    }
}

/// Goes back in the queue when it is asked to stop.
async fn polite(Context(context): Context) -> HandlerOutcome {
    context.token().cancelled().await;
    HandlerOutcome::Delay(context.now())
}

#[tokio::test]
async fn a_drain_at_any_moment_leaves_no_lease_behind() {
    let rig = Rig::start().await;
    for turns in 0..60 {
        let worker = rig.worker().slots(4).cancel_grace(Duration::ZERO).on("hang", std::future::pending::<()>);
        let worker = worker.start().await.unwrap();
        rig.settle().await;
        let submission = tokio::spawn(rig.client.submit("hang", "").send());
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        rig.at_once(worker.drain(Duration::ZERO)).await;
        let id = submission.await.unwrap().unwrap().execution_id;
        rig.settle().await;
        let snapshot = rig.client.inspect(id).await.unwrap().unwrap();
        assert_eq!(snapshot.current_lease, None, "drained after {turns} turns");
        rig.client.cancel(id, "seen").await.unwrap();
    }
}

#[tokio::test]
async fn a_drain_that_finds_everything_ended_does_not_wait() {
    let rig = Rig::start().await;
    let (stage, mut signals) = stage();
    stage.gate.add_permits(1);
    let worker = rig.worker().data(stage).on("held", held).start().await.unwrap();
    let id = rig.submit("held", &plain()).await;
    rig.until(signals.began.recv()).await;
    let report = rig.at_once(worker.drain(Duration::from_mins(1))).await;
    assert_eq!((report.given_back, report.stuck), (0, 0));
    assert_eq!(rig.outcome(id).await.public_state, PublicState::Completed);
    let id = rig.submit("held", &plain()).await;
    rig.pass(Duration::from_secs(5)).await;
    assert_eq!(rig.engine.read_execution_state(id).await.unwrap(), Some(PublicState::Waiting));
}

#[tokio::test]
async fn a_fleet_runs_as_many_as_it_has_slots_and_can_be_resized() {
    let rig = Rig::start().await;
    let (stage, mut signals) = stage();
    let stage = std::sync::Arc::new(stage);
    let handler = {
        let stage = stage.clone();
        move |info: TaskInfo, cancel: Cancel| held(info, cancel, Data(stage.clone()))
    };
    let worker = rig.worker().slots(2).on("held", handler).start().await.unwrap();
    let ids: Vec<_> = {
        let many = (0..12).map(|_| rig.client.submit("held", ""));
        rig.client.submit_many(many).await.into_iter().map(|answer| answer.unwrap().execution_id).collect()
    };
    rig.settle().await;
    assert_eq!(worker.status().running, 2);
    worker.resize(5).unwrap();
    rig.settle().await;
    assert_eq!(worker.status().running, 5);
    worker.resize(1).unwrap();
    stage.gate.add_permits(5);
    rig.settle().await;
    assert_eq!(worker.status().running, 1);
    stage.most.store(0, Ordering::SeqCst);
    stage.gate.add_permits(7);
    for id in ids {
        assert!(rig.outcome(id).await.is_success());
    }
    assert_eq!(stage.most.load(Ordering::SeqCst), 1);
    // With room again, idle credits are taken back before they are used.
    worker.resize(8).unwrap();
    rig.settle().await;
    worker.resize(3).unwrap();
    rig.settle().await;
    let many = (0..6).map(|_| rig.client.submit("held", ""));
    rig.client.submit_many(many).await;
    rig.settle().await;
    assert_eq!(worker.status().running, 3);
    while signals.began.try_recv().is_ok() {}
    assert!(worker.resize(0).is_err());
}

#[tokio::test]
async fn too_many_panics_stop_the_claiming_until_it_is_resumed() {
    let rig = Rig::start().await;
    let panics = || async {
        assert_eq!(1, 2);
    };
    let fine = || async { "fine" };
    let worker = rig.worker().slots(1).panics(2, Duration::from_mins(1)).on("panics", panics).on("fine", fine);
    let worker = worker.start().await.unwrap();
    for _ in 0..3 {
        let id = rig.submit("panics", &plain()).await;
        rig.outcome(id).await;
    }
    assert_eq!(worker.status().health, FleetHealth::Unhealthy);
    let id = rig.submit("fine", &plain()).await;
    rig.pass(Duration::from_secs(30)).await;
    assert_eq!(rig.engine.read_execution_state(id).await.unwrap(), Some(PublicState::Waiting));
    assert_eq!(rig.engine.fleets()[0].status().health, FleetHealth::Unhealthy);
    worker.resume();
    assert!(rig.outcome(id).await.is_success());
    assert_eq!(worker.status().health, FleetHealth::Claiming);
}

/// Lets the partition die between a completion's commit and its answer, with
/// the commit going wrong in some way; the execution as it is afterwards.
async fn completed_with_a_dying_partition(fault: CommitFault) {
    let rig = Rig::start().await;
    let (stage, mut signals) = stage();
    let stage = std::sync::Arc::new(stage);
    let handler = {
        let stage = stage.clone();
        move |info: TaskInfo, cancel: Cancel| held(info, cancel, Data(stage.clone()))
    };
    let worker = rig.worker().on("held", handler).start().await.unwrap();
    let id = rig.submit("held", &plain()).await;
    rig.until(signals.began.recv()).await;

    rig.faults.next_commit(fault);
    stage.gate.add_permits(1);
    rig.settle().await;
    let partition = rig.engine.router().routes().get(id.partition()).unwrap();
    partition.send(PartitionMsg::Panic).unwrap();
    let outcome = rig.outcome(id).await;
    assert_eq!(outcome.result.as_deref(), Some(&b"held"[..]));
    assert!(rig.clock_ms() < 10_000, "nobody waited for the lease to lapse");
    rig.until(async {
        while worker.status().running > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let attempts = rig.attempts(id).await;
    assert_eq!((attempts.len(), attempts[0].lease_epoch.0), (1, 1));
    assert!(signals.cancelled.try_recv().is_err());
    let log = rig.engine.env().backend.read_events(id.partition(), None, 100).await.unwrap();
    let completions = log.iter().flat_map(|logged| &logged.event.facts);
    let completions = completions.filter(|fact| matches!(fact, Fact::Completed { .. })).count();
    assert_eq!(completions, 1);
}

#[tokio::test]
async fn a_completion_that_landed_unheard_is_recognised_when_it_is_repeated() {
    completed_with_a_dying_partition(CommitFault::DelayAfter(1000)).await;
}

#[tokio::test]
async fn a_completion_that_was_shut_out_is_carried_out_when_it_is_repeated() {
    completed_with_a_dying_partition(CommitFault::DelayBefore(1000)).await;
}

#[tokio::test]
async fn a_partition_that_dies_with_a_claim_takes_no_slot_with_it() {
    let rig = Rig::start().await;
    let id = rig.submit("fine", &plain()).await;
    // The claim's commit is under way when it dies.
    rig.faults.next_commit(CommitFault::DelayAfter(1000));
    let worker = rig.worker().slots(1).lease_ttl(Duration::from_secs(1)).on("fine", || async { "fine" });
    worker.start().await.unwrap();
    rig.settle().await;
    rig.engine.router().routes().get(id.partition()).unwrap().send(PartitionMsg::Panic).unwrap();
    assert!(rig.outcome(id).await.is_success());
    assert_eq!(rig.attempts(id).await.len(), 2, "the claim that nobody heard of was reclaimed");
}

#[tokio::test]
async fn a_worker_opens_again_with_the_nodes_next_life() {
    let rig = Rig::start().await;
    rig.worker().on("fine", || async { "fine" }).start().await.unwrap();
    let first = rig.engine.identity();
    rig.faults.next_heartbeat(HeartbeatFault::Lost);
    rig.until(async {
        while rig.engine.identity() == first {
            tokio::task::yield_now().await;
        }
    })
    .await;
    rig.settle().await;
    let id = rig.submit("fine", &plain()).await;
    assert!(rig.outcome(id).await.is_success());
}
