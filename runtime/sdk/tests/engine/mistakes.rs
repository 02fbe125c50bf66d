//! Handlers that wait in the wrong way, and waits that things happen to.

use crate::rig::{Rig, plain};
use crate::waits::Desk;
use leasehold_contract::{Leases, Reads, RevokeLease, SuspendArgs, SuspendOutcome};
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::ExecutionId;
use leasehold_core::record::SuspensionReason;
use leasehold_core::state::{AttemptType, PublicState};
use leasehold_core::suspension::{ResumeCondition, SignalMatcher, WaitpointBinding};
use leasehold_memory::CommitFault;
use leasehold_sdk::{Context, Data, Halt, HandlerError, HandlerOutcome, Issued, TaskInfo, Wait, Waits};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use uuid::Uuid;

async fn revoke(rig: &Rig, id: ExecutionId) {
    let lease = rig.client.inspect(id).await.unwrap().unwrap().current_lease.unwrap();
    let revoke = RevokeLease {
        execution_id: id,
        expected_lease_id: Some(lease.lease_id),
        worker_instance_id: Some(lease.worker_instance_id),
        reason: "operator".to_owned(),
    };
    rig.until(rig.engine.revoke_lease(revoke)).await.unwrap();
}

#[tokio::test]
async fn nothing_behind_a_wait_happens_before_it_is_passed() {
    let rig = Rig::start().await;
    let (desk, mut letters) = Desk::new();
    let swallows = |desk: Data<Desk>, mut waits: Waits| async move {
        let wait = Wait::signal().telling(|issued| desk.mail(issued));
        // Whatever comes of it: the suspension is no value to be dropped.
        drop(waits.wait("step", wait).await);
        desk.begin();
        "done"
    };
    rig.worker().data(desk).on("swallows", swallows).start().await.unwrap();
    let id = rig.submit("swallows", &plain()).await;
    let issued = rig.until(letters.recv()).await.unwrap();
    rig.pass(Duration::from_secs(60)).await;
    assert_eq!(rig.engine.read_execution_state(id).await.unwrap(), Some(PublicState::Suspended));
    rig.until(rig.client.signal(&issued[0], "go").send()).await.unwrap();
    assert!(rig.outcome(id).await.is_success());
}

async fn misused(rig: &Rig, id: ExecutionId) -> String {
    assert_eq!(rig.outcome(id).await.public_state, PublicState::Failed);
    let attempts = rig.attempts(id).await;
    assert_eq!(attempts.len(), 1, "it will happen again");
    assert_eq!(attempts[0].failure_category.as_deref(), Some("wait_misused"));
    attempts[0].failure_reason.clone().unwrap()
}

#[tokio::test]
async fn waiting_in_the_wrong_way_fails_the_attempt_for_good_and_says_why() {
    let rig = Rig::start().await;
    let spawned = |mut waits: Waits| async move {
        tokio::spawn(async move { waits.wait_for_approval("step").await.map(drop) }).await??;
        Ok::<_, HandlerError>(())
    };
    let twice = |mut waits: Waits| async move {
        let at = leasehold_core::time::TimestampMs(0).plus(1_700_000_000_000);
        waits.wait_until("step", at).await?;
        waits.wait_until("step", at).await?;
        Ok::<_, HandlerError>(())
    };
    let both = |_: Waits, _: Waits| async {};
    let much = |mut waits: Waits| async move {
        waits.step("first", Wait::pause(Duration::from_secs(1)), |_| "x".repeat(20_000)).await?;
        waits.wait_for_approval("second").await.map(drop)
    };
    rig.worker().on("spawned", spawned).on("twice", twice).on("both", both).on("much", much).start().await.unwrap();
    for (kind, says) in [
        ("spawned", "not from one it spawned"),
        ("twice", "named twice"),
        ("both", "takes Waits once"),
        ("much", "keep less of them"),
    ] {
        let id = rig.submit(kind, &crate::rig::retries(3)).await;
        let reason = misused(&rig, id).await;
        assert!(reason.contains(says), "{kind}: {reason}");
    }
}

#[tokio::test]
async fn a_wait_that_the_engine_refuses_fails_under_its_own_category() {
    let rig = Rig::start().await;
    let none = |mut waits: Waits| async move { waits.wait_for_any("race", Vec::<String>::new()).await.map(drop) };
    rig.worker().on("none", none).start().await.unwrap();
    let id = rig.submit("none", &plain()).await;
    assert_eq!(rig.outcome(id).await.public_state, PublicState::Failed);
    assert_eq!(rig.failures(id).await, [Some("wait_refused".to_owned())]);
}

