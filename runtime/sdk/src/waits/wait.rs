//! What a handler waits for.

use crate::worker::HandlerError;
use leasehold_core::ids::{ExecutionId, WaitpointId};
use leasehold_core::record::{ResumePolicy, SuspendDetails, SuspensionReason, TimeoutBehavior};
use leasehold_core::suspension::{CompositeBody, CountKind, ResumeCondition, SignalMatcher};
use leasehold_core::time::TimestampMs;
use leasehold_core::token::WaitpointToken;
use std::future::Future;
use std::time::Duration;

/// A waitpoint whose senders can be told of it. `Debug` does not show the
/// token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The execution that waits.
    pub execution_id: ExecutionId,
    /// Where signals are sent.
    pub waitpoint_id: WaitpointId,
    /// What the wait calls it.
    pub waitpoint_key: String,
    /// What its senders prove themselves with.
    pub token: WaitpointToken,
}

impl Issued {
    pub(super) fn all(execution_id: ExecutionId, details: SuspendDetails) -> Vec<Self> {
        let all = std::iter::once(details.primary).chain(details.additional_waitpoints);
        let issued = all.map(|issued| Self {
            execution_id,
            waitpoint_id: issued.waitpoint_id,
            waitpoint_key: issued.waitpoint_key.as_ref().to_owned(),
            token: issued.waitpoint_token,
        });
        issued.collect()
    }
}

/// Whoever tells senders of a wait's waitpoints.
pub trait Tell: Send {
    /// Whether there is anything to be done.
    const TELLS: bool;

    /// Tells of all waitpoints of a wait.
    fn tell(self, issued: Vec<Issued>) -> impl Future<Output = Result<(), HandlerError>> + Send;
}

/// Tells nobody: senders come by their tokens in another way.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Tell for Silent {
    const TELLS: bool = false;

    async fn tell(self, _: Vec<Issued>) -> Result<(), HandlerError> {
        Ok(())
    }
}

/// Tells by a function; see [`Wait::telling`].
#[derive(Clone, Copy, Debug)]
pub struct Telling<F>(F);

impl<F, Fut, E> Tell for Telling<F>
where
    F: FnOnce(Vec<Issued>) -> Fut + Send,
    Fut: Future<Output = Result<(), E>> + Send,
    E: Into<HandlerError>,
{
    const TELLS: bool = true;

    fn tell(self, issued: Vec<Issued>) -> impl Future<Output = Result<(), HandlerError>> + Send {
        let told = (self.0)(issued);
        async move { told.await.map_err(Into::into) }
    }
}

/// When a wait is out of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timeout {
    After(Duration),
    At(TimestampMs),
}

impl Timeout {
    pub(super) fn at(self, now: TimestampMs) -> TimestampMs {
        match self {
            Self::After(time) => now.plus(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            Self::At(at) => at,
        }
    }
}

/// What must come.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    /// A signal at the step's own waitpoint.
    Single,
    /// So many different senders at the step's own waitpoint.
    Sources(u32),
    /// Signals at so many of these waitpoints.
    Waitpoints(u32, Vec<String>),
    /// No signal, but the end of time.
    Time,
    /// No signal, but an operator's word.
    Operator,
}

/// What a handler waits for, for how long, and who is told of it.
#[derive(Clone, Debug)]
#[must_use = "a wait does nothing until it is given to Waits"]
pub struct Wait<T = Silent> {
    condition: Condition,
    name: Option<String>,
    reason: SuspensionReason,
    timeout: Option<(Timeout, TimeoutBehavior)>,
    resume_delay_ms: Option<u64>,
    pub(super) tell: T,
}

/// A wait in the terms of the engine.
pub(super) struct Shape {
    /// The keys of its waitpoints, the primary one first.
    pub keys: Vec<String>,
    pub condition: ResumeCondition,
    pub policy: ResumePolicy,
    pub reason: SuspensionReason,
    pub timeout: Option<(Timeout, TimeoutBehavior)>,
}

impl Wait {
    fn new(condition: Condition, reason: SuspensionReason) -> Self {
        Self { condition, name: None, reason, timeout: None, resume_delay_ms: None, tell: Silent }
    }

    /// For one signal at a waitpoint named like the step.
    pub fn signal() -> Self {
        Self::new(Condition::Single, SuspensionReason::WaitingForSignal)
    }

    /// For the answer of another service, at a waitpoint named like the step.
    pub fn callback() -> Self {
        Self::new(Condition::Single, SuspensionReason::WaitingForCallback)
    }

    /// For the first vote of an approver, whatever it says, at a waitpoint
    /// named like the step.
    pub fn approval() -> Self {
        Self::new(Condition::Single, SuspensionReason::WaitingForApproval)
    }

    /// For the votes `approved` of `n` of these approvers. Each has a
    /// waitpoint and a token of their own, so that nobody votes for another;
    /// votes of another name do not count.
    pub fn quorum<K: Into<String>>(n: u32, approvers: impl IntoIterator<Item = K>) -> Self {
        let keys = approvers.into_iter().map(Into::into).collect();
        Self::new(Condition::Waitpoints(n, keys), SuspensionReason::WaitingForApproval).named(super::resumed::APPROVED)
    }

    /// For signals of `n` different senders at one waitpoint named like the
    /// step. A sender is who it says it is, to everybody who has the token.
    pub fn sources(n: u32) -> Self {
        Self::new(Condition::Sources(n), SuspensionReason::WaitingForSignal)
    }

