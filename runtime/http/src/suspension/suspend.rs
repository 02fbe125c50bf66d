//! `POST /v1/executions/{execution_id}/suspend`: give the lease back until a
//! condition is met. Identifiers and the keys of fresh waitpoints are minted
//! where they are left out; an idempotency key makes a repeat answer what the
//! first call answered.

use super::unstored;
use crate::api::Api;
use crate::body::{Body, Requested};
use crate::bytes::Base64;
use crate::error::Refusal;
use crate::ids;
use crate::lease::{Fence, Proof};
use crate::path::Target;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use leasehold_contract::{SuspendArgs, SuspendOutcome};
use leasehold_core::handle::HandleKind;
use leasehold_core::ids::{SuspensionId, WaitpointId};
use leasehold_core::record::{
    IssuedWaitpoint, Requester, ResumePolicy, SuspendDetails, SuspensionReason, TimeoutBehavior,
};
use leasehold_core::suspension::{ResumeCondition, WaitpointBinding};
use leasehold_core::time::TimestampMs;
use leasehold_core::token::WaitpointToken;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Binding {
    Fresh {
        #[serde(default)]
        waitpoint_id: Option<String>,
        #[serde(default)]
        waitpoint_key: Option<String>,
    },
    UsePending {
        waitpoint_id: String,
    },
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    handle: Option<Base64>,
    #[serde(default)]
    fence: Option<Fence>,
    #[serde(default)]
    suspension_id: Option<String>,
    waitpoints: Vec<Binding>,
    resume_condition: ResumeCondition,
    #[serde(default)]
    resume_policy: ResumePolicy,
    #[serde(default)]
    reason_code: Option<String>,
    #[serde(default)]
    requested_by: Option<String>,
    #[serde(default)]
    timeout_at: Option<TimestampMs>,
    #[serde(default)]
    timeout_behavior: Option<String>,
    #[serde(default)]
    continuation_metadata_pointer: Option<String>,
    #[serde(default)]
    idempotency_key: Option<String>,
}

impl Requested for Request {}

/// A waitpoint with its token.
#[derive(Clone, Debug, Serialize)]
struct Issued {
    waitpoint_id: WaitpointId,
    waitpoint_key: String,
    waitpoint_token: WaitpointToken,
}

impl From<IssuedWaitpoint> for Issued {
    fn from(issued: IssuedWaitpoint) -> Self {
        Self {
            waitpoint_id: issued.waitpoint_id,
            waitpoint_key: issued.waitpoint_key.to_string(),
            waitpoint_token: issued.waitpoint_token,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct Details {
    suspension_id: SuspensionId,
    #[serde(flatten)]
    primary: Issued,
    additional_waitpoints: Vec<Issued>,
}

impl From<SuspendDetails> for Details {
    fn from(details: SuspendDetails) -> Self {
        Self {
            suspension_id: details.suspension_id,
            primary: details.primary.into(),
            additional_waitpoints: details.additional_waitpoints.into_iter().map(Into::into).collect(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
enum Answer {
    Suspended {
        #[serde(flatten)]
        details: Details,
        handle: Base64,
        kind: HandleKind,
    },
    AlreadySatisfied {
        #[serde(flatten)]
        details: Details,
    },
}

impl From<SuspendOutcome> for Answer {
    fn from(outcome: SuspendOutcome) -> Self {
        match outcome {
            SuspendOutcome::Suspended { details, handle } => {
                Self::Suspended { details: details.into(), kind: handle.kind, handle: handle.opaque.into() }
            }
            SuspendOutcome::AlreadySatisfied { details } => Self::AlreadySatisfied { details: details.into() },
        }
    }
}

fn binding(api: &Api, binding: Binding) -> Result<WaitpointBinding, Refusal> {
    match binding {
        Binding::Fresh { waitpoint_id, waitpoint_key } => {
            let given = ids::parse_optional("waitpoint_id", waitpoint_id.as_deref())?;
            let waitpoint_key = waitpoint_key.unwrap_or_else(|| format!("wpk:{}", api.entropy.uuid()));
            Ok(WaitpointBinding::Fresh {
                waitpoint_id: given.unwrap_or_else(|| api.entropy.uuid().into()),
                waitpoint_key,
            })
        }
        Binding::UsePending { waitpoint_id } => {
            Ok(WaitpointBinding::UsePending { waitpoint_id: ids::parse("waitpoint_id", &waitpoint_id)? })
        }
    }
}

/// Reads a word out of a list of them.
fn word<T>(field: &str, given: Option<&str>, read: fn(&str) -> Option<T>, default: T) -> Result<T, Refusal> {
    let unknown = |text: &str| Refusal::invalid_input(format!("{field}: {} is none", text.escape_debug()));
    given.map_or(Ok(default), |text| read(text).ok_or_else(|| unknown(text)))
}

async fn args(api: &Api, request: Request) -> Result<SuspendArgs, Refusal> {
    let suspension_id = ids::parse_optional("suspension_id", request.suspension_id.as_deref())?;
    let waitpoints = request.waitpoints.into_iter().map(|given| binding(api, given));
    Ok(SuspendArgs {
        suspension_id: suspension_id.unwrap_or_else(|| api.entropy.uuid().into()),
        waitpoints: waitpoints.collect::<Result<_, _>>()?,
        resume_condition: request.resume_condition,
        resume_policy: request.resume_policy,
        reason_code: SuspensionReason::parse(request.reason_code.as_deref().unwrap_or("waiting_for_signal")),
        requested_by: word("requested_by", request.requested_by.as_deref(), Requester::parse, Requester::Worker)?,
        timeout_at: request.timeout_at,
        timeout_behavior: word(
            "timeout_behavior",
            request.timeout_behavior.as_deref(),
            TimeoutBehavior::read,
            TimeoutBehavior::Fail,
        )?,
        continuation_metadata_pointer: request.continuation_metadata_pointer,
        now: api.engine.server_time_ms().await?,
        idempotency_key: request.idempotency_key,
    })
}

pub(crate) async fn handle(
    State(api): State<Api>,
    target: Target,
    Body(mut request): Body<Request>,
) -> Result<Response, Refusal> {
    let execution_id = target.agreeing(request.execution_id.as_deref())?;
    let proof = api.proof(execution_id, request.handle.take(), request.fence.take().as_ref())?;
    let args = args(&api, request).await?;
    let outcome = match proof {
        Proof::Handle(held) => api.engine.suspend(&held.handle, args).await?,
        Proof::Fence(fence) => api.engine.suspend_by_triple(execution_id, fence, args).await?,
    };
    Ok(unstored(StatusCode::OK, Answer::from(outcome)))
}

#[cfg(test)]
mod tests;
