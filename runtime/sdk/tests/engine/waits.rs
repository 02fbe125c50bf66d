//! Handlers that wait: runs, steps, signals, deadlines.

use crate::rig::{Rig, plain, retries};
use leasehold_actors::partition::PartitionMsg;
use leasehold_contract::{ListPendingWaitpoints, Reads, ResumeExecution, SignalOutcome, Suspension};
use leasehold_core::ids::{AttemptIndex, ExecutionId};
use leasehold_core::record::ResumeTrigger;
use leasehold_core::state::PublicState;
use leasehold_sdk::{Data, HandlerError, How, Issued, Json, Payload, Resumed, TaskInfo, TimeoutBehavior, Wait, Waits};
use std::future::{Ready, ready};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// What handlers tell the test.
pub struct Desk {
    told: mpsc::UnboundedSender<Vec<Issued>>,
    pub runs: AtomicU32,
}

impl Desk {
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Vec<Issued>>) {
        let (told, letters) = mpsc::unbounded_channel();
        (Self { told, runs: AtomicU32::new(0) }, letters)
    }

    /// Counts a run; the number of runs before it.
    pub fn begin(&self) -> u32 {
        self.runs.fetch_add(1, Ordering::SeqCst)
    }

    pub fn mail(&self, issued: Vec<Issued>) -> Ready<Result<(), HandlerError>> {
        ready(self.told.send(issued).map_err(Into::into))
    }
}

/// The letter about a wait with one waitpoint.
async fn letter(rig: &Rig, letters: &mut mpsc::UnboundedReceiver<Vec<Issued>>) -> Issued {
    let mut letter = rig.until(letters.recv()).await.unwrap();
    rig.settle().await;
    assert_eq!(letter.len(), 1);
    letter.remove(0)
}

async fn state(rig: &Rig, id: ExecutionId) -> PublicState {
    rig.engine.read_execution_state(id).await.unwrap().unwrap()
}

fn summary(resumed: &Resumed) -> String {
    let signals: Vec<_> = resumed.signals.iter().map(|signal| format!("{}:{}", signal.key, signal.name)).collect();
    format!("{:?} {}", resumed.how, signals.join(" "))
}

async fn one(desk: Data<Desk>, mut waits: Waits) -> Result<String, HandlerError> {
    desk.begin();
    let resumed = waits.wait("answer", Wait::callback().telling(|issued| desk.mail(issued))).await?;
    let answer = resumed.first().unwrap();
    assert!(resumed.is_satisfied());
    Ok(format!("{} {} says {}", answer.source_type, answer.source_identity, answer.json::<String>()?))
}

#[tokio::test]
async fn a_wait_frees_the_slot_and_the_handler_runs_anew_on_the_same_attempt() {
    let rig = Rig::start().await;
    let (desk, mut letters) = Desk::new();
    let worker = rig.worker().slots(1).data(desk).on("one", one).on("quick", || async {}).start().await.unwrap();
    let id = rig.submit("one", &plain()).await;
    let issued = letter(&rig, &mut letters).await;
    assert_eq!((issued.execution_id, issued.waitpoint_key.as_str()), (id, "answer"));
    assert_eq!(state(&rig, id).await, PublicState::Suspended);
    assert_eq!(worker.status().running, 0);
    let quick = rig.submit("quick", &plain()).await;
    assert!(rig.outcome(quick).await.is_success());

    rig.pass(Duration::from_mins(9)).await;
    let signal = rig.client.signal(&issued, "done").from("service", "billing").json(&"paid");
    assert!(matches!(rig.until(signal.send()).await.unwrap(), SignalOutcome::Accepted { .. }));
    assert_eq!(rig.outcome(id).await.result.as_deref(), Some(&b"service billing says paid"[..]));
    let attempts = rig.attempts(id).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].lease_epoch.0, 2);
    assert!(letters.try_recv().is_err(), "told once");
}

