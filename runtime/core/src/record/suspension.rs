//! A suspension, and what one execution waits for and has received.

use super::signal::SignalKey;
use crate::ids::{AttemptIndex, ExecutionId, SignalId, SuspensionId, WaitpointId};
use crate::state::{SuspendedFor, wire_enum};
use crate::suspension::{Progress, ResumeCondition};
use crate::time::TimestampMs;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Why an execution is suspended, as its worker says.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum SuspensionReason {
    /// It needs a signal.
    WaitingForSignal,
    /// It needs an approval.
    WaitingForApproval,
    /// It needs a callback.
    WaitingForCallback,
    /// It needs a tool's result.
    WaitingForToolResult,
    /// An operator shall look at it.
    WaitingForOperatorReview,
    /// Somebody paused it.
    ManualPause,
    /// A policy paused it.
    PausedByPolicy,
    /// A budget paused it.
    PausedByBudget,
    /// A step of its work ends here.
    StepBoundary,
    /// Anything else, in the caller's words.
    Other(String),
}

impl SuspensionReason {
    const NAMED: [Self; 9] = [
        Self::WaitingForSignal,
        Self::WaitingForApproval,
        Self::WaitingForCallback,
        Self::WaitingForToolResult,
        Self::WaitingForOperatorReview,
        Self::ManualPause,
        Self::PausedByPolicy,
        Self::PausedByBudget,
        Self::StepBoundary,
    ];

    /// The wire spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::WaitingForSignal => "waiting_for_signal",
            Self::WaitingForApproval => "waiting_for_approval",
            Self::WaitingForCallback => "waiting_for_callback",
            Self::WaitingForToolResult => "waiting_for_tool_result",
            Self::WaitingForOperatorReview => "waiting_for_operator_review",
            Self::ManualPause => "manual_pause",
            Self::PausedByPolicy => "paused_by_policy",
            Self::PausedByBudget => "paused_by_budget",
            Self::StepBoundary => "step_boundary",
            Self::Other(text) => text,
        }
    }

    /// Reads the wire spelling; other texts are kept as they are.
    pub fn parse(text: &str) -> Self {
        Self::NAMED.into_iter().find(|reason| reason.as_str() == text).unwrap_or_else(|| Self::Other(text.to_owned()))
    }

    /// What the state vector says meanwhile.
    pub const fn suspended_for(&self) -> SuspendedFor {
        match self {
            Self::WaitingForSignal | Self::StepBoundary | Self::Other(_) => SuspendedFor::Signal,
            Self::WaitingForApproval => SuspendedFor::Approval,
            Self::WaitingForCallback => SuspendedFor::Callback,
            Self::WaitingForToolResult => SuspendedFor::ToolResult,
            Self::WaitingForOperatorReview | Self::ManualPause => SuspendedFor::Operator,
            Self::PausedByPolicy => SuspendedFor::Policy,
            Self::PausedByBudget => SuspendedFor::Budget,
        }
    }
}

impl fmt::Display for SuspensionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

wire_enum!(
    /// Who asked for a suspension.
    Requester {
        /// The worker.
        Worker = "worker",
        /// An operator.
        Operator = "operator",
        /// A policy.
        Policy = "policy",
        /// A timeout.
        SystemTimeoutPolicy = "system_timeout_policy",
    }
);

wire_enum!(
    /// What a deadline does to a suspended execution.
    TimeoutBehavior {
        /// It fails.
        Fail = "fail",
        /// It is cancelled.
        Cancel = "cancel",
        /// It expires.
        Expire = "expire",
        /// It goes on, with a signal that says so.
        AutoResumeWithTimeoutSignal = "auto_resume_with_timeout_signal",
        /// It stays suspended, for an operator to look at.
        Escalate = "escalate",
    }
);

impl TimeoutBehavior {
    /// Reads what a caller wrote: the wire spelling, or `auto_resume`.
    pub fn read(text: &str) -> Option<Self> {
        if text == "auto_resume" { Some(Self::AutoResumeWithTimeoutSignal) } else { Self::parse(text) }
    }
}

wire_enum!(
    /// What made a suspended execution go on without its condition.
    ResumeTrigger {
        /// Somebody on behalf of a signal.
        Signal = "signal",
        /// An operator.
        Operator = "operator",
        /// A rule of the engine.
        AutoResume = "auto_resume",
    }
);

wire_enum!(
    /// Where a resumed execution goes.
    ResumeTarget {
        /// Into the queue.
        Runnable = "runnable",
    }
);

wire_enum!(
    /// Why a suspension or a waitpoint was closed.
    CloseReason {
        /// The execution goes on.
        Resumed = "resumed",
        /// The deadline failed it.
        TimedOutFail = "timed_out_fail",
        /// The deadline cancelled it.
        TimedOutCancel = "timed_out_cancel",
        /// The deadline expired it.
        TimedOutExpire = "timed_out_expire",
        /// The deadline resumed it.
        TimedOutAutoResume = "timed_out_auto_resume",
        /// The execution was cancelled or skipped.
        Cancelled = "cancelled",
        /// The execution ran into its deadline.
        ExecutionDeadline = "expired:execution_deadline",
        /// The attempt ran into its timeout.
        AttemptTimeout = "expired:attempt_timeout",
        /// A pending waitpoint was never used and ran out.
        NeverCommitted = "never_committed",
        /// A pending waitpoint was given up.
        ProactiveClose = "proactive_close",
    }
);

/// How a suspended execution goes on. Only the delay has an effect; the rest
/// is kept and given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(default)]
pub struct ResumePolicy {
    /// Where it goes.
    pub resume_target: ResumeTarget,
    /// Kept for the caller.
    pub consume_matched_signals: bool,
    /// Kept for the caller.
    pub retain_signal_buffer_until_closed: bool,
    /// How long it waits before it may be claimed, where the signal that
    /// resumes it says nothing.
    pub resume_delay_ms: Option<u64>,
    /// Kept for the caller.
    pub close_waitpoint_on_resume: bool,
}

