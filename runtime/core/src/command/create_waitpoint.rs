//! `create_waitpoint`: make a waitpoint before suspending, so that its token
//! can be handed out first. Signals that come meanwhile are kept.

use super::fencing::{self, FenceTriple, OnLapse, Override, Source};
use super::waiting::OPEN_WAITPOINTS_MAX;
use super::{Decide, text};
use crate::decision::{Context, Rejection};
use crate::error::{ConflictKind, EngineError};
use crate::ids::{AttemptIndex, ExecutionId, WaitpointId};
use crate::record::{RecordKey, WaitKey, Waitpoint, WaitpointState};
use crate::token::{Bound, WaitpointToken};
use crate::view::View;

/// Arguments of `create_waitpoint`.
///
/// Refused, in this order, with `invalid_input` (key), by the validation
/// sequence of writes under a lease, where another attempt is `stale_lease`,
/// with `waitpoint_already_exists`, `invalid_input` (too many open) and
/// `hmac_secret_not_initialized`. Calling again makes another waitpoint, also
/// under the same key.
#[derive(Clone, Debug)]
pub struct CreateWaitpoint {
    /// Which execution.
    pub execution_id: ExecutionId,
    /// Proof of the lease.
    pub fence: FenceTriple,
    /// The attempt the worker's handle names.
    pub attempt_index: Option<AttemptIndex>,
    /// Minted by the caller.
    pub waitpoint_id: WaitpointId,
    /// What conditions will call it; 1 to [`text::KIND_BYTES_MAX`] bytes.
    pub waitpoint_key: String,
    /// How long it stays pending.
    pub expires_in_ms: u64,
}

/// Answer of `create_waitpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingWaitpoint {
    /// The waitpoint.
    pub waitpoint_id: WaitpointId,
    /// What its senders prove themselves with.
    pub hmac_token: WaitpointToken,
}

impl Decide for CreateWaitpoint {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn wait_keys(&self) -> Vec<WaitKey> {
        vec![WaitKey::Waits(self.execution_id.uuid()), WaitKey::Waitpoint(self.waitpoint_id), WaitKey::Keyring]
    }

    fn minted(&self) -> Vec<RecordKey> {
        vec![WaitKey::Waitpoint(self.waitpoint_id).into()]
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<PendingWaitpoint, Rejection> {
        text::name("waitpoint_key", &self.waitpoint_key)?;
        let held = fencing::validate_indexed(
            view,
            context,
            self.execution_id,
            &self.fence,
            self.attempt_index,
            &Source::LeaseHolder,
            Override::Nobody,
            OnLapse::Mark,
        )?;
        if view.waitpoint(self.waitpoint_id).is_some() {
            return Err(ConflictKind::WaitpointAlreadyExists.into());
        }
        let now = context.now;
        let mut waits = view.waits(self.execution_id);
        if waits.open_waitpoints.len() >= OPEN_WAITPOINTS_MAX {
            let detail = format!("waitpoints: {} open, at most {OPEN_WAITPOINTS_MAX}", waits.open_waitpoints.len());
            return Err(EngineError::invalid_input(detail).into());
        }
        let bound = Bound { waitpoint_id: self.waitpoint_id, waitpoint_key: &self.waitpoint_key, created_at: now };
        let token = view.keyring().mint(&bound)?;
        view.put_waitpoint(Waitpoint {
            waitpoint_id: self.waitpoint_id,
            execution_id: self.execution_id,
            attempt_index: held.execution.current_attempt_index(),
            suspension_id: None,
            waitpoint_key: self.waitpoint_key.as_str().into(),
            token: Some(token.clone()),
            state: WaitpointState::Pending,
            created_at: now,
            activated_at: None,
            satisfied_at: None,
            closed_at: None,
            expires_at: Some(now.plus(self.expires_in_ms)),
            close_reason: None,
            signal_count: 0,
            matched_signal_count: 0,
            last_signal_at: None,
            buffered: Vec::new(),
        });
        waits.open_waitpoints.push(self.waitpoint_id);
        waits.expiries.push((self.waitpoint_id, now.plus(self.expires_in_ms)));
        view.put_waits(waits);
        Ok(PendingWaitpoint { waitpoint_id: self.waitpoint_id, hmac_token: token })
    }
}
