//! Identifiers that are uuids.

use thiserror::Error;

use super::text::{serde_as_text, shown};
use crate::error::EngineError;

/// Why a text is not an identifier.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdError {
    /// It is not a uuid in its one spelling.
    #[error("{kind} {text:?} is not a hyphenated lower-case uuid")]
    InvalidUuid {
        /// Which identifier was expected.
        kind: &'static str,
        /// The beginning of the refused text.
        text: String,
    },
}

impl From<IdError> for EngineError {
    fn from(error: IdError) -> Self {
        Self::invalid_input(error.to_string())
    }
}

macro_rules! uuid_id {
    ($(#[$meta:meta])* $name:ident, $kind:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// Mints a random identifier (uuid version 4).
            #[expect(clippy::new_without_default, reason = "a default would hide that every value is different")]
            #[expect(clippy::disallowed_methods, reason = "for clients at the edge; rules take identifiers as arguments")]
            pub fn new() -> Self {
                Self(uuid::Uuid::new_v4())
            }

            /// Takes any uuid, of whatever version.
            pub const fn from_uuid(uuid: uuid::Uuid) -> Self {
                Self(uuid)
            }

            /// The uuid.
            pub const fn as_uuid(&self) -> uuid::Uuid {
                self.0
            }

            /// Reads the one spelling: hyphenated, lower case.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                super::text::canonical_uuid(text)
                    .map(Self)
                    .ok_or_else(|| IdError::InvalidUuid { kind: $kind, text: shown(text) })
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0.as_hyphenated(), f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }

        impl From<uuid::Uuid> for $name {
            fn from(uuid: uuid::Uuid) -> Self {
                Self(uuid)
            }
        }

        serde_as_text!($name, "a hyphenated lower-case uuid");

        impl bincode::Encode for $name {
            fn encode<E: bincode::enc::Encoder>(&self, encoder: &mut E) -> Result<(), bincode::error::EncodeError> {
                bincode::Encode::encode(self.0.as_bytes(), encoder)
            }
        }

        impl<Context> bincode::Decode<Context> for $name {
            fn decode<D: bincode::de::Decoder<Context = Context>>(
                decoder: &mut D,
            ) -> Result<Self, bincode::error::DecodeError> {
                let bytes: [u8; 16] = bincode::Decode::decode(decoder)?;
                Ok(Self(uuid::Uuid::from_bytes(bytes)))
            }
        }

        bincode::impl_borrow_decode!($name);
    };
}

uuid_id!(
    /// A graph of executions.
    FlowId, "flow id"
);
uuid_id!(
    /// A time-bounded exclusive right to drive an attempt; new for each lease.
    LeaseId, "lease id"
);
uuid_id!(
    /// One try at an execution.
    AttemptId, "attempt id"
);
uuid_id!(
    /// Something sent to a waitpoint.
    SignalId, "signal id"
);
uuid_id!(
    /// A place where an execution waits for signals.
    WaitpointId, "waitpoint id"
);
uuid_id!(
    /// One pause of an execution.
    SuspensionId, "suspension id"
);
uuid_id!(
    /// A budget.
    BudgetId, "budget id"
);
uuid_id!(
    /// A quota policy.
    QuotaPolicyId, "quota policy id"
);
uuid_id!(
    /// A dependency between two members of a flow.
    EdgeId, "edge id"
);
uuid_id!(
    /// A process of the cluster.
    NodeId, "node id"
);
uuid_id!(
    /// One call of a client, so that its repeat is recognised.
    RequestId, "request id"
);

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const TEXT: &str = "6f1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d";

    #[test]
    fn the_canonical_spelling_reads_back() {
        let id = FlowId::parse(TEXT).unwrap();
        assert_eq!(id.to_string(), TEXT);
        assert_eq!(format!("{id:?}"), format!("FlowId({TEXT})"));
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{TEXT}\""));
        assert_eq!(serde_json::from_str::<FlowId>(&format!("\"{TEXT}\"")).unwrap(), id);
    }

    #[test]
    fn other_spellings_of_a_uuid_are_refused() {
        let simple = TEXT.replace('-', "");
        for text in [
            String::new(),
            TEXT.to_uppercase(),
            simple,
            format!("{{{TEXT}}}"),
            format!("urn:uuid:{TEXT}"),
            format!(" {TEXT}"),
            TEXT[..35].to_owned(),
        ] {
            assert!(LeaseId::parse(&text).is_err(), "{text}");
            assert!(serde_json::from_value::<LeaseId>(serde_json::json!(text)).is_err(), "{text}");
        }
        assert!(serde_json::from_str::<LeaseId>("7").is_err());
    }

    #[test]
    fn any_uuid_version_is_accepted() {
        assert_eq!(BudgetId::parse(&Uuid::nil().to_string()).unwrap().as_uuid(), Uuid::nil());
        assert_eq!(BudgetId::parse(&Uuid::max().to_string()).unwrap().as_uuid(), Uuid::max());
    }

    #[test]
    fn minted_ids_differ_and_are_version_4() {
        let (one, two) = (AttemptId::new(), AttemptId::new());
        assert_ne!(one, two);
        assert_eq!(one.as_uuid().get_version_num(), 4);
    }

    #[test]
    fn an_id_is_stored_as_its_sixteen_bytes() {
        let id = SignalId::parse(TEXT).unwrap();
        let config = bincode::config::standard();
        let bytes = bincode::encode_to_vec(id, config).unwrap();
        assert_eq!(bytes, id.as_uuid().as_bytes());
        assert_eq!(bincode::decode_from_slice::<SignalId, _>(&bytes, config).unwrap(), (id, 16));
        assert_eq!(bincode::borrow_decode_from_slice::<SignalId, _>(&bytes, config).unwrap(), (id, 16));
    }

    #[test]
    fn a_refusal_is_invalid_input_and_bounded() {
        let error = EngineError::from(EdgeId::parse(&"x".repeat(10_000)).unwrap_err());
        assert_eq!(error.code(), "invalid_input");
        assert!(error.to_string().contains("edge id"));
        assert!(error.to_string().len() < 300);
    }
}
