//! `deliver_signal`: something reaches a waitpoint.
//!
//! The sender is authenticated before an answer can depend on the waitpoint,
//! its suspension or earlier signals. A signal to a pending waitpoint is kept
//! for the suspension that will use it.

use super::waiting::{BUFFERED_SIGNALS_MAX, close_suspension, let_go_on};
use super::{Decide, text};
use crate::decision::{Context, Rejection};
use crate::error::{ContentionKind, EngineError, StateKind, ValidationKind};
use crate::event::Fact;
use crate::ids::{ExecutionId, SignalId, WaitpointId};
use crate::record::{
    CloseReason, Closed, Execution, INLINE_PAYLOAD_BYTES_MAX, RecordKey, Signal, SignalBytes, SignalDedup,
    SignalDedupKey, SignalKey, SignalPayload, WaitKey, WaitRecord, Waitpoint, WaitpointState, Waits,
};
use crate::state::LifecyclePhase;
use crate::suspension::{COUNTED_IDS_MAX, SignalEffect, check_signal_name};
use crate::time::TimestampMs;
use crate::token::WaitpointToken;
use crate::view::View;
use bytes::Bytes;
use std::sync::Arc;

/// The most a signal's payload may take, in bytes.
pub const SIGNAL_PAYLOAD_BYTES_MAX: usize = 65_536;

/// How long an idempotency key of a signal is remembered by default: a day.
pub const DEFAULT_SIGNAL_DEDUP_TTL_MS: u64 = 86_400_000;

/// How many signals an execution accepts in its life by default.
pub const DEFAULT_MAX_SIGNALS_PER_EXECUTION: u64 = 10_000;

/// How a payload is encoded where the sender says nothing.
pub const DEFAULT_SIGNAL_ENCODING: &str = "json";

/// Refused tokens of one execution leave a mark at most once in this time, so
/// that a flood of them does not buy a flood of commits.
const REFUSAL_STAMP_INTERVAL_MS: u64 = 1_000;

/// Arguments of `deliver_signal`.
///
/// Refused, in this order, with `invalid_input` (texts) and
/// `payload_too_large`, `execution_not_found`, what
/// [`crate::token::Keyring::verify`] says of the token (`invalid_token` as
/// well for a missing waitpoint and for one of another execution; the failure
/// is noted), `target_not_signalable` (ended, or neither suspended nor the
/// waitpoint active), `waitpoint_closed`, `waitpoint_not_found` (no part of
/// the open suspension) and `signal_limit_exceeded`.
#[derive(Clone, Debug)]
pub struct DeliverSignal {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// Which of its waitpoints.
    pub waitpoint_id: WaitpointId,
    /// Minted by the sender.
    pub signal_id: SignalId,
    /// Its name, which matchers look at; at most [`text::KIND_BYTES_MAX`]
    /// bytes, as are the following texts.
    pub signal_name: String,
    /// Its category.
    pub signal_category: String,
    /// The kind of sender.
    pub source_type: String,
    /// The sender.
    pub source_identity: String,
    /// At most [`SIGNAL_PAYLOAD_BYTES_MAX`] bytes, opaque here.
    pub payload: Option<Bytes>,
    /// How the payload is encoded, opaque here.
    pub payload_encoding: String,
    /// The sender's own reference.
    pub correlation_id: Option<String>,
    /// Makes a repeat a duplicate.
    pub idempotency_key: Option<String>,
    /// What the sender aims at, kept and not interpreted.
    pub target_scope: String,
    /// When it was made, as the sender says.
    pub created_at: Option<TimestampMs>,
    /// How long the key is remembered; 0 ignores the key.
    pub dedup_ttl_ms: u64,
    /// How long the execution waits before it may be claimed, if this signal
    /// resumes it; 0 leaves it to the resume policy.
    pub resume_delay_ms: u64,
    /// How many signals the execution accepts in its life; 0 is no limit.
    pub max_signals_per_execution: u64,
    /// Proof that the sender was told of the waitpoint.
    pub waitpoint_token: WaitpointToken,
}

/// Answer of `deliver_signal` and `deliver_approval_signal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalOutcome {
    /// It was accepted.
    Accepted {
        /// The signal.
        signal_id: SignalId,
        /// What it did.
        effect: SignalEffect,
    },
    /// It was accepted before; nothing changed.
    Duplicate {
        /// The signal that was accepted then.
        existing_signal_id: SignalId,
    },
}

impl DeliverSignal {
    const fn key(&self) -> SignalKey {
        SignalKey { waitpoint_id: self.waitpoint_id, signal_id: self.signal_id }
    }

    fn dedup_key(&self) -> Option<SignalDedupKey> {
        let key = self.idempotency_key.as_deref().filter(|key| !key.is_empty() && self.dedup_ttl_ms > 0)?;
        Some(SignalDedupKey { waitpoint_id: self.waitpoint_id, key: key.into() })
    }