    /// For a signal to any one of these waitpoints.
    pub fn any_of<K: Into<String>>(keys: impl IntoIterator<Item = K>) -> Self {
        Self::some_of(1, keys)
    }

    /// For a signal to each of these waitpoints.
    pub fn all_of<K: Into<String>>(keys: impl IntoIterator<Item = K>) -> Self {
        let keys: Vec<String> = keys.into_iter().map(Into::into).collect();
        Self::some_of(u32::try_from(keys.len()).unwrap_or(u32::MAX), keys)
    }

    /// For a signal to `n` of these waitpoints.
    pub fn some_of<K: Into<String>>(n: u32, keys: impl IntoIterator<Item = K>) -> Self {
        let keys = keys.into_iter().map(Into::into).collect();
        Self::new(Condition::Waitpoints(n, keys), SuspensionReason::WaitingForSignal)
    }

    /// Until a time, which ends it as [`super::How::TimedOut`].
    pub fn until(at: TimestampMs) -> Self {
        let mut wait = Self::new(Condition::Time, SuspensionReason::StepBoundary);
        wait.timeout = Some((Timeout::At(at), TimeoutBehavior::AutoResumeWithTimeoutSignal));
        wait
    }

    /// For a time, which ends it as [`super::How::TimedOut`].
    pub fn pause(time: Duration) -> Self {
        let mut wait = Self::until(TimestampMs(0));
        wait.timeout = Some((Timeout::After(time), TimeoutBehavior::AutoResumeWithTimeoutSignal));
        wait
    }

    /// Until an operator resumes the execution, which ends it as
    /// [`super::How::Overridden`].
    pub fn operator() -> Self {
        Self::new(Condition::Operator, SuspensionReason::WaitingForOperatorReview)
    }

    /// Has a function tell senders of the waitpoints: mail the links, call
    /// the service. It is called once for each wait that begins.
    ///
    /// A wait with one waitpoint calls it before the execution is suspended.
    /// If it fails, nothing is suspended and the wait is [`super::Halt::Untold`];
    /// if the worker dies behind it, whoever reclaims the execution tells
    /// again, of another waitpoint.
    ///
    /// The tokens of several waitpoints exist only with the suspension: the
    /// function is called right after it, while an early answer may have
    /// resumed the execution already. If it fails, the wait begins anew with
    /// other waitpoints after a few seconds; if the worker dies before it has
    /// ended, nobody tells, which is one more reason for a timeout.
    pub fn telling<F, Fut, E>(self, tell: F) -> Wait<Telling<F>>
    where
        F: FnOnce(Vec<Issued>) -> Fut + Send,
        Fut: Future<Output = Result<(), E>> + Send,
        E: Into<HandlerError>,
    {
        let Self { condition, name, reason, timeout, resume_delay_ms, tell: Silent } = self;
        Wait { condition, name, reason, timeout, resume_delay_ms, tell: Telling(tell) }
    }
}

impl<T> Wait<T> {
    /// Only signals of this name count.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Ends the wait after a time, counted from where it begins. What that
    /// does to the execution is up to `behavior`; only
    /// `AutoResumeWithTimeoutSignal` lets the handler go on.
    pub fn timeout(mut self, after: Duration, behavior: TimeoutBehavior) -> Self {
        self.timeout = Some((Timeout::After(after), behavior));
        self
    }

    /// Ends the wait then; see [`Self::timeout`].
    pub fn timeout_at(mut self, at: TimestampMs, behavior: TimeoutBehavior) -> Self {
        self.timeout = Some((Timeout::At(at), behavior));
        self
    }

    /// Says why, for people who look at what is suspended.
    pub fn because(mut self, reason: SuspensionReason) -> Self {
        self.reason = reason;
        self
    }

    /// Lets the execution rest for a while when it is resumed.
    pub fn resume_delay(mut self, delay: Duration) -> Self {
        self.resume_delay_ms = Some(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
        self
    }

    pub(super) fn shape(&self, step: &str) -> Shape {
        let matcher = self.name.clone().map(SignalMatcher::ByName);
        let own = || vec![step.to_owned()];
        let count = |n: u32, count_kind: CountKind, waitpoints: Vec<String>| {
            let body = CompositeBody::Count { n, count_kind, matcher: matcher.clone(), waitpoints };
            ResumeCondition::Composite(body)
        };
        let (keys, condition) = match &self.condition {
            Condition::Single => {
                let matcher = matcher.clone().unwrap_or(SignalMatcher::Wildcard);
                (own(), ResumeCondition::Single { waitpoint_key: step.to_owned(), matcher })
            }
            Condition::Sources(n) => (own(), count(*n, CountKind::DistinctSources, own())),
            Condition::Waitpoints(n, keys) => (keys.clone(), count(*n, CountKind::DistinctWaitpoints, keys.clone())),
            Condition::Time => (own(), ResumeCondition::TimeoutOnly),
            Condition::Operator => (own(), ResumeCondition::OperatorOnly),
        };
        Shape {
            keys,
            condition,
            policy: ResumePolicy { resume_delay_ms: self.resume_delay_ms, ..ResumePolicy::default() },
            reason: self.reason.clone(),
            timeout: self.timeout,
        }
    }
}
