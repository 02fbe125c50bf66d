//! `POST /v1/executions`: a new execution (201), or the one that its
//! idempotency key or id already stands for (200).
//!
//! Without an id one is minted; then only an idempotency key makes a repeat
//! safe, because a repeat mints another id. With a key it is best to send no
//! id: the key alone says where the execution lives, so that a repeat finds
//! it whoever sends it. A given id narrows the search to its own partition.

use crate::api::Api;
use crate::body::{Body, Requested};
use crate::bytes::Base64;
use crate::error::Refusal;
use crate::ids::{self, Placement};
use crate::options::BodyLimits;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use leasehold_contract::{CreateExecution, CreateOutcome};
use leasehold_core::error::{EngineError, ValidationKind};
use leasehold_core::ids::{ExecutionId, LaneId, Namespace};
use leasehold_core::state::PublicState;
use leasehold_core::time::TimestampMs;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// One execution to create.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    execution_id: Option<String>,
    namespace: String,
    lane_id: String,
    execution_kind: String,
    #[serde(default)]
    input_payload: Base64,
    #[serde(default)]
    payload_encoding: Option<String>,
    #[serde(default)]
    priority: i32,
    #[serde(default)]
    creator_identity: String,
    #[serde(default)]
    idempotency_key: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    policy: Option<Value>,
    #[serde(default)]
    delay_until: Option<TimestampMs>,
    #[serde(default)]
    execution_deadline_at: Option<TimestampMs>,
    #[serde(default)]
    partition_id: Option<u16>,
}

impl Requested for Request {
    fn limit(limits: &BodyLimits) -> usize {
        limits.create
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Answer {
    /// A new execution.
    Created { execution_id: ExecutionId, public_state: PublicState },
    /// It existed.
    Duplicate { execution_id: ExecutionId },
}

impl From<CreateOutcome> for Answer {
    fn from(outcome: CreateOutcome) -> Self {
        match outcome {
            CreateOutcome::Created { execution_id, public_state } => Self::Created { execution_id, public_state },
            CreateOutcome::Duplicate { execution_id } => Self::Duplicate { execution_id },
        }
    }
}

impl Request {
    /// The command, with an id of its own if the caller gave none.
    pub async fn command(self, api: &Api) -> Result<CreateExecution, Refusal> {
        let namespace: Namespace = ids::parse("namespace", &self.namespace)?;
        let lane_id: LaneId = ids::parse("lane_id", &self.lane_id)?;
        let input_payload = self.input_payload.decoded("input_payload")?;
        let execution_id = api
            .place(Placement {
                execution_id: self.execution_id.as_deref(),
                partition_id: self.partition_id,
                namespace: &namespace,
                idempotency_key: self.idempotency_key.as_deref(),
            })
            .await?;
        Ok(CreateExecution {
            execution_id,
            namespace,
            lane_id,
            execution_kind: self.execution_kind.into(),
            input_payload,
            payload_encoding: self.payload_encoding.map(Into::into),
            priority: self.priority,
            creator_identity: self.creator_identity.into(),
            idempotency_key: self.idempotency_key.map(Into::into),
            tags: self.tags,
            policy_json: self.policy.as_ref().map(policy_json).transpose()?,
            delay_until: self.delay_until,
            execution_deadline_at: self.execution_deadline_at,
        })
    }
}

/// A policy as the engine takes it.
pub(crate) fn policy_json(policy: &Value) -> Result<Bytes, Refusal> {
    // A value that was read from JSON can be written as JSON.
    let malformed = |_| EngineError::validation(ValidationKind::InvalidPolicyJson, "malformed");
    Ok(Bytes::from(serde_json::to_vec(policy).map_err(malformed)?))
}

pub(crate) async fn handle(
    State(api): State<Api>,
    Body(request): Body<Request>,
) -> Result<(StatusCode, Json<Answer>), Refusal> {
    let command = request.command(&api).await?;
    let outcome = api.engine.create_execution(command).await?;
    let status = match outcome {
        CreateOutcome::Created { .. } => StatusCode::CREATED,
        CreateOutcome::Duplicate { .. } => StatusCode::OK,
    };
    Ok((status, Json(outcome.into())))
}

#[cfg(test)]
mod tests;