    fn check(&self) -> Result<(), EngineError> {
        check_signal_name(&self.signal_name)?;
        text::label("signal_category", &self.signal_category)?;
        text::label("source_type", &self.source_type)?;
        text::label("source_identity", &self.source_identity)?;
        text::label("payload_encoding", &self.payload_encoding)?;
        text::label("target_scope", &self.target_scope)?;
        text::optional(text::label, "correlation_id", self.correlation_id.as_deref())?;
        let size = self.payload.as_ref().map_or(0, Bytes::len);
        if size > SIGNAL_PAYLOAD_BYTES_MAX {
            let detail = format!("{size} bytes, at most {SIGNAL_PAYLOAD_BYTES_MAX}");
            return Err(EngineError::validation(ValidationKind::PayloadTooLarge, detail));
        }
        Ok(())
    }

    /// Checks the token against the waitpoint, if there is one of this
    /// execution. A failure is noted, although the call fails.
    fn authenticate(&self, view: &mut View<'_>, now: TimestampMs) -> Result<Arc<Waitpoint>, Rejection> {
        let waitpoint = view.waitpoint(self.waitpoint_id).filter(|found| found.execution_id == self.execution_id);
        let bound = waitpoint.as_ref().map(|waitpoint| waitpoint.bound());
        let verdict = view.keyring().verify(&self.waitpoint_token, bound.as_ref(), now);
        match (verdict, waitpoint) {
            (Ok(()), Some(waitpoint)) => Ok(waitpoint),
            (Ok(()), None) => Err(EngineError::validation(ValidationKind::InvalidToken, "").into()),
            (Err(error), _) => {
                let mut waits = view.waits(self.execution_id);
                if waits.token_refused_at.is_none_or(|at| now.since(at) >= REFUSAL_STAMP_INTERVAL_MS) {
                    waits.token_refused_at = Some(now);
                    view.put_waits(waits);
                }
                Err(Rejection::keeping(error))
            }
        }
    }

    /// The signal that was accepted before under the same key or id.
    fn known(&self, view: &mut View<'_>, now: TimestampMs) -> Option<SignalId> {
        self.dedup_key()
            .and_then(|key| view.signal_dedup(key, now))
            .map(|dedup| dedup.signal_id)
            .or_else(|| view.signal(self.key()).map(|signal| signal.key.signal_id))
    }

    fn store(&self, view: &mut View<'_>, effect: SignalEffect, now: TimestampMs) {
        let payload = self.payload.as_ref().map(|bytes| {
            if bytes.len() <= INLINE_PAYLOAD_BYTES_MAX {
                return SignalPayload::Inline(bytes.to_vec());
            }
            let stored = SignalBytes { key: self.key(), bytes: bytes.to_vec() };
            view.put_wait(WaitRecord::SignalBytes(Arc::new(stored)));
            SignalPayload::Stored(bytes.len() as u32)
        });
        view.put_wait(WaitRecord::Signal(Arc::new(Signal {
            key: self.key(),
            execution_id: self.execution_id,
            target_scope: self.target_scope.clone(),
            signal_name: self.signal_name.clone(),
            signal_category: self.signal_category.clone(),
            source_type: self.source_type.clone(),
            source_identity: self.source_identity.clone(),
            correlation_id: self.correlation_id.clone(),
            idempotency_key: self.idempotency_key.as_deref().map(Arc::from),
            created_at: self.created_at.unwrap_or(now),
            accepted_at: now,
            payload,
            payload_encoding: self.payload_encoding.clone(),
            observed_effect: effect,
        })));
        if let Some(key) = self.dedup_key() {
            let expires_at = now.plus(self.dedup_ttl_ms);
            view.put_wait(WaitRecord::SignalDedup(Arc::new(SignalDedup {
                key,
                signal_id: self.signal_id,
                expires_at,
            })));
        }
    }

    /// Keeps the signal for the suspension that will use the waitpoint.
    fn buffer(
        &self,
        view: &mut View<'_>,
        mut waits: Waits,
        waitpoint: &Waitpoint,
        now: TimestampMs,
    ) -> Result<SignalEffect, EngineError> {
        self.require_room(&waits)?;
        if waitpoint.buffered.len() >= BUFFERED_SIGNALS_MAX {
            return Err(limit("the pending waitpoint", BUFFERED_SIGNALS_MAX as u64));
        }
        let effect = SignalEffect::BufferedForPendingWaitpoint;
        self.store(view, effect, now);
        let mut waitpoint = waitpoint.clone();
        waitpoint.buffered.push(self.signal_id);
        view.put_waitpoint(waitpoint);
        waits.signal_count += 1;
        view.put_waits(waits);
        Ok(effect)
    }

