//! Suspending executions, sending them signals, and the key ring.

pub(crate) mod close_waitpoint;
pub(crate) mod create_waitpoint;
pub(crate) mod deliver_approval_signal;
pub(crate) mod deliver_signal;
pub(crate) mod expire_suspension;
pub(crate) mod list_pending_waitpoints;
pub(crate) mod list_suspended;
pub(crate) mod list_waitpoint_hmac_kids;
pub(crate) mod observe_signals;
pub(crate) mod read_suspension;
pub(crate) mod read_waitpoint_token;
pub(crate) mod resume_execution;
pub(crate) mod rotate_waitpoint_hmac_secret_all;
pub(crate) mod seed_waitpoint_hmac_secret;
pub(crate) mod suspend;

use crate::api::Api;
use crate::error::Refusal;
use crate::lease::Proof;
use axum::Json;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use leasehold_core::handle::{Handle, HandleKind};
use leasehold_core::ids::ExecutionId;
use leasehold_core::token::SecretHex;
use serde::{Deserialize, Deserializer, Serialize};

/// An answer that carries a token: nobody on the way may keep it.
fn unstored(status: StatusCode, answer: impl Serialize) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

/// Reads a secret so that no request shows it.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretHex, D::Error> {
    String::deserialize(deserializer).map(SecretHex::new)
}

impl Api {
    /// A handle for operations that look at the attempt as well. A fence does
    /// not tell its number, so the current one is asked for; the fence itself
    /// names the attempt by its id.
    async fn handle_of_attempt(&self, target: ExecutionId, proof: Proof) -> Result<Handle, Refusal> {
        let by_fence = matches!(proof, Proof::Fence(_));
        let handle = self.handle_of(target, proof)?;
        if !by_fence {
            return Ok(handle);
        }
        let mut payload = handle.decode(self.tag())?;
        payload.attempt_index = self.engine.read_current_attempt_index(target).await?;
        Ok(Handle::encode(self.tag(), HandleKind::Fresh, &payload))
    }
}