#[tokio::test]
async fn a_signal_that_is_sent_again_by_its_clone_is_a_duplicate_to_a_partition_that_began_anew() {
    let rig = Rig::start().await;
    let (desk, mut letters) = Desk::new();
    rig.worker().data(desk).on("one", one).start().await.unwrap();
    let id = rig.submit("one", &plain()).await;
    let issued = letter(&rig, &mut letters).await;
    let signal = rig.client.signal(&issued, "done").json(&"paid");
    let sent = rig.until(signal.clone().send()).await.unwrap();
    let SignalOutcome::Accepted { signal_id, .. } = sent else { panic!("not accepted: {sent:?}") };
    assert!(rig.outcome(id).await.is_success());
    rig.engine.router().routes().get(id.partition()).unwrap().send(PartitionMsg::Panic).unwrap();
    rig.settle().await;
    let again = rig.until(signal.send()).await.unwrap();
    assert_eq!(again, SignalOutcome::Duplicate { existing_signal_id: signal_id });
}

async fn three_steps(desk: Data<Desk>, mut waits: Waits) -> Result<String, HandlerError> {
    let before = desk.begin();
    let first = waits.wait("first", Wait::signal().telling(|issued| desk.mail(issued))).await?;
    let second = Wait::signal().telling(|issued| desk.mail(issued));
    let second: usize = waits.step("second", second, |resumed| resumed.signals.len() + before as usize).await?;
    let third = waits.wait("third", Wait::signal().telling(|issued| desk.mail(issued))).await?;
    Ok(format!("{} | {second} | {}", summary(&first), summary(&third)))
}

#[tokio::test]
async fn steps_that_were_passed_return_at_once_what_they_kept() {
    let rig = Rig::start().await;
    let (desk, mut letters) = Desk::new();
    rig.worker().data(desk).on("steps", three_steps).start().await.unwrap();
    let id = rig.submit("steps", &plain()).await;
    for step in ["first", "second", "third"] {
        let issued = letter(&rig, &mut letters).await;
        assert_eq!(issued.waitpoint_key, step);
        assert_eq!(state(&rig, id).await, PublicState::Suspended);
        rig.until(rig.client.signal(&issued, format!("go {step}")).send()).await.unwrap();
    }
    let outcome = rig.outcome(id).await;
    // The second step was resumed in the third run, which two came before.
    let result = "Satisfied first:go first | 3 | Satisfied third:go third";
    assert_eq!(String::from_utf8_lossy(&outcome.result.unwrap()), result);
    assert_eq!(rig.attempts(id).await.len(), 1);
    assert!(letters.try_recv().is_err(), "told once for each wait");
}

#[tokio::test]
async fn a_signal_that_comes_before_the_suspension_lets_the_wait_return_in_the_same_run() {
    let rig = Rig::start().await;
    let (desk, _letters) = Desk::new();
    let client = rig.client.clone();
    let early = move |desk: Data<Desk>, mut waits: Waits| {
        let client = client.clone();
        async move {
            let before = desk.begin();
            let tell = |issued: Vec<Issued>| async move { client.signal(&issued[0], "early").send().await.map(drop) };
            let resumed = waits.wait("step", Wait::signal().telling(tell)).await?;
            Ok::<_, HandlerError>(Json((before, resumed)))
        }
    };
    rig.worker().data(desk).on("early", early).start().await.unwrap();
    let id = rig.submit("early", &plain()).await;
    let (before, resumed) = rig.outcome(id).await.json::<(u32, Resumed)>().unwrap();
    assert_eq!((before, summary(&resumed).as_str()), (0, "Satisfied step:early"));
    assert_eq!(rig.attempts(id).await[0].lease_epoch.0, 1);
}

async fn quorum(desk: Data<Desk>, mut waits: Waits) -> Result<Json<(bool, Resumed)>, HandlerError> {
    desk.begin();
    let wait = Wait::quorum(2, ["ann", "ben", "cleo"]).telling(|issued| desk.mail(issued));
    let vote = waits.wait("vote", wait).await?;
    Ok(Json((vote.is_approved(), vote)))
}

#[tokio::test]
async fn a_quorum_counts_each_approver_once_and_only_approvals() {
    let rig = Rig::start().await;
    let (desk, mut letters) = Desk::new();
    rig.worker().data(desk).on("quorum", quorum).start().await.unwrap();
    let id = rig.submit("quorum", &plain()).await;
    let issued = rig.until(letters.recv()).await.unwrap();
    assert_eq!(issued.iter().map(|one| one.waitpoint_key.as_str()).collect::<Vec<_>>(), ["ann", "ben", "cleo"]);
    for (to, name) in [(0, "approved"), (0, "approved"), (1, "rejected")] {
        rig.until(rig.client.signal(&issued[to], name).send()).await.unwrap();
        rig.settle().await;
        assert_eq!(state(&rig, id).await, PublicState::Suspended, "{to} {name}");
    }
    rig.until(rig.client.signal(&issued[2], "approved").send()).await.unwrap();
    let (approved, vote) = rig.outcome(id).await.json::<(bool, Resumed)>().unwrap();
    assert_eq!((approved, summary(&vote).as_str()), (true, "Satisfied ann:approved cleo:approved"));
}

