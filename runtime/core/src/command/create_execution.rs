//! `create_execution`: a new execution, or the one its idempotency key or id
//! already stands for.

use super::{Decide, text};
use crate::capability::CapabilitySet;
use crate::decision::{Context, Rejection};
use crate::error::{EngineError, ValidationKind};
use crate::ids::{ExecutionId, LaneId, Namespace};
use crate::policy::ExecutionPolicy;
use crate::record::{
    BlobKey, BlobKind, Execution, ExecutionSpec, Idempotency, IdempotencyKey, Lane, Progress, Record, RecordKey,
};
use crate::state::{DelayReason, LaneState, Park, PublicState, StateVector};
use crate::time::TimestampMs;
use crate::view::View;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most a payload or a result may take, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// The highest priority; the lowest is 0.
pub const PRIORITY_MAX: i32 = 9000;

/// How long an idempotency key lasts unless the policy says otherwise: a day.
pub const DEDUP_WINDOW_MS: u64 = 86_400_000;

/// Arguments of `create_execution`.
#[derive(Clone, Debug)]
pub struct CreateExecution {
    /// Names the execution and its partition.
    pub execution_id: ExecutionId,
    /// Keeps tenants apart.
    pub namespace: Namespace,
    /// The queue it stands in.
    pub lane_id: LaneId,
    /// Which handler runs it; 1 to 256 bytes.
    pub execution_kind: Arc<str>,
    /// Opaque bytes, at most [`PAYLOAD_BYTES_MAX`].
    pub input_payload: Bytes,
    /// How the caller encoded the payload, opaque here.
    pub payload_encoding: Option<Arc<str>>,
    /// Higher first; clamped to 0..=9000.
    pub priority: i32,
    /// Who creates it, as the caller says.
    pub creator_identity: Arc<str>,
    /// Repeats with the same key within the window make no second execution.
    /// Empty means none.
    pub idempotency_key: Option<Arc<str>>,
    /// Labels; keys follow the tag grammar.
    pub tags: BTreeMap<String, String>,
    /// The policy as JSON.
    pub policy_json: Option<Bytes>,
    /// Not before this time.
    pub delay_until: Option<TimestampMs>,
    /// Expires then, whatever it does.
    pub execution_deadline_at: Option<TimestampMs>,
}

/// Answer of `create_execution`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// A new execution.
    Created {
        /// Its id.
        execution_id: ExecutionId,
        /// Waiting or delayed.
        public_state: PublicState,
    },
    /// The key or the id already stands for this one; its content was neither
    /// compared nor changed.
    Duplicate {
        /// Its id.
        execution_id: ExecutionId,
    },
}

impl CreateOutcome {
    /// The execution, new or old.
    pub const fn execution_id(&self) -> ExecutionId {
        match self {
            Self::Created { execution_id, .. } | Self::Duplicate { execution_id } => *execution_id,
        }
    }
}

impl CreateExecution {
    fn key(&self) -> Option<IdempotencyKey> {
        self.idempotency_key
            .as_ref()
            .filter(|key| !key.is_empty())
            .map(|key| IdempotencyKey { namespace: self.namespace.clone(), key: key.clone() })
    }

    /// Refuses what `create_execution` refuses whatever the store holds, so
    /// that a create which is written down to be decided later is known to be
    /// well-formed.
    ///
    /// # Errors
    ///
    /// `invalid_input`, `payload_too_large`, `invalid_tag_key`,
    /// `invalid_policy_json`.
    pub fn check(&self) -> Result<(), EngineError> {
        self.validate()?;
        self.policy_json.as_deref().map(ExecutionPolicy::from_json).transpose().map(drop)
    }

    /// Refuses what no store may see: texts that are too long or carry a NUL,
    /// tags outside the grammar, payloads over the limit.
    fn validate(&self) -> Result<(), EngineError> {
        text::name("execution_kind", &self.execution_kind)?;
        text::label("creator_identity", &self.creator_identity)?;
        text::optional(text::label, "payload_encoding", self.payload_encoding.as_deref())?;
        text::optional(text::label, "idempotency_key", self.idempotency_key.as_deref())?;
        if self.input_payload.len() > PAYLOAD_BYTES_MAX {
            return Err(EngineError::validation(
                ValidationKind::PayloadTooLarge,
                format!("payload of {} bytes, at most {PAYLOAD_BYTES_MAX}", self.input_payload.len()),
            ));
        }
        crate::tags::validate_tags(&self.tags)
    }
}

