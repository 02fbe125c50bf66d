//! What is shown of suspensions: to a resumed worker its signals, to people
//! lists without tokens.

use crate::ids::{AttemptIndex, ExecutionId, SignalId, WaitpointId};
use crate::record::{Signal, SignalKey, Suspension, SuspensionReason, Waitpoint, WaitpointState, Waits};
use crate::time::TimestampMs;

/// How many waitpoints a page has by default.
pub const PENDING_WAITPOINTS_DEFAULT: usize = 100;

/// How many waitpoints a page has at most.
pub const PENDING_WAITPOINTS_MAX: usize = 1000;

/// A signal as a resumed worker sees it. Its payload is read beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeSignal {
    /// The signal.
    pub signal_id: SignalId,
    /// Its name.
    pub signal_name: String,
    /// Its category.
    pub signal_category: String,
    /// The kind of sender.
    pub source_type: String,
    /// The sender.
    pub source_identity: String,
    /// The sender's own reference.
    pub correlation_id: Option<String>,
    /// When it was accepted.
    pub accepted_at: TimestampMs,
}

impl From<&Signal> for ResumeSignal {
    fn from(signal: &Signal) -> Self {
        Self {
            signal_id: signal.key.signal_id,
            signal_name: signal.signal_name.clone(),
            signal_category: signal.signal_category.clone(),
            source_type: signal.source_type.clone(),
            source_identity: signal.source_identity.clone(),
            correlation_id: signal.correlation_id.clone(),
            accepted_at: signal.accepted_at,
        }
    }
}

/// `observe_signals`: which signals resumed this attempt, in order. None
/// unless the last suspension was of this attempt and ended with a resume.
pub fn observed_signals(waits: &Waits, attempt_index: AttemptIndex) -> Vec<SignalKey> {
    waits
        .current
        .as_ref()
        .filter(|suspension| suspension.attempt_index == attempt_index)
        .map_or_else(Vec::new, Suspension::observed)
}

/// A waitpoint as people see it. Its token is named, never shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingWaitpointInfo {
    /// The waitpoint.
    pub waitpoint_id: WaitpointId,
    /// What conditions call it.
    pub waitpoint_key: String,
    /// Pending or active.
    pub state: WaitpointState,
    /// The signal names that can count here; empty when any can.
    pub required_signal_names: Vec<String>,
    /// When it was made.
    pub created_at: TimestampMs,
    /// When it became part of a suspension.
    pub activated_at: Option<TimestampMs>,
    /// When it runs out.
    pub expires_at: Option<TimestampMs>,
    /// Whose it is.
    pub execution_id: ExecutionId,
    /// The id of the key its token was minted with.
    pub token_kid: String,
    /// Names the token without giving it away.
    pub token_fingerprint: String,
}

/// A page of a list, and where the next one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The entries, in the order of the list.
    pub entries: Vec<T>,
    /// Give this to continue; none at the end.
    pub next_cursor: Option<C>,
}

fn page<T, C>(mut entries: Vec<T>, limit: usize, cursor: impl Fn(&T) -> C) -> Page<T, C> {
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next_cursor = entries.last().filter(|_| more).map(cursor);
    Page { entries, next_cursor }
}

/// `list_pending_waitpoints`: waitpoints that are pending or active, by id.
/// `limit` is [`PENDING_WAITPOINTS_DEFAULT`] when absent and is kept between 1
/// and [`PENDING_WAITPOINTS_MAX`].
pub fn list_pending_waitpoints<'a>(
    waits: &Waits,
    waitpoints: impl IntoIterator<Item = &'a Waitpoint>,
    after: Option<WaitpointId>,
    limit: Option<usize>,
) -> Page<PendingWaitpointInfo, WaitpointId> {
    let limit = limit.unwrap_or(PENDING_WAITPOINTS_DEFAULT).clamp(1, PENDING_WAITPOINTS_MAX);
    let mut entries: Vec<_> = waitpoints
        .into_iter()
        .filter(|waitpoint| waitpoint.is_open() && waitpoint.execution_id == waits.execution_id)
        .filter(|waitpoint| after.is_none_or(|after| waitpoint.waitpoint_id > after))
        .map(|waitpoint| info(waits, waitpoint))
        .collect();
    entries.sort_unstable_by_key(|entry| entry.waitpoint_id);
    page(entries, limit, |entry| entry.waitpoint_id)
}

fn info(waits: &Waits, waitpoint: &Waitpoint) -> PendingWaitpointInfo {
    let suspension = waits.open().filter(|open| Some(open.suspension_id) == waitpoint.suspension_id);
    let names = suspension.map(|suspension| suspension.condition.required_signal_names(&waitpoint.waitpoint_key));
    let token = waitpoint.token.as_ref();
    PendingWaitpointInfo {
        waitpoint_id: waitpoint.waitpoint_id,
        waitpoint_key: waitpoint.waitpoint_key.to_string(),
        state: waitpoint.state,
        required_signal_names: names.unwrap_or_default(),
        created_at: waitpoint.created_at,
        activated_at: waitpoint.activated_at,
        expires_at: waitpoint.expires_at,
        execution_id: waitpoint.execution_id,
        token_kid: token.map_or_else(String::new, |token| token.kid().to_owned()),
        token_fingerprint: token.map_or_else(String::new, |token| token.fingerprint().to_owned()),
    }
}

/// A suspended execution as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuspendedInfo {
    /// Which one.
    pub execution_id: ExecutionId,
    /// Since when.
    pub suspended_at_ms: TimestampMs,
    /// Why.
    pub reason: SuspensionReason,
}

/// Where a page of `list_suspended` ended. It stays good when the execution
/// it names is suspended no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SuspendedCursor {
    /// Since when the last one shown was suspended.
    pub suspended_at_ms: TimestampMs,
    /// The last one shown.
    pub execution_id: ExecutionId,
}

/// `list_suspended`: suspended executions, the longest suspended first, then
/// by id. A limit of 0 shows none.
pub fn list_suspended<'a>(
    waits: impl IntoIterator<Item = &'a Waits>,
    after: Option<SuspendedCursor>,
    limit: usize,
) -> Page<SuspendedInfo, SuspendedCursor> {
    if limit == 0 {
        return Page { entries: Vec::new(), next_cursor: None };
    }
    let place = |entry: &SuspendedInfo| SuspendedCursor {
        suspended_at_ms: entry.suspended_at_ms,
        execution_id: entry.execution_id,
    };
    let mut entries: Vec<_> = waits
        .into_iter()
        .filter_map(|waits| {
            let open = waits.open()?;
            Some(SuspendedInfo {
                execution_id: waits.execution_id,
                suspended_at_ms: open.created_at,
                reason: open.reason.clone(),
            })
        })
        .filter(|entry| after.is_none_or(|after| place(entry) > after))
        .collect();
    entries.sort_unstable_by_key(place);
    page(entries, limit, place)
}
