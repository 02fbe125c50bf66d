//! Capabilities: what a worker can do and what an execution asks for.
//!
//! A worker may take an execution when it has every required token, compared
//! byte by byte. An empty requirement fits any worker.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{EngineError, ValidationKind};
use crate::partition::fnv_digest8;

/// How many tokens a set may hold.
pub const CAPABILITY_TOKENS_MAX: usize = 256;

/// How long a set may be as comma-joined text.
pub const CAPABILITY_BYTES_MAX: usize = 4096;

/// A bounded set of well-formed tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, bincode::Encode)]
#[serde(transparent)]
pub struct CapabilitySet(BTreeSet<String>);

/// Why tokens do not form a set. The names go over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    NotArray,
    NonStringToken,
    EmptyToken,
    CommaInToken,
    ControlOrWhitespace,
    TooManyTokens,
    TooManyBytes,
}

impl Fault {
    const fn as_str(self) -> &'static str {
        match self {
            Self::NotArray => "not_array",
            Self::NonStringToken => "non_string_token",
            Self::EmptyToken => "empty_token",
            Self::CommaInToken => "comma_in_token",
            Self::ControlOrWhitespace => "control_or_whitespace",
            Self::TooManyTokens => "too_many_tokens",
            Self::TooManyBytes => "too_many_bytes",
        }
    }

    fn of_required(self) -> EngineError {
        EngineError::validation(ValidationKind::InvalidCapabilities, format!("required:{}", self.as_str()))
    }

    fn of_offered(self) -> EngineError {
        EngineError::invalid_input(format!("worker capabilities: {}", self.as_str()))
    }
}

impl CapabilitySet {
    /// The set that fits any worker.
    pub const EMPTY: Self = Self(BTreeSet::new());

    /// What an execution asks for. Repeated tokens count once.
    pub fn parse_required<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Result<Self, EngineError> {
        Self::collect(tokens.into_iter().map(Ok), is_ascii_separator).map_err(Fault::of_required)
    }

    /// What a worker says it can do. Stricter than a requirement: no control
    /// character or whitespace of any script, since a worker that announces
    /// one has been configured by mistake.
    pub fn parse_offered<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Result<Self, EngineError> {
        Self::collect(tokens.into_iter().map(Ok), |c| c.is_control() || c.is_whitespace()).map_err(Fault::of_offered)
    }

    /// What an execution asks for, as it stands in a policy.
    pub fn from_json_required(value: &Value) -> Result<Self, EngineError> {
        let Value::Array(tokens) = value else { return Err(Fault::NotArray.of_required()) };
        let tokens = tokens.iter().map(|token| token.as_str().ok_or(Fault::NonStringToken));
        Self::collect(tokens, is_ascii_separator).map_err(Fault::of_required)
    }

    fn collect<'a>(
        tokens: impl Iterator<Item = Result<&'a str, Fault>>,
        forbidden: impl Fn(char) -> bool,
    ) -> Result<Self, Fault> {
        let mut set = BTreeSet::new();
        let mut csv_bytes = 0;
        for token in tokens {
            let token = token?;
            if token.is_empty() {
                return Err(Fault::EmptyToken);
            }
            if token.contains(',') {
                return Err(Fault::CommaInToken);
            }
            if token.contains(&forbidden) {
                return Err(Fault::ControlOrWhitespace);
            }
            if set.contains(token) {
                continue;
            }
            // Checked while collecting, so that a hostile list costs no more memory than a legal one.
            if set.len() == CAPABILITY_TOKENS_MAX {
                return Err(Fault::TooManyTokens);
            }
            csv_bytes += token.len() + usize::from(!set.is_empty());
            if csv_bytes > CAPABILITY_BYTES_MAX {
                return Err(Fault::TooManyBytes);
            }
            set.insert(token.to_owned());
        }
        Ok(Self(set))
    }

    /// Whether nothing is asked for or offered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The tokens in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether every token of this set is in the other.
    pub fn is_subset_of(&self, offered: &Self) -> bool {
        self.0.is_subset(&offered.0)
    }

    /// The tokens of this set that the other lacks, sorted and comma-joined.
    pub fn missing_from(&self, offered: &Self) -> String {
        join(self.0.difference(&offered.0))
    }

    /// All tokens, sorted and comma-joined.
    pub fn to_csv(&self) -> String {
        join(&self.0)
    }

    /// A short name of the set for logs.
    pub fn digest(&self) -> String {
        fnv_digest8(&self.to_csv())
    }
}

/// What no token may hold: it would break the comma-joined form or hide in a log.
const fn is_ascii_separator(c: char) -> bool {
    c <= ' ' || c == '\u{7f}'
}

fn join<'a>(tokens: impl IntoIterator<Item = &'a String>) -> String {
    let mut csv = String::new();
    for token in tokens {
        if !csv.is_empty() {
            csv.push(',');
        }
        csv.push_str(token);
    }
    csv
}

impl fmt::Display for CapabilitySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_csv())
    }
}