impl Decide for CreateExecution {
    fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    fn further_keys(&self) -> Vec<RecordKey> {
        let mut keys = vec![RecordKey::Lane(self.lane_id.clone())];
        keys.extend(self.key().map(RecordKey::Idempotency));
        keys
    }

    fn minted(&self) -> Vec<RecordKey> {
        vec![RecordKey::Execution(self.execution_id.uuid())]
    }

    fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<CreateOutcome, Rejection> {
        self.validate()?;
        let now = context.now;
        let key = self.key();
        if let Some(known) = key.as_ref().and_then(|key| view.idempotency(key)).filter(|known| now < known.expires_at) {
            return Ok(CreateOutcome::Duplicate { execution_id: known.execution_id });
        }
        if view.find_execution(self.execution_id).is_some() {
            return Ok(CreateOutcome::Duplicate { execution_id: self.execution_id });
        }
        let policy = self.policy_json.as_deref().map(ExecutionPolicy::from_json).transpose()?;
        let lane = view.lane(&self.lane_id);
        if lane.as_ref().is_some_and(|lane| matches!(lane.state, LaneState::Draining | LaneState::Disabled)) {
            return Err(EngineError::invalid_input(format!("lane {}: accepts no submissions", self.lane_id)).into());
        }
        if lane.is_none() {
            view.put(Record::Lane(Arc::new(Lane {
                lane_id: self.lane_id.clone(),
                state: LaneState::Active,
                registered_at: now,
            })));
        }
        let dedup_window_ms = policy.as_ref().and_then(|policy| policy.dedup_window_ms).unwrap_or(DEDUP_WINDOW_MS);
        if let Some(key) = key.filter(|_| dedup_window_ms > 0) {
            view.put(Record::Idempotency(Arc::new(Idempotency {
                key,
                execution_id: self.execution_id,
                expires_at: now.plus(dedup_window_ms),
            })));
        }
        let execution = self.execution(policy, now);
        let public_state = execution.vector().public_state();
        view.put_execution(Arc::new(execution));
        view.put_blob(
            BlobKey { execution: self.execution_id.uuid(), kind: BlobKind::Payload },
            Some(self.input_payload.clone()),
        );
        Ok(CreateOutcome::Created { execution_id: self.execution_id, public_state })
    }
}

impl CreateExecution {
    fn execution(&self, policy: Option<ExecutionPolicy>, now: TimestampMs) -> Execution {
        let delay_until = self
            .delay_until
            .or_else(|| policy.as_ref().and_then(|policy| policy.delay_until))
            .filter(|until| *until > now);
        let deadline_at = self.execution_deadline_at.filter(|at| at.0 != 0).or_else(|| {
            policy
                .as_ref()
                .and_then(|policy| policy.timeout_policy.as_ref())
                .and_then(|timeout| timeout.execution_deadline_ms)
                .filter(|ms| *ms != 0)
                .map(|ms| now.plus(ms))
        });
        let requirements: CapabilitySet = policy
            .as_ref()
            .and_then(|policy| policy.routing_requirements.as_ref())
            .map(|routing| routing.required_capabilities.clone())
            .unwrap_or_default();
        let park = if delay_until.is_some() { Park::Until(DelayReason::Requested) } else { Park::Eligible };
        Execution {
            id: self.execution_id,
            spec: Arc::new(ExecutionSpec {
                namespace: self.namespace.clone(),
                kind: self.execution_kind.clone(),
                creator_identity: self.creator_identity.clone(),
                payload_encoding: self.payload_encoding.clone(),
                policy,
                requirements,
                created_at: now,
            }),
            tags: Arc::new(self.tags.clone()),
            lane_id: self.lane_id.clone(),
            priority: self.priority.clamp(0, PRIORITY_MAX),
            vector: StateVector::created(park),
            flow_id: None,
            blocking_detail: None,
            total_attempt_count: 0,
            attempt: None,
            pending: None,
            lease_epoch: crate::ids::LeaseEpoch::default(),
            lease: None,
            lease_expired_at: None,
            lease_revoked_at: None,
            lease_revoke_reason: None,
            grant: None,
            retry_count: 0,
            replay_count: 0,
            lease_reclaim_count: 0,
            last_transition_at: now,
            last_mutation_at: now,
            started_at: None,
            completed_at: None,
            delay_until,
            blocked_at: None,
            deadline_at,
            attempt_timeout: None,
            progress: Progress::default(),
            failure_reason: None,
            cancellation_reason: None,
            cancelled_by: None,
            last_capability_mismatch_at: None,
            result: None,
            result_encoding: None,
            waits: None,
        }
    }
}
