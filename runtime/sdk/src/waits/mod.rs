//! Handlers that wait: for people, for other services, for a time.
//!
//! A handler waits with one call on the extractor [`Waits`]:
//!
//! ```no_run
//! use leasehold_sdk::{HandlerError, Json, Payload, Wait, Waits};
//!
//! async fn deploy(Payload(version): Payload<String>, mut waits: Waits) -> Result<Json<String>, HandlerError> {
//!     let vote = waits.wait("approval", Wait::quorum(2, ["ann", "ben", "cleo"])).await?;
//!     let by: Vec<_> = vote.signals.iter().map(|signal| signal.key.as_str()).collect();
//!     Ok(Json(format!("{version} deployed, approved by {}", by.join(" and "))))
//! }
//! ```
//!
//! # What happens
//!
//! The call ends the run of the handler where it stands: its future is
//! dropped, its slot is free, and the execution costs no memory while it
//! waits. When what it waits for has come, the handler is run **anew, from
//! its first line**, on the same attempt, and the same call returns at once
//! with what resumed it. Signals that came before the call, to a waitpoint
//! that was made before, let it return without ending the run.
//!
//! No code is replayed and no journal kept. What stands before a wait is done
//! once more after it, so:
//!
//! * What must happen once for each wait, such as sending out its link, goes
//!   into the wait ([`Wait::telling`]), not before it.
//! * What else stands before a wait is repeatable, or done under a key that
//!   the other side recognises.
//! * What is known before a wait and needed behind it comes from the payload,
//!   or is kept by a step ([`Waits::step`]).
//!
//! # Several waits
//!
//! Each wait has a name, the *step*. A suspension carries its step's name and
//! what earlier steps kept in its `continuation_metadata_pointer`: at most
//! 16 KiB of JSON, written with the suspension and with nothing else. On each
//! run the steps that were passed return at once what they kept, the step
//! that was just resumed returns what resumed it, and the next one suspends.
//! [`Waits::wait`] keeps all that its signals brought; where that is much,
//! [`Waits::step`] keeps what a closure makes of it. Renaming a step makes
//! executions that wait at it wait anew under the new name.
//!
//! A wait belongs to its attempt. When a worker dies after the resume, whoever
//! reclaims the execution goes on where it was; when the handler fails and is
//! retried, the retry asks again. An answer that must outlive failures is an
//! execution of its own, upstream in a flow.
//!
//! # Mistakes
//!
//! * *Swallowing the suspension* is not possible: the call does not return.
//! * *Two waits at once* do not compile: a wait borrows `Waits` mutably. Two
//!   extractors `Waits` in one handler fail the attempt before it runs.
//! * *The same step twice in a run*, and *waiting in a spawned task*, which the
//!   call could not end, are [`Halt::Misused`]: the attempt fails for good
//!   with the category `wait_misused` and a reason that says so.
//! * *A timeout around the call* ends the run all the same once the wait has
//!   begun; a deadline is part of the wait ([`Wait::timeout`]).

mod door;
mod halt;
mod place;
mod resumed;
mod wait;

pub use halt::Halt;
pub use resumed::{Answer, How, Resumed};
pub use wait::{Issued, Silent, Tell, Telling, Wait};

use crate::worker::{Call, FromCall, Rejection, category};
pub(crate) use door::{Door, InProcess, Told};
use leasehold_contract::{SuspendArgs, Task};
use leasehold_core::backoff::FailureClass;
use leasehold_core::handle::HandleKind;
use leasehold_core::suspension::WaitpointBinding;
use leasehold_core::time::TimestampMs;
use place::Place;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How long a waitpoint that was made before its suspension waits for it: as
/// long as telling somebody of it may take.
const PENDING: Duration = Duration::from_hours(1);

/// How soon a handler is run again whose waitpoints nobody could be told of.
const UNTOLD_PAUSE: Duration = Duration::from_secs(5);

/// The waits of one run of a handler; see the [module](self).
pub struct Waits {
    door: Arc<dyn Door>,
    task: Task,
    /// Steps named in this run.
    named: BTreeSet<String>,
    /// Where the execution stands; read when it is first asked for.
    place: Option<Place>,
}

impl FromCall for Waits {
    fn from_call(call: &Call) -> Result<Self, Rejection> {
        if !call.take_waits() {
            return Err(Rejection {
                reason: "a handler takes Waits once".to_owned(),
                category: category::WAIT_MISUSED,
                class: FailureClass::Permanent,
            });
        }
        Ok(Self::new(call.door(), call.task.clone()))
    }
}

impl Waits {
    fn new(door: Arc<dyn Door>, task: Task) -> Self {
        Self { door, task, named: BTreeSet::new(), place: None }
    }

    /// Waits at a step, and keeps all that its signals brought for the steps
    /// behind it.
    ///
    /// # Errors
    ///
    /// [`Halt`].
    pub async fn wait<T: Tell>(&mut self, step: &str, wait: Wait<T>) -> Result<Resumed, Halt> {
        self.step(step, wait, |resumed| resumed).await
    }

    /// Waits at a step for the first vote of an approver, whatever it says.
    ///
    /// # Errors
    ///
    /// [`Halt`].
    pub async fn wait_for_approval(&mut self, step: &str) -> Result<Resumed, Halt> {
        self.wait(step, Wait::approval()).await
    }