    /// Lets the signal count for the open suspension.
    fn evaluate(
        &self,
        view: &mut View<'_>,
        execution: &Execution,
        mut waits: Waits,
        waitpoint: &Waitpoint,
        now: TimestampMs,
    ) -> Result<SignalEffect, EngineError> {
        let room = self.require_room(&waits);
        let mut waitpoint = waitpoint.clone();
        let listed = |id| waits.open_waitpoints.contains(&id);
        if waitpoint.state == WaitpointState::Closed {
            return Err(StateKind::WaitpointClosed.into());
        }
        let bound = listed(waitpoint.waitpoint_id);
        let Some(suspension) = waits
            .current
            .as_mut()
            .filter(|open| open.is_open() && bound && Some(open.suspension_id) == waitpoint.suspension_id)
        else {
            return Err(ContentionKind::WaitpointNotFound.into());
        };
        room?;
        if suspension.progress.counted_ids() >= COUNTED_IDS_MAX {
            return Err(limit("the suspension", COUNTED_IDS_MAX as u64));
        }
        let heard = crate::suspension::Heard {
            signal_id: self.signal_id,
            waitpoint_key: &waitpoint.waitpoint_key,
            signal_name: &self.signal_name,
            source_type: &self.source_type,
            source_identity: &self.source_identity,
        };
        let effect = suspension.progress.hear(&suspension.condition, &heard);
        self.store(view, effect, now);
        waitpoint.signal_count += 1;
        waitpoint.matched_signal_count += u64::from(effect.is_match());
        waitpoint.last_signal_at = Some(now);
        let satisfied = effect == SignalEffect::ResumeConditionSatisfied;
        let delay_ms = if self.resume_delay_ms > 0 {
            self.resume_delay_ms
        } else {
            suspension.policy.resume_delay_ms.unwrap_or(0)
        };
        if satisfied {
            waitpoint.satisfied_at = Some(now);
            suspension.satisfied_at = Some(now);
        } else {
            suspension.last_signal_at = Some(now);
        }
        view.put_waitpoint(waitpoint);
        waits.signal_count += 1;
        if satisfied {
            let closed = Closed {
                at: now,
                reason: CloseReason::Resumed,
                closer_signal_id: Some(self.signal_id),
                timeout_signal_id: None,
                resume_trigger: None,
            };
            close_suspension(view, &mut waits, closed);
            let_go_on(view, execution, delay_ms, &format!(" after signal {}", self.signal_name), now);
        }
        view.put_waits(waits);
        view.tell(
            self.execution_id,
            now,
            Fact::SignalDelivered {
                signal_id: self.signal_id,
                waitpoint_id: self.waitpoint_id,
                source_identity: self.source_identity.clone(),
                effect,
            },
        );
        Ok(effect)
    }

    fn require_room(&self, waits: &Waits) -> Result<(), EngineError> {
        let max = self.max_signals_per_execution;
        if max > 0 && waits.signal_count >= max {
            return Err(limit("the execution", max));
        }
        Ok(())
    }

    /// The rule without the checks of texts, for a caller inside the engine.
    pub(super) fn deliver(&self, view: &mut View<'_>, context: &Context) -> Result<SignalOutcome, Rejection> {
        let now = context.now;
        let execution = view.execution(self.execution_id)?;
        let waitpoint = self.authenticate(view, now)?;
        if let Some(existing_signal_id) = self.known(view, now) {
            return Ok(SignalOutcome::Duplicate { existing_signal_id });
        }
        if execution.vector().is_terminal() {
            return Err(StateKind::TargetNotSignalable.into());
        }
        let waits = view.waits(self.execution_id);
        let effect = if waitpoint.state == WaitpointState::Pending {
            self.buffer(view, waits, &waitpoint, now)?
        } else {
            let suspended = execution.vector().lifecycle_phase() == LifecyclePhase::Suspended;
            if !suspended && waitpoint.state != WaitpointState::Active {
                return Err(StateKind::TargetNotSignalable.into());
            }
            self.evaluate(view, &execution, waits, &waitpoint, now)?
        };
        Ok(SignalOutcome::Accepted { signal_id: self.signal_id, effect })
    }
}

fn limit(whose: &str, max: u64) -> EngineError {
    EngineError::validation(ValidationKind::SignalLimitExceeded, format!("{whose} takes at most {max}"))
}

impl Decide for DeliverSignal {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn wait_keys(&self) -> Vec<WaitKey> {
        let mut keys = vec![
            WaitKey::Waits(self.execution_id.uuid()),
            WaitKey::Waitpoint(self.waitpoint_id),
            WaitKey::Signal(self.key()),
            WaitKey::Keyring,
        ];
        keys.extend(self.dedup_key().map(WaitKey::SignalDedup));
        if self.payload.as_ref().is_some_and(|bytes| bytes.len() > INLINE_PAYLOAD_BYTES_MAX) {
            keys.push(WaitKey::SignalBytes(self.key()));
        }
        keys
    }

    fn minted(&self) -> Vec<RecordKey> {
        vec![WaitKey::Signal(self.key()).into()]
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<SignalOutcome, Rejection> {
        self.check()?;
        text::optional(text::label, "idempotency_key", self.idempotency_key.as_deref())?;
        self.deliver(view, context)
    }
}