#[tokio::test]
async fn a_wait_of_an_execution_that_was_cancelled_is_told_so() {
    let rig = Rig::start().await;
    let (halts, mut halted) = tokio::sync::mpsc::unbounded_channel();
    let (begun, gate) = (std::sync::Arc::new(Notify::new()), std::sync::Arc::new(Notify::new()));
    let slow = {
        let (begun, gate) = (begun.clone(), gate.clone());
        move |mut waits: Waits| {
            let (begun, gate, halts) = (begun.clone(), gate.clone(), halts.clone());
            async move {
                begun.notify_one();
                gate.notified().await;
                let halt = waits.wait_for_approval("step").await.unwrap_err();
                halts.send(halt.clone()).unwrap();
                Err::<(), _>(halt)
            }
        }
    };
    rig.worker().on("slow", slow).start().await.unwrap();

    let id = rig.submit("slow", &plain()).await;
    rig.until(begun.notified()).await;
    rig.until(rig.client.cancel(id, "changed its mind")).await.unwrap();
    gate.notify_one();
    let halt = rig.until(halted.recv()).await.unwrap();
    assert!(matches!(halt, Halt::Ended(_)), "{halt:?}");
    assert_eq!(rig.outcome(id).await.public_state, PublicState::Cancelled);
}

#[tokio::test]
async fn a_wait_whose_lease_was_lost_is_told_so_and_whoever_reclaims_goes_on_behind_the_wait() {
    let rig = Rig::start().await;
    let (desk, mut letters) = Desk::new();
    let (begun, gate) = (std::sync::Arc::new(Notify::new()), std::sync::Arc::new(Notify::new()));
    let dies = {
        let (begun, gate) = (begun.clone(), gate.clone());
        move |info: TaskInfo, desk: Data<Desk>, mut waits: Waits| {
            let (begun, gate) = (begun.clone(), gate.clone());
            async move {
                let resumed = waits.wait("answer", Wait::callback().telling(|issued| desk.mail(issued))).await?;
                if info.claimed.kind == HandleKind::Resumed {
                    begun.notify_one();
                    gate.notified().await;
                    let halt = waits.wait_for_approval("more").await.unwrap_err();
                    assert!(matches!(halt, Halt::LeaseLost(_) | Halt::Ended(_)), "{halt:?}");
                    desk.begin();
                    return Err(HandlerError::from(halt));
                }
                Ok(format!("{:?} {}", info.claimed.attempt_type, resumed.signals[0].name))
            }
        }
    };
    rig.worker().data(desk).on("dies", dies).start().await.unwrap();
    let id = rig.submit("dies", &plain()).await;
    let issued = rig.until(letters.recv()).await.unwrap();
    rig.settle().await;
    rig.until(rig.client.signal(&issued[0], "yes").send()).await.unwrap();
    rig.until(begun.notified()).await;
    revoke(&rig, id).await;
    gate.notify_one();
    assert_eq!(rig.outcome(id).await.result.as_deref(), Some(&b"Reclaim yes"[..]));
    let attempts = rig.attempts(id).await;
    assert_eq!(attempts.last().unwrap().attempt_type, AttemptType::Reclaim);
    assert!(letters.try_recv().is_err(), "nobody was asked again");
}

#[tokio::test]
async fn a_suspension_whose_outcome_is_unknown_is_asked_for_again() {
    let rig = Rig::start().await;
    let (desk, mut letters) = Desk::new();
    let faults = rig.faults.clone();
    let one = move |desk: Data<Desk>, mut waits: Waits| {
        let faults = faults.clone();
        async move {
            let before = desk.begin();
            let tell = |issued: Vec<Issued>| async move {
                if before == 0 {
                    faults.next_commit(CommitFault::Lost);
                }
                desk.mail(issued).await
            };
            waits.wait("answer", Wait::callback().telling(tell)).await?;
            Ok::<_, HandlerError>(())
        }
    };
    rig.worker().data(desk).on("one", one).start().await.unwrap();
    let id = rig.submit("one", &plain()).await;
    let issued = rig.until(letters.recv()).await.unwrap();
    rig.pass(Duration::from_secs(5)).await;
    assert_eq!(rig.engine.read_execution_state(id).await.unwrap(), Some(PublicState::Suspended));
    rig.until(rig.client.signal(&issued[0], "go").send()).await.unwrap();
    assert!(rig.outcome(id).await.is_success());
    assert_eq!(rig.attempts(id).await.len(), 1);
}