#[tokio::test]
async fn sources_count_each_sender_once_at_one_waitpoint() {
    let rig = Rig::start().await;
    let (desk, mut letters) = Desk::new();
    let two = |desk: Data<Desk>, mut waits: Waits| async move {
        let wait = Wait::sources(2).named("approved").telling(|issued| desk.mail(issued));
        Ok::<_, HandlerError>(Json(waits.wait("vote", wait).await?))
    };
    rig.worker().data(desk).on("two", two).start().await.unwrap();
    let id = rig.submit("two", &plain()).await;
    let issued = letter(&rig, &mut letters).await;
    for who in ["ann", "ann"] {
        rig.until(rig.client.signal(&issued, "approved").from("user", who).send()).await.unwrap();
        assert_eq!(state(&rig, id).await, PublicState::Suspended);
    }
    rig.until(rig.client.signal(&issued, "approved").from("user", "ben").send()).await.unwrap();
    let vote = rig.outcome(id).await.json::<Resumed>().unwrap();
    let who: Vec<_> = vote.signals.iter().map(|signal| signal.source_identity.as_str()).collect();
    assert_eq!(who, ["ann", "ben"]);
}

#[tokio::test]
async fn the_first_of_several_waitpoints_resumes_a_race() {
    let rig = Rig::start().await;
    let (desk, mut letters) = Desk::new();
    let race = |desk: Data<Desk>, mut waits: Waits| async move {
        let wait = Wait::any_of(["left", "right"]).telling(|issued| desk.mail(issued));
        let won = waits.wait("race", wait).await?;
        Ok::<_, HandlerError>(Json((won.at("left").is_some(), won.at("right").is_some())))
    };
    rig.worker().data(desk).on("race", race).start().await.unwrap();
    let id = rig.submit("race", &plain()).await;
    let issued = rig.until(letters.recv()).await.unwrap();
    rig.until(rig.client.signal(&issued[1], "done").send()).await.unwrap();
    assert_eq!(rig.outcome(id).await.json::<(bool, bool)>().unwrap(), (false, true));
    let late = rig.until(rig.client.signal(&issued[0], "done").send()).await.unwrap_err();
    assert_eq!(late.code(), "target_not_signalable");
}

async fn timed(Payload(behavior): Payload<String>, mut waits: Waits) -> Result<Json<Resumed>, HandlerError> {
    let behavior = TimeoutBehavior::read(&behavior).unwrap();
    let wait = Wait::approval().timeout(Duration::from_mins(5), behavior);
    Ok(Json(waits.wait("vote", wait).await?))
}

#[tokio::test]
async fn a_deadline_ends_the_wait_as_it_was_told_to() {
    let rig = Rig::start().await;
    rig.worker().on("timed", timed).start().await.unwrap();
    for (behavior, ends) in [
        ("fail", PublicState::Failed),
        ("cancel", PublicState::Cancelled),
        ("expire", PublicState::Expired),
        ("auto_resume", PublicState::Completed),
    ] {
        let began = rig.clock_ms();
        let id = rig.client.submit_json("timed", &behavior).await.unwrap().execution_id;
        let outcome = rig.outcome(id).await;
        assert_eq!(outcome.public_state, ends, "{behavior}");
        assert!(rig.clock_ms() - began >= 300_000, "{behavior}");
        if ends == PublicState::Completed {
            assert_eq!(outcome.json::<Resumed>().unwrap(), Resumed { how: How::TimedOut, signals: Vec::new() });
        }
    }
}

#[tokio::test]
async fn a_time_is_waited_for_without_a_slot() {
    let rig = Rig::start().await;
    let later = |TaskInfo(task): TaskInfo, mut waits: Waits| async move {
        let resumed = waits.wait_until("nine", task.created_at.plus(90_000)).await?;
        Ok::<_, HandlerError>(Json(resumed.is_timed_out()))
    };
    let worker = rig.worker().on("later", later).start().await.unwrap();
    let id = rig.submit("later", &plain()).await;
    rig.settle().await;
    assert_eq!((state(&rig, id).await, worker.status().running), (PublicState::Suspended, 0));
    assert!(rig.outcome(id).await.json::<bool>().unwrap());
    assert!(rig.clock_ms() >= 90_000);
}

