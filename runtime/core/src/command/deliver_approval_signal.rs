//! `deliver_approval_signal`: a signal on behalf of somebody whom the caller
//! has authenticated. The token is read here and never leaves.

use super::deliver_signal::{DEFAULT_SIGNAL_ENCODING, DeliverSignal, SignalOutcome};
use super::{Decide, text};
use crate::decision::{Context, Rejection};
use crate::error::{EngineError, Entity};
use crate::ids::{ExecutionId, LaneId, SignalId, WaitpointId};
use crate::record::{SignalDedupKey, SignalKey, WaitKey};
use crate::suspension::check_signal_name;
use crate::token::WaitpointToken;
use crate::view::View;

/// Arguments of `deliver_approval_signal`.
///
/// Refused, in this order, with `invalid_input` (texts),
/// `execution_not_found`, `waitpoint_not_found` (no token is stored),
/// `invalid_input` (another lane) and as `deliver_signal` is.
#[derive(Clone, Debug)]
pub struct DeliverApprovalSignal {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// The lane it must stand in.
    pub lane_id: LaneId,
    /// Which of its waitpoints.
    pub waitpoint_id: WaitpointId,
    /// Minted by the caller.
    pub signal_id: SignalId,
    /// By convention `approved` or `rejected`; at most
    /// [`text::KIND_BYTES_MAX`] bytes, as is the suffix.
    pub signal_name: String,
    /// With the name, makes a repeat a duplicate. Both answers may be given
    /// under the same suffix.
    pub idempotency_suffix: String,
    /// How long the key is remembered; 0 ignores it.
    pub signal_dedup_ttl_ms: u64,
    /// How many signals the execution accepts in its life; 0 is no limit.
    pub max_signals_per_execution: u64,
}

impl DeliverApprovalSignal {
    fn idempotency_key(&self) -> String {
        format!("approval:{}:{}", self.signal_name, self.idempotency_suffix)
    }

    fn signal(&self, waitpoint_token: WaitpointToken) -> DeliverSignal {
        DeliverSignal {
            execution_id: self.execution_id,
            waitpoint_id: self.waitpoint_id,
            signal_id: self.signal_id,
            signal_name: self.signal_name.clone(),
            signal_category: "approval".to_owned(),
            source_type: "operator".to_owned(),
            source_identity: String::new(),
            payload: None,
            payload_encoding: DEFAULT_SIGNAL_ENCODING.to_owned(),
            correlation_id: None,
            idempotency_key: Some(self.idempotency_key()),
            target_scope: "execution".to_owned(),
            created_at: None,
            dedup_ttl_ms: self.signal_dedup_ttl_ms,
            resume_delay_ms: 0,
            max_signals_per_execution: self.max_signals_per_execution,
            waitpoint_token,
        }
    }
}

impl Decide for DeliverApprovalSignal {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn wait_keys(&self) -> Vec<WaitKey> {
        let waitpoint_id = self.waitpoint_id;
        vec![
            WaitKey::Waits(self.execution_id.uuid()),
            WaitKey::Waitpoint(waitpoint_id),
            WaitKey::Signal(SignalKey { waitpoint_id, signal_id: self.signal_id }),
            WaitKey::SignalDedup(SignalDedupKey { waitpoint_id, key: self.idempotency_key().into() }),
            WaitKey::Keyring,
        ]
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<SignalOutcome, Rejection> {
        check_signal_name(&self.signal_name)?;
        text::label("idempotency_suffix", &self.idempotency_suffix)?;
        let execution = view.execution(self.execution_id)?;
        let token = view
            .waitpoint(self.waitpoint_id)
            .and_then(|waitpoint| waitpoint.token.clone())
            .ok_or_else(|| EngineError::not_found(Entity::Waitpoint))?;
        if execution.lane_id != self.lane_id {
            let detail =
                format!("lane_mismatch: args.lane_id={} exec_core.lane_id={}", self.lane_id, execution.lane_id);
            return Err(EngineError::invalid_input(detail).into());
        }
        self.signal(token).deliver(view, context)
    }
}
