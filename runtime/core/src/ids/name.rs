//! Identifiers that people choose: lanes, workers, namespaces.

use std::sync::Arc;

use thiserror::Error;

use super::text::serde_as_text;
use crate::error::EngineError;

/// How long a lane's name may be.
pub const LANE_BYTES_MAX: usize = 64;

/// How long the other names may be.
pub const NAME_BYTES_MAX: usize = 256;

/// Why a text is not a lane's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LaneIdError {
    /// It is empty.
    #[error("lane id is empty")]
    Empty,
    /// It has this many bytes.
    #[error("lane id has {0} bytes, at most {LANE_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// The byte at this index is not printable ASCII.
    #[error("lane id has a byte at index {0} that is not printable ASCII")]
    NonPrintable(usize),
}

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// It is empty.
    #[error("{kind} is empty")]
    Empty {
        /// Which name was expected.
        kind: &'static str,
    },
    /// It is longer than allowed.
    #[error("{kind} has {bytes} bytes, at most {NAME_BYTES_MAX} are allowed")]
    TooLong {
        /// Which name was expected.
        kind: &'static str,
        /// How long it is.
        bytes: usize,
    },
    /// It holds a NUL byte, which some stores cannot keep in text.
    #[error("{kind} has a NUL byte at index {index}")]
    ContainsNul {
        /// Which name was expected.
        kind: &'static str,
        /// Where.
        index: usize,
    },
}

impl From<LaneIdError> for EngineError {
    fn from(error: LaneIdError) -> Self {
        Self::invalid_input(error.to_string())
    }
}

impl From<NameError> for EngineError {
    fn from(error: NameError) -> Self {
        Self::invalid_input(error.to_string())
    }
}

fn check_lane(text: &str, _kind: &'static str) -> Result<(), LaneIdError> {
    if text.is_empty() {
        return Err(LaneIdError::Empty);
    }
    if text.len() > LANE_BYTES_MAX {
        return Err(LaneIdError::TooLong(text.len()));
    }
    match text.bytes().position(|byte| !(0x20..=0x7E).contains(&byte)) {
        Some(index) => Err(LaneIdError::NonPrintable(index)),
        None => Ok(()),
    }
}

fn check_name(text: &str, kind: &'static str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { kind });
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong { kind, bytes: text.len() });
    }
    match text.find('\0') {
        Some(index) => Err(NameError::ContainsNul { kind, index }),
        None => Ok(()),
    }
}

macro_rules! name_id {
    ($(#[$meta:meta])* $name:ident, $kind:literal, $check:ident -> $error:ident) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a name compiled into the program, without checking it.
            pub fn new(name: &'static str) -> Self {
                debug_assert!($check(name, $kind).is_ok(), "{} is not a {}", name, $kind);
                Self(Arc::from(name))
            }

            /// Checks and takes a name from outside.
            pub fn try_new(name: impl AsRef<str>) -> Result<Self, $error> {
                let name = name.as_ref();
                $check(name, $kind)?;
                Ok(Self(Arc::from(name)))
            }

            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                Self::try_new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &*self.0)
            }
        }

        serde_as_text!($name, $kind);

        impl bincode::Encode for $name {
            fn encode<E: bincode::enc::Encoder>(&self, encoder: &mut E) -> Result<(), bincode::error::EncodeError> {
                bincode::Encode::encode(self.as_str(), encoder)
            }
        }

        impl<Context> bincode::Decode<Context> for $name {
            fn decode<D: bincode::de::Decoder<Context = Context>>(
                decoder: &mut D,
            ) -> Result<Self, bincode::error::DecodeError> {
                let text: String = bincode::Decode::decode(decoder)?;
                Self::try_new(text).map_err(|error| bincode::error::DecodeError::OtherString(error.to_string()))
            }
        }

        bincode::impl_borrow_decode!($name);
    };
}

name_id!(
    /// A named queue. Printable ASCII, at most 64 bytes, ordered byte by byte.
    LaneId, "lane id", check_lane -> LaneIdError
);
name_id!(
    /// A logical worker; stays the same when its process restarts.
    WorkerId, "worker id", check_name -> NameError
);
name_id!(
    /// One process of a worker.
    WorkerInstanceId, "worker instance id", check_name -> NameError
);
name_id!(
    /// Keeps the executions of tenants apart.
    Namespace, "namespace", check_name -> NameError
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lane_names_are_printable_ascii_of_bounded_length() {
        let longest = "l".repeat(LANE_BYTES_MAX);
        for name in ["a", " ~", &longest] {
            assert_eq!(LaneId::try_new(name).unwrap().as_str(), name);
        }
        for (name, expected) in [
            ("", LaneIdError::Empty),
            (&*format!("{longest}l"), LaneIdError::TooLong(65)),
            ("ab\tc", LaneIdError::NonPrintable(2)),
            ("a\u{7f}", LaneIdError::NonPrintable(1)),
            ("caf\u{e9}", LaneIdError::NonPrintable(3)),
        ] {
            assert_eq!(LaneId::try_new(name), Err(expected));
        }
    }

    #[test]
    fn other_names_are_any_text_without_nul() {
        let longest = "n".repeat(NAME_BYTES_MAX);
        for name in ["a", "caf\u{e9} \u{1F980}\n", &longest] {
            assert_eq!(Namespace::try_new(name).unwrap().as_str(), name);
        }
        let kind = "worker id";
        assert_eq!(WorkerId::try_new(""), Err(NameError::Empty { kind }));
        assert_eq!(WorkerId::try_new(format!("{longest}n")), Err(NameError::TooLong { kind, bytes: 257 }));
        assert_eq!(WorkerId::try_new("ab\0"), Err(NameError::ContainsNul { kind, index: 2 }));
    }

    #[test]
    fn decoding_from_json_validates() {
        assert_eq!(serde_json::from_str::<LaneId>("\"fast\"").unwrap(), LaneId::new("fast"));
        assert_eq!(serde_json::to_string(&LaneId::new("fast")).unwrap(), "\"fast\"");
        assert!(serde_json::from_str::<LaneId>("\"\"").is_err());
        assert!(serde_json::from_str::<Namespace>("\"a\\u0000\"").is_err());
        assert!(serde_json::from_str::<WorkerInstanceId>("{}").is_err());
    }

    #[test]
    fn decoding_from_bytes_validates() {
        let config = bincode::config::standard();
        let bytes = bincode::encode_to_vec(LaneId::new("fast"), config).unwrap();
        assert_eq!(bytes, b"\x04fast");
        assert_eq!(bincode::decode_from_slice::<LaneId, _>(&bytes, config).unwrap().0, LaneId::new("fast"));
        assert!(bincode::decode_from_slice::<LaneId, _>(b"\x00", config).is_err());
        assert!(bincode::decode_from_slice::<LaneId, _>(b"\x01\x07", config).is_err());
    }

    #[test]
    fn lanes_order_byte_by_byte_and_print_plainly() {
        assert!(LaneId::new("A") < LaneId::new("a"));
        assert!(LaneId::new("a") < LaneId::new("a1"));
        assert_eq!(LaneId::new("a b").to_string(), "a b");
        assert_eq!(format!("{:?}", LaneId::new("a")), "LaneId(\"a\")");
    }

    #[test]
    fn refusals_become_invalid_input() {
        let lane = EngineError::from(LaneIdError::NonPrintable(3));
        assert_eq!(lane, EngineError::invalid_input("lane id has a byte at index 3 that is not printable ASCII"));
        let name = EngineError::from(NameError::Empty { kind: "namespace" });
        assert_eq!(name, EngineError::invalid_input("namespace is empty"));
    }
}