impl<'de> Deserialize<'de> for CapabilitySet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tokens = Vec::<String>::deserialize(deserializer)?;
        Self::collect(tokens.iter().map(|token| Ok(token.as_str())), is_ascii_separator)
            .map_err(|fault| serde::de::Error::custom(fault.as_str()))
    }
}

impl<Context> bincode::Decode<Context> for CapabilitySet {
    fn decode<D: bincode::de::Decoder<Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, bincode::error::DecodeError> {
        let tokens: Vec<String> = bincode::Decode::decode(decoder)?;
        Self::collect(tokens.iter().map(|token| Ok(token.as_str())), is_ascii_separator)
            .map_err(|fault| bincode::error::DecodeError::Other(fault.as_str()))
    }
}

bincode::impl_borrow_decode!(CapabilitySet);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn required(tokens: &[&str]) -> Result<CapabilitySet, EngineError> {
        CapabilitySet::parse_required(tokens.iter().copied())
    }

    fn invalid(detail: &str) -> EngineError {
        EngineError::validation(ValidationKind::InvalidCapabilities, detail)
    }

    #[test]
    fn tokens_are_sorted_and_counted_once() {
        let set = required(&["gpu", "cuda", "gpu", "caf\u{e9}"]).unwrap();
        assert_eq!(set.to_csv(), "caf\u{e9},cuda,gpu");
        assert_eq!(set.len(), 3);
        assert_eq!(set.digest(), fnv_digest8("caf\u{e9},cuda,gpu"));
    }

    #[test]
    fn malformed_requirements_name_their_fault() {
        for (tokens, detail) in [
            (&["gpu", ""][..], "required:empty_token"),
            (&["a,b"], "required:comma_in_token"),
            (&["a b"], "required:control_or_whitespace"),
            (&["a\0"], "required:control_or_whitespace"),
            (&["a\u{7f}"], "required:control_or_whitespace"),
        ] {
            assert_eq!(required(tokens), Err(invalid(detail)));
        }
        for (value, detail) in [
            (json!("gpu"), "required:not_array"),
            (json!({}), "required:not_array"),
            (json!(["gpu", 1]), "required:non_string_token"),
            (json!([""]), "required:empty_token"),
        ] {
            assert_eq!(CapabilitySet::from_json_required(&value), Err(invalid(detail)));
        }
        assert_eq!(CapabilitySet::from_json_required(&json!(["b", "a"])).unwrap().to_csv(), "a,b");
    }

    #[test]
    fn both_limits_are_inclusive() {
        let tokens: Vec<String> = (0..=CAPABILITY_TOKENS_MAX).map(|n| format!("t{n}")).collect();
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        assert_eq!(required(&tokens[1..]).unwrap().len(), CAPABILITY_TOKENS_MAX);
        assert_eq!(required(&tokens), Err(invalid("required:too_many_tokens")));

        let half = "x".repeat(CAPABILITY_BYTES_MAX / 2);
        assert_eq!(required(&[&half, &half[..2047]]).unwrap().to_csv().len(), CAPABILITY_BYTES_MAX);
        assert_eq!(required(&[&half, &format!("{}y", &half[..2047])]), Err(invalid("required:too_many_bytes")));
        assert!(required(&[&half, &half, &half]).is_ok(), "a repeated token counts once");
    }

    #[test]
    fn what_a_worker_offers_is_checked_more_strictly() {
        assert!(required(&["a\u{a0}b"]).is_ok());
        for token in ["a\u{a0}b", "", "a,b", "\u{85}"] {
            assert_eq!(CapabilitySet::parse_offered([token]).unwrap_err().code(), "invalid_input");
        }
        assert_eq!(CapabilitySet::parse_offered(["gpu"]).unwrap(), required(&["gpu"]).unwrap());
    }

    #[test]
    fn an_execution_fits_a_worker_that_has_every_token() {
        let offered = CapabilitySet::parse_offered(["cuda", "gpu", "linux"]).unwrap();
        assert!(CapabilitySet::EMPTY.is_subset_of(&CapabilitySet::EMPTY));
        assert!(required(&["gpu"]).unwrap().is_subset_of(&offered));
        let asked = required(&["tpu", "gpu", "GPU"]).unwrap();
        assert!(!asked.is_subset_of(&offered));
        assert_eq!(asked.missing_from(&offered), "GPU,tpu");
    }

    #[test]
    fn decoding_checks_the_tokens_again() {
        let set = required(&["gpu", "cuda"]).unwrap();
        let config = bincode::config::standard();
        let bytes = bincode::encode_to_vec(&set, config).unwrap();
        assert_eq!(bincode::decode_from_slice::<CapabilitySet, _>(&bytes, config).unwrap().0, set);
        let poisoned = bincode::encode_to_vec(vec!["a b".to_owned()], config).unwrap();
        assert!(bincode::decode_from_slice::<CapabilitySet, _>(&poisoned, config).is_err());
        assert_eq!(serde_json::to_value(&set).unwrap(), json!(["cuda", "gpu"]));
        assert_eq!(serde_json::from_value::<CapabilitySet>(json!(["gpu", "cuda"])).unwrap(), set);
        assert!(serde_json::from_value::<CapabilitySet>(json!(["a,b"])).is_err());
    }
}
