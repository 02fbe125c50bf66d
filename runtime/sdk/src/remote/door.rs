//! A wait's way to the engine, from a remote worker.

use super::http::RemoteError;
use super::lease::{RemoteLease, bytes};
use crate::waits::{Door, Halt, Told};
use async_trait::async_trait;
use bytes::Bytes;
use leasehold_contract::{ClosedView, KeyedSignal, PendingWaitpoint, ResumeSignal, SuspendArgs, SuspensionView};
use leasehold_core::ids::{AttemptIndex, SignalId, SuspensionId, WaitpointId};
use leasehold_core::record::{
    CloseReason, IssuedWaitpoint, Requester, ResumeTrigger, SuspendDetails, SuspensionReason,
};
use leasehold_core::state::AttemptType;
use leasehold_core::time::TimestampMs;
use leasehold_core::token::WaitpointToken;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The server, by HTTP.
pub(super) struct Remote(pub Arc<RemoteLease>);

fn halt(error: RemoteError) -> Halt {
    let message = error.to_string();
    if error.means_ended() {
        Halt::Ended(message)
    } else if error.means_lost() {
        Halt::LeaseLost(message)
    } else {
        Halt::Refused { message, retryable: error.is_retryable() }
    }
}

fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Halt> {
    serde_json::from_value(answer).map_err(|error| halt(RemoteError::Garbled(error.to_string())))
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[derive(Deserialize)]
struct Time {
    server_time_ms: TimestampMs,
}

#[derive(Deserialize)]
struct Signal {
    waitpoint_key: String,
    signal_id: SignalId,
    signal_name: String,
    signal_category: String,
    source_type: String,
    source_identity: String,
    #[serde(default)]
    correlation_id: Option<String>,
    accepted_at: TimestampMs,
    #[serde(default)]
    payload: Option<Payload>,
}

#[derive(Deserialize)]
struct Payload(#[serde(deserialize_with = "bytes")] Bytes);

#[derive(Deserialize)]
struct Closed {
    at: TimestampMs,
    reason: CloseReason,
    #[serde(default)]
    resume_trigger: Option<ResumeTrigger>,
}

/// What a wait looks at of a suspension.
#[derive(Deserialize)]
struct Last {
    suspension_id: SuspensionId,
    attempt_index: AttemptIndex,
    reason_code: String,
    requested_by: Requester,
    created_at: TimestampMs,
    #[serde(default)]
    continuation_metadata_pointer: Option<String>,
    #[serde(default)]
    satisfied_at: Option<TimestampMs>,
    #[serde(default)]
    closed: Option<Closed>,
    signals: Vec<Signal>,
}

impl From<Last> for SuspensionView {
    fn from(last: Last) -> Self {
        let signals = last.signals.into_iter().map(|signal| KeyedSignal {
            waitpoint_key: signal.waitpoint_key,
            signal: ResumeSignal {
                signal_id: signal.signal_id,
                signal_name: signal.signal_name,
                signal_category: signal.signal_category,
                source_type: signal.source_type,
                source_identity: signal.source_identity,
                correlation_id: signal.correlation_id,
                accepted_at: signal.accepted_at,
                payload: signal.payload.map(|payload| payload.0),
            },
        });
        Self {
            suspension_id: last.suspension_id,
            attempt_index: last.attempt_index,
            reason: SuspensionReason::parse(&last.reason_code),
            requested_by: last.requested_by,
            created_at: last.created_at,
            timeout: None,
            continuation_metadata_pointer: last.continuation_metadata_pointer,
            satisfied_at: last.satisfied_at,
            closed: last.closed.map(|closed| ClosedView {
                at: closed.at,
                reason: closed.reason,
                resume_trigger: closed.resume_trigger,
            }),
            signals: signals.collect(),
        }
    }
}

#[derive(Deserialize)]
struct Attempts {
    attempts: Vec<Attempt>,
    #[serde(default)]
    next_cursor: Option<AttemptIndex>,
}

#[derive(Deserialize)]
struct Attempt {
    attempt_index: AttemptIndex,
    attempt_type: AttemptType,
}

#[derive(Deserialize)]
enum Pending {
    Created { waitpoint_id: WaitpointId, waitpoint_token: String },
}

#[derive(Deserialize)]
struct Issued {
    waitpoint_id: WaitpointId,
    waitpoint_key: String,
    waitpoint_token: String,
}

impl From<Issued> for IssuedWaitpoint {
    fn from(issued: Issued) -> Self {
        Self {
            waitpoint_id: issued.waitpoint_id,
            waitpoint_key: issued.waitpoint_key.into(),
            waitpoint_token: WaitpointToken::new(issued.waitpoint_token),
        }
    }
}

#[derive(Deserialize)]
struct Details {
    suspension_id: SuspensionId,
    #[serde(flatten)]
    primary: Issued,
    additional_waitpoints: Vec<Issued>,
}

#[derive(Deserialize)]
enum Suspended {
    Suspended(Details),
}

/// A suspension as the server reads it.
pub(super) fn suspend_body(args: &SuspendArgs) -> Value {
    json!({
        "suspension_id": args.suspension_id,
        "waitpoints": args.waitpoints,
        "resume_condition": args.resume_condition,
        "resume_policy": args.resume_policy,
        "reason_code": args.reason_code.as_str(),
        "requested_by": args.requested_by.as_str(),
        "timeout_at": args.timeout_at,
        "timeout_behavior": args.timeout_behavior.as_str(),
        "continuation_metadata_pointer": args.continuation_metadata_pointer,
        "idempotency_key": args.idempotency_key,
    })
}

/// Whether an answer to a suspension says that the lease is kept.
pub(super) fn is_satisfied(answer: &Value) -> bool {
    answer.get("AlreadySatisfied").is_some()
}

#[async_trait]
impl Door for Remote {
    async fn now(&self) -> Result<TimestampMs, Halt> {
        Ok(read::<Time>(self.0.time().await.map_err(halt)?)?.server_time_ms)
    }

    fn uuid(&self) -> Uuid {
        self.0.entropy.uuid()
    }

    async fn read_suspension(&self) -> Result<Option<SuspensionView>, Halt> {
        match self.0.get("/suspension").await {
            Ok(answer) => Ok(Some(read::<Last>(answer)?.into())),
            Err(error) if error.code() == "suspension_not_found" => Ok(None),
            Err(error) => Err(halt(error)),
        }
    }

    async fn only_reclaimed(&self, from: AttemptIndex, to: AttemptIndex) -> Result<bool, Halt> {
        let mut cursor = Some(from);
        while let Some(after) = cursor {
            let page: Attempts = read(self.0.get(&format!("/attempts?cursor={after}")).await.map_err(halt)?)?;
            let behind = |index: AttemptIndex| index > from && index <= to;
            let other = |attempt: &Attempt| attempt.attempt_type != AttemptType::Reclaim;
            if page.attempts.iter().any(|attempt| behind(attempt.attempt_index) && other(attempt)) {
                return Ok(false);
            }
            cursor = page.next_cursor;
        }
        Ok(true)
    }

    async fn create_waitpoint(&self, key: String, expires_in: Duration) -> Result<PendingWaitpoint, Halt> {
        let body = json!({"waitpoint_key": key, "expires_in_ms": ms(expires_in)});
        let Pending::Created { waitpoint_id, waitpoint_token } =
            read(self.0.say("/waitpoints", body).await.map_err(halt)?)?;
        Ok(PendingWaitpoint { waitpoint_id, hmac_token: WaitpointToken::new(waitpoint_token) })
    }

    async fn close_waitpoint(&self, waitpoint_id: WaitpointId) -> Result<(), Halt> {
        self.0.say_freely(&format!("/waitpoints/{waitpoint_id}/close"), &json!({})).await.map(drop).map_err(halt)
    }

    async fn suspend(&self, args: SuspendArgs) -> Result<Told, Halt> {
        let asking = self.0.pausing.begin(&args).map_err(|error| Halt::Misused(error.to_string()))?;
        let answer = match self.0.say("/suspend", suspend_body(&args)).await {
            Ok(answer) => answer,
            Err(error) => {
                asking.kept();
                return Err(halt(error));
            }
        };
        if is_satisfied(&answer) {
            asking.kept();
            return Ok(Told::Satisfied);
        }
        asking.suspended();
        self.0.lose();
        let Suspended::Suspended(details) = read(answer)?;
        Ok(Told::Suspended(SuspendDetails {
            suspension_id: details.suspension_id,
            primary: details.primary.into(),
            additional_waitpoints: details.additional_waitpoints.into_iter().map(Into::into).collect(),
        }))
    }

    async fn begin_anew(&self, pause: Duration) -> Result<(), Halt> {
        let body = json!({"trigger_type": ResumeTrigger::AutoResume.as_str(), "resume_delay_ms": ms(pause)});
        match self.0.say_freely("/resume", &body).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == "execution_not_suspended" => Ok(()),
            Err(error) => Err(halt(error)),
        }
    }

    async fn leave(&self) -> Infallible {
        self.0.pausing.leave().await
    }
}