impl Default for ResumePolicy {
    fn default() -> Self {
        Self {
            resume_target: ResumeTarget::Runnable,
            consume_matched_signals: true,
            retain_signal_buffer_until_closed: false,
            resume_delay_ms: None,
            close_waitpoint_on_resume: true,
        }
    }
}

/// A waitpoint of a suspension.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct BoundWaitpoint {
    /// Which one.
    pub waitpoint_id: WaitpointId,
    /// What the condition calls it.
    pub waitpoint_key: Arc<str>,
}

/// When a suspension is out of time, and what happens then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct SuspensionTimeout {
    /// When.
    pub at: TimestampMs,
    /// What.
    pub behavior: TimeoutBehavior,
}

/// How many signals a pending waitpoint brought into its suspension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct BufferedSummary {
    /// All of them.
    pub signals: u32,
    /// Those that matched.
    pub matched: u32,
}

/// How a suspension ended.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Closed {
    /// When.
    pub at: TimestampMs,
    /// Why.
    pub reason: CloseReason,
    /// The signal that satisfied the condition.
    pub closer_signal_id: Option<SignalId>,
    /// The signal that the deadline left.
    pub timeout_signal_id: Option<SignalId>,
    /// What resumed it without its condition.
    pub resume_trigger: Option<ResumeTrigger>,
}

/// One pause of an execution.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Suspension {
    /// Its identity.
    pub suspension_id: SuspensionId,
    /// The attempt that is paused.
    pub attempt_index: AttemptIndex,
    /// The primary waitpoint, then the others.
    pub waitpoints: Vec<BoundWaitpoint>,
    /// Why.
    pub reason: SuspensionReason,
    /// Who asked.
    pub requested_by: Requester,
    /// Since when.
    pub created_at: TimestampMs,
    /// Its deadline.
    pub timeout: Option<SuspensionTimeout>,
    /// What must come.
    pub condition: Arc<ResumeCondition>,
    /// How far that has come.
    pub progress: Progress,
    /// How it goes on.
    pub policy: Arc<ResumePolicy>,
    /// The worker's own note on where to go on, opaque here.
    pub continuation_metadata_pointer: Option<Arc<str>>,
    /// What its pending waitpoint brought.
    pub buffered: BufferedSummary,
    /// The last signal that did not resume it.
    pub last_signal_at: Option<TimestampMs>,
    /// When the condition was satisfied.
    pub satisfied_at: Option<TimestampMs>,
    /// How it ended.
    pub closed: Option<Closed>,
}

impl Suspension {
    /// Whether it goes on.
    pub const fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// The first of its waitpoints.
    pub fn primary(&self) -> Option<&BoundWaitpoint> {
        self.waitpoints.first()
    }

    /// The signals that a resumed worker is shown, in order: what brought the
    /// condition further, and what the deadline left. None unless the
    /// suspension ended with a resume.
    pub fn observed(&self) -> Vec<SignalKey> {
        let Some(Closed { reason: CloseReason::Resumed | CloseReason::TimedOutAutoResume, timeout_signal_id, .. }) =
            &self.closed
        else {
            return Vec::new();
        };
        let satisfiers = self.progress.satisfiers().iter().filter_map(|satisfier| {
            let key = satisfier.waitpoint_key(&self.condition)?;
            let bound = self.waitpoints.iter().find(|bound| *bound.waitpoint_key == *key)?;
            Some(SignalKey { waitpoint_id: bound.waitpoint_id, signal_id: satisfier.signal_id })
        });
        let left = timeout_signal_id
            .and_then(|signal_id| Some(SignalKey { waitpoint_id: self.primary()?.waitpoint_id, signal_id }));
        satisfiers.chain(left).collect()
    }
}

/// The entry of a suspended execution in the list of them. It exists exactly
/// while the suspension is open.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Suspended {
    /// Since when.
    pub since: TimestampMs,
    /// The execution.
    pub execution_id: ExecutionId,
    /// Why.
    pub reason: SuspensionReason,
}

/// What one execution waits for, and what it has received.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Waits {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Its suspension: the open one, or the last that was closed.
    pub current: Option<Suspension>,
    /// Its waitpoints that are pending or active.
    pub open_waitpoints: Vec<WaitpointId>,
    /// When those of them that are pending run out.
    pub expiries: Vec<(WaitpointId, TimestampMs)>,
    /// Signals ever accepted for it.
    pub signal_count: u64,
    /// When a token was last refused.
    pub token_refused_at: Option<TimestampMs>,
}

impl Waits {
    /// Of an execution that waits for nothing yet.
    pub const fn new(execution_id: ExecutionId) -> Self {
        Self {
            execution_id,
            current: None,
            open_waitpoints: Vec::new(),
            expiries: Vec::new(),
            signal_count: 0,
            token_refused_at: None,
        }
    }

    /// The suspension, while it goes on.
    pub fn open(&self) -> Option<&Suspension> {
        self.current.as_ref().filter(|suspension| suspension.is_open())
    }

    /// When the next of its deadlines acts: that of the open suspension, or
    /// the expiry of a pending waitpoint.
    pub fn due_at(&self) -> Option<TimestampMs> {
        let suspension = self.open().and_then(|suspension| suspension.timeout).map(|timeout| timeout.at);
        self.expiries.iter().map(|(_, at)| *at).chain(suspension).min()
    }
}

/// What an execution carries of its [`Waits`], so that one that never waited
/// is decided without looking for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct WaitsMark {
    /// [`Waits::due_at`].
    pub due_at: Option<TimestampMs>,
}
