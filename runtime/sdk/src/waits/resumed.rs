//! What resumed a handler.

use bytes::Bytes;
use leasehold_contract::{KeyedSignal, SuspensionView};
use leasehold_core::record::{CloseReason, ResumeTrigger};
use leasehold_core::suspension::TIMEOUT_SIGNAL_NAME;
use leasehold_core::time::TimestampMs;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The name of a vote for something.
pub const APPROVED: &str = "approved";

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// What it waited for has come.
    Satisfied,
    /// Its time was out.
    TimedOut,
    /// An operator let the handler go on without it.
    Overridden,
}

/// What resumed a handler at a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// How the wait ended.
    pub how: How,
    /// The signals that counted, in the order in which they came; also where
    /// they were not enough.
    pub signals: Vec<Answer>,
}

/// A signal that counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The key of the waitpoint it came to.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its category.
    pub category: String,
    /// The kind of sender.
    pub source_type: String,
    /// The sender.
    pub source_identity: String,
    /// The sender's own reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// When it was accepted.
    pub accepted_at: TimestampMs,
    /// What it carries.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "kept_bytes")]
    pub payload: Option<Bytes>,
}

impl Resumed {
    /// What ended a suspension, if it was ended by going on.
    pub(super) fn of(view: SuspensionView) -> Option<Self> {
        let closed = view.closed?;
        let how = match (closed.reason, view.satisfied_at) {
            (CloseReason::Resumed, Some(_)) => How::Satisfied,
            // The worker's own trigger: nobody could be told of the wait.
            (CloseReason::Resumed, None) if closed.resume_trigger == Some(ResumeTrigger::AutoResume) => return None,
            (CloseReason::Resumed, None) => How::Overridden,
            (CloseReason::TimedOutAutoResume, _) => How::TimedOut,
            _ => return None,
        };
        let signals = view.signals.into_iter().filter(|keyed| keyed.signal.signal_name != TIMEOUT_SIGNAL_NAME);
        Some(Self { how, signals: signals.map(Answer::from).collect() })
    }

    /// Whether what it waited for has come.
    pub fn is_satisfied(&self) -> bool {
        self.how == How::Satisfied
    }

    /// Whether its time was out.
    pub fn is_timed_out(&self) -> bool {
        self.how == How::TimedOut
    }

    /// Whether it is satisfied and every vote that counted is `approved`.
    pub fn is_approved(&self) -> bool {
        self.is_satisfied() && self.signals.iter().all(|signal| signal.name == APPROVED)
    }

    /// The first signal that counted.
    pub fn first(&self) -> Option<&Answer> {
        self.signals.first()
    }

    /// The first signal that counted at a waitpoint.
    pub fn at(&self, key: &str) -> Option<&Answer> {
        self.signals.iter().find(|signal| signal.key == key)
    }
}

impl Answer {
    /// The payload, read as JSON; none is read as `null`.
    ///
    /// # Errors
    ///
    /// What serde says.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.payload.as_deref().unwrap_or(b"null"))
    }
}

impl From<KeyedSignal> for Answer {
    fn from(keyed: KeyedSignal) -> Self {
        let signal = keyed.signal;
        Self {
            key: keyed.waitpoint_key,
            name: signal.signal_name,
            category: signal.signal_category,
            source_type: signal.source_type,
            source_identity: signal.source_identity,
            correlation_id: signal.correlation_id,
            accepted_at: signal.accepted_at,
            payload: signal.payload,
        }
    }
}

/// Payloads as they are kept: as text where they are text.
mod kept_bytes {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Kept {
        Text(String),
        Bytes(Vec<u8>),
    }

    #[expect(clippy::ref_option, reason = "serde gives the field as it is")]
    pub fn serialize<S: Serializer>(bytes: &Option<Bytes>, serializer: S) -> Result<S::Ok, S::Error> {
        bytes
            .as_ref()
            .map(|bytes| match std::str::from_utf8(bytes) {
                Ok(text) => Kept::Text(text.to_owned()),
                Err(_) => Kept::Bytes(bytes.to_vec()),
            })
            .serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Bytes>, D::Error> {
        Ok(Option::<Kept>::deserialize(deserializer)?.map(|kept| match kept {
            Kept::Text(text) => Bytes::from(text),
            Kept::Bytes(bytes) => Bytes::from(bytes),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_signal_is_what_it_brought() {
        for payload in [None, Some(Bytes::from_static(b"{\"a\":1}")), Some(Bytes::from_static(b"\xff\0"))] {
            let answer = Answer {
                key: "k".to_owned(),
                name: "n".to_owned(),
                category: String::new(),
                source_type: "user".to_owned(),
                source_identity: "ann".to_owned(),
                correlation_id: None,
                accepted_at: TimestampMs(5),
                payload,
            };
            let kept = Resumed { how: How::TimedOut, signals: vec![answer] };
            let json = serde_json::to_string(&kept).unwrap();
            assert_eq!(serde_json::from_str::<Resumed>(&json).unwrap(), kept, "{json}");
        }
    }
}