#[tokio::test]
async fn an_operator_overrides_a_wait() {
    let rig = Rig::start().await;
    let (desk, mut letters) = Desk::new();
    let wait = |desk: Data<Desk>, mut waits: Waits| async move {
        let wait = Wait::quorum(2, ["ann", "ben"]).telling(|issued| desk.mail(issued));
        Ok::<_, HandlerError>(summary(&waits.wait("vote", wait).await?))
    };
    rig.worker().data(desk).on("wait", wait).start().await.unwrap();
    let id = rig.submit("wait", &plain()).await;
    let issued = rig.until(letters.recv()).await.unwrap();
    rig.until(rig.client.signal(&issued[0], "approved").send()).await.unwrap();
    let resume = ResumeExecution { execution_id: id, trigger: ResumeTrigger::Operator, resume_delay_ms: 0 };
    rig.until(rig.engine.resume_execution(resume)).await.unwrap();
    assert_eq!(rig.outcome(id).await.result.as_deref(), Some(&b"Overridden ann:approved"[..]));
}

#[tokio::test]
async fn a_retry_asks_again() {
    let rig = Rig::start().await;
    let (desk, mut letters) = Desk::new();
    let fails = |info: TaskInfo, desk: Data<Desk>, mut waits: Waits| async move {
        let resumed = waits.wait("answer", Wait::callback().telling(|issued| desk.mail(issued))).await?;
        if info.claimed.attempt_index == AttemptIndex(0) {
            return Err(HandlerError::transient("after the answer"));
        }
        Ok(summary(&resumed))
    };
    rig.worker().data(desk).on("fails", fails).start().await.unwrap();
    let id = rig.submit("fails", &retries(1)).await;
    for name in ["one", "two"] {
        let issued = letter(&rig, &mut letters).await;
        rig.until(rig.client.signal(&issued, name).send()).await.unwrap();
    }
    assert_eq!(rig.outcome(id).await.result.as_deref(), Some(&b"Satisfied answer:two"[..]));
    assert_eq!(rig.failures(id).await, [Some("handler_error".to_owned()), None]);
}

#[tokio::test]
async fn a_wait_nobody_could_be_told_of_suspends_nothing() {
    let rig = Rig::start().await;
    let untold = |mut waits: Waits| async move {
        let tell = |_: Vec<Issued>| async { Err(HandlerError::permanent("no mail today").with_category("mail")) };
        waits.wait("answer", Wait::callback().telling(tell)).await?;
        Ok::<_, HandlerError>(())
    };
    rig.worker().on("untold", untold).start().await.unwrap();
    let id = rig.submit("untold", &plain()).await;
    assert_eq!(rig.outcome(id).await.public_state, PublicState::Failed);
    assert_eq!(rig.failures(id).await, [Some("mail".to_owned())]);
    assert_eq!(rig.engine.read_suspension(id).await.unwrap(), None);
    let list = ListPendingWaitpoints { execution_id: id, after: None, limit: None };
    assert!(rig.engine.list_pending_waitpoints(list).await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn several_waitpoints_nobody_could_be_told_of_are_made_anew() {
    let rig = Rig::start().await;
    let (desk, mut letters) = Desk::new();
    let shaky = |desk: Data<Desk>, mut waits: Waits| async move {
        let before = desk.begin();
        let tell = |issued: Vec<Issued>| async move {
            if before < 2 { Err(HandlerError::transient("no mail now")) } else { desk.mail(issued).await }
        };
        Ok::<_, HandlerError>(summary(&waits.wait("race", Wait::any_of(["a", "b"]).telling(tell)).await?))
    };
    rig.worker().data(desk).on("shaky", shaky).start().await.unwrap();
    let id = rig.submit("shaky", &plain()).await;
    let issued = rig.until(letters.recv()).await.unwrap();
    assert!(rig.clock_ms() >= 10_000, "it rested between its tries");
    rig.until(rig.client.signal(&issued[0], "done").send()).await.unwrap();
    assert_eq!(rig.outcome(id).await.result.as_deref(), Some(&b"Satisfied a:done"[..]));
    assert_eq!(rig.attempts(id).await.len(), 1);
}