    /// Waits at a step for any signal to any one of several waitpoints.
    ///
    /// # Errors
    ///
    /// [`Halt`].
    pub async fn wait_for_any<K: Into<String>>(
        &mut self,
        step: &str,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Resumed, Halt> {
        self.wait(step, Wait::any_of(keys)).await
    }

    /// Waits at a step until a time; only an operator resumes it before.
    ///
    /// # Errors
    ///
    /// [`Halt`].
    pub async fn wait_until(&mut self, step: &str, at: TimestampMs) -> Result<Resumed, Halt> {
        self.wait(step, Wait::until(at)).await
    }

    /// Waits at a step, and keeps what `keep` makes of what resumed it. The
    /// value is what later runs get from this step; `keep` is called in the
    /// run that was resumed by it.
    ///
    /// # Errors
    ///
    /// [`Halt`].
    pub async fn step<T: Tell, V: Serialize + DeserializeOwned>(
        &mut self,
        step: &str,
        wait: Wait<T>,
        keep: impl FnOnce(Resumed) -> V,
    ) -> Result<V, Halt> {
        if !self.named.insert(step.to_owned()) {
            return Err(Halt::Misused(format!("step {step:?} is named twice in one run")));
        }
        if self.place.is_none() {
            self.place = Some(self.read_place().await?);
        }
        let place = self.place.get_or_insert_default();
        if let Some(kept) = place.kept(step) {
            return kept;
        }
        let resumed = match place.resumed(step) {
            Some(resumed) => resumed,
            None => self.begin(step, wait).await?,
        };
        let value = keep(resumed);
        self.place.get_or_insert_default().keep(step, &value)?;
        Ok(value)
    }

    /// Where the execution stands, if an earlier run of this attempt, or of
    /// one whose worker died, has waited.
    async fn read_place(&self) -> Result<Place, Halt> {
        if self.task.claimed.kind == HandleKind::Fresh {
            return Ok(Place::default());
        }
        let Some(last) = self.door.read_suspension().await? else { return Ok(Place::default()) };
        let (from, to) = (last.attempt_index, self.task.claimed.attempt_index);
        if from != to && !self.door.only_reclaimed(from, to).await? {
            return Ok(Place::default());
        }
        Ok(Place::after(last))
    }

    /// Suspends the execution at a step. Returns only when the step is passed
    /// already.
    async fn begin<T: Tell>(&mut self, step: &str, wait: Wait<T>) -> Result<Resumed, Halt> {
        let now = self.door.now().await?;
        let pointer = self.place.get_or_insert_default().pointer(step)?;
        let shape = wait.shape(step);
        let mut fresh: Vec<_> = shape
            .keys
            .iter()
            .map(|key| WaitpointBinding::Fresh { waitpoint_id: self.door.uuid().into(), waitpoint_key: key.clone() })
            .collect();
        let mut told = None;
        let mut tell = Some(wait.tell);
        // A lone waitpoint can exist, and be told of, before the suspension:
        // nobody waits for an answer that nobody was asked for.
        if T::TELLS
            && let [key] = shape.keys.as_slice()
        {
            let pending = self.door.create_waitpoint(key.clone(), PENDING).await?;
            let issued = Issued {
                execution_id: self.task.claimed.execution_id,
                waitpoint_id: pending.waitpoint_id,
                waitpoint_key: key.clone(),
                token: pending.hmac_token,
            };
            if let Some(tell) = tell.take()
                && let Err(error) = tell.tell(vec![issued]).await
            {
                self.door.close_waitpoint(pending.waitpoint_id).await?;
                return Err(Halt::Untold(error));
            }
            fresh = vec![WaitpointBinding::UsePending { waitpoint_id: pending.waitpoint_id }];
            told = Some(pending.waitpoint_id);
        }
        let suspension_id = self.door.uuid();
        let args = SuspendArgs {
            suspension_id: suspension_id.into(),
            waitpoints: fresh,
            resume_condition: shape.condition,
            resume_policy: shape.policy,
            reason_code: shape.reason,
            requested_by: leasehold_core::record::Requester::Worker,
            timeout_at: shape.timeout.map(|(timeout, _)| timeout.at(now)),
            timeout_behavior: shape.timeout.map_or(leasehold_core::record::TimeoutBehavior::Fail, |(_, does)| does),
            continuation_metadata_pointer: Some(pointer),
            now,
            // Only where the answer is needed does a repeat have to be told
            // it: without, a repeat learns that the lease is gone.
            idempotency_key: T::TELLS.then(|| suspension_id.to_string()),
        };
        let Told::Suspended(details) = self.door.suspend(args).await? else {
            // Signals came first, which only a waitpoint that was there first
            // can have.
            let last = self.door.read_suspension().await?;
            let resumed = last.map(Place::after).and_then(|mut place| place.resumed(step));
            return resumed.ok_or_else(|| Halt::Misused(format!("step {step:?} was passed by signals that are gone")));
        };
        if T::TELLS
            && told.is_none()
            && let Some(tell) = tell
        {
            let issued = Issued::all(self.task.claimed.execution_id, details);
            if let Err(error) = tell.tell(issued).await {
                tracing::warn!(execution = %self.task.claimed.execution_id, step, ?error,
                    "nobody could be told of a wait; it begins anew");
                self.door.begin_anew(UNTOLD_PAUSE).await?;
            }
        }
        match self.door.leave().await {}
    }
}

impl std::fmt::Debug for Waits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waits")
            .field("execution", &self.task.claimed.execution_id)
            .field("named", &self.named)
            .finish_non_exhaustive()
    }
}