#[tokio::test]
async fn a_wait_that_is_dropped_halfway_ends_the_run_and_suspends_all_the_same() {
    let rig = Rig::start().await;
    let behind = std::sync::Arc::new(AtomicU32::new(0));
    let hasty = {
        let behind = behind.clone();
        move |mut waits: Waits| {
            let behind = behind.clone();
            async move {
                let patience = async {
                    // Enough turns for the wait to ask, too few for an answer.
                    tokio::task::yield_now().await;
                };
                tokio::select! {
                    biased;
                    waited = waits.wait("pause", Wait::pause(Duration::from_secs(60))) => { waited?; }
                    () = patience => { tokio::task::yield_now().await; }
                }
                behind.fetch_add(1, Ordering::SeqCst);
                Ok::<_, HandlerError>(())
            }
        }
    };
    rig.worker().on("hasty", hasty).start().await.unwrap();
    let id = rig.submit("hasty", &plain()).await;
    rig.settle().await;
    assert_eq!(rig.engine.read_execution_state(id).await.unwrap(), Some(PublicState::Suspended));
    assert_eq!(behind.load(Ordering::SeqCst), 0);
}

fn args(context: &leasehold_sdk::HandlerContext, number: u128) -> SuspendArgs {
    let condition = ResumeCondition::Single { waitpoint_key: "k".to_owned(), matcher: SignalMatcher::Wildcard };
    let waitpoint =
        WaitpointBinding::Fresh { waitpoint_id: Uuid::from_u128(number).into(), waitpoint_key: "k".to_owned() };
    let reason = SuspensionReason::WaitingForSignal;
    SuspendArgs::new(Uuid::from_u128(number + 1).into(), waitpoint, condition, reason, context.now())
}

#[tokio::test]
async fn a_handler_may_return_its_suspension_as_an_actor_does() {
    let rig = Rig::start().await;
    let returns = |info: TaskInfo, Context(context): Context| async move {
        if info.claimed.kind == HandleKind::Resumed {
            return HandlerOutcome::Complete(None);
        }
        HandlerOutcome::Suspend(Box::new(args(&context, 10)))
    };
    let refused = |Context(context): Context| async move {
        let mut args = args(&context, 20);
        args.waitpoints.clear();
        HandlerOutcome::Suspend(Box::new(args))
    };
    rig.worker().on("returns", returns).on("refused", refused).start().await.unwrap();
    let id = rig.submit("returns", &plain()).await;
    rig.settle().await;
    assert_eq!(rig.engine.read_execution_state(id).await.unwrap(), Some(PublicState::Suspended));
    let resume = leasehold_contract::ResumeExecution {
        execution_id: id,
        trigger: leasehold_core::record::ResumeTrigger::Operator,
        resume_delay_ms: 0,
    };
    rig.until(rig.client.ask(resume)).await.unwrap();
    assert!(rig.outcome(id).await.is_success());

    let id = rig.submit("refused", &plain()).await;
    assert_eq!(rig.outcome(id).await.public_state, PublicState::Failed);
    assert_eq!(rig.failures(id).await, [Some("handler_suspend".to_owned())]);
}

#[tokio::test]
async fn a_returned_suspension_that_is_satisfied_already_runs_the_handler_again_on_its_lease() {
    use leasehold_contract::Suspension;
    let rig = Rig::start().await;
    let client = rig.client.clone();
    let early = move |info: TaskInfo, Context(context): Context| {
        let client = client.clone();
        async move {
            if info.claimed.kind == HandleKind::Resumed {
                return HandlerOutcome::Complete(Some(info.claimed.lease_epoch.to_string().into()));
            }
            let pending = context.engine().create_waitpoint(&context.handle(), "k".to_owned(), 60_000).await.unwrap();
            let issued = Issued {
                execution_id: context.execution_id(),
                waitpoint_id: pending.waitpoint_id,
                waitpoint_key: "k".to_owned(),
                token: pending.hmac_token,
            };
            client.signal(&issued, "early").send().await.unwrap();
            let pending = WaitpointBinding::UsePending { waitpoint_id: pending.waitpoint_id };
            HandlerOutcome::Suspend(Box::new(args(&context, 30).with_waitpoints(vec![pending])))
        }
    };
    rig.worker().on("early", early).start().await.unwrap();
    let id = rig.submit("early", &plain()).await;
    assert_eq!(rig.outcome(id).await.result.as_deref(), Some(&b"1"[..]));
}

#[tokio::test]
async fn what_a_handler_says_after_it_was_suspended_is_dropped() {
    let rig = Rig::start().await;
    let goes_on = |Context(context): Context| async move {
        let outcome = context.suspend(args(&context, 40)).await.unwrap();
        assert!(matches!(outcome, SuspendOutcome::Suspended { .. }));
        assert!(context.token().is_cancelled());
        context.suspend(args(&context, 50)).await.unwrap_err();
        "done"
    };
    rig.worker().on("goes on", goes_on).start().await.unwrap();
    let id = rig.submit("goes on", &plain()).await;
    rig.pass(Duration::from_secs(5)).await;
    assert_eq!(rig.engine.read_execution_state(id).await.unwrap(), Some(PublicState::Suspended));
}
