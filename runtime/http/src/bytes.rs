//! Bytes in JSON: a base64 string in the standard alphabet, with padding.

use ::bytes::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

use crate::error::Refusal;

/// Bytes as they came or go.
///
/// A text that is no base64 is kept as such: the field it stands in is refused
/// like any other bad argument, rather than as bad JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base64(Result<Bytes, String>);

impl Base64 {
    /// The bytes of a request's field.
    pub fn decoded(self, field: &str) -> Result<Bytes, Refusal> {
        self.0.map_err(|reason| Refusal::invalid_input(format!("{field}: not base64: {reason}")))
    }
}

impl Default for Base64 {
    fn default() -> Self {
        Self(Ok(Bytes::new()))
    }
}

impl From<Bytes> for Base64 {
    fn from(bytes: Bytes) -> Self {
        Self(Ok(bytes))
    }
}

impl From<Vec<u8>> for Base64 {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Ok(bytes.into()))
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Ok(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            Err(reason) => Err(serde::ser::Error::custom(reason)),
        }
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Base64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a base64 string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Base64, E> {
        Ok(Base64(STANDARD.decode(text).map(Bytes::from).map_err(|error| error.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Base64 {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn bytes_come_back_as_they_went() {
        for bytes in [&b""[..], b"a", b"ab", b"abc", b"\0\xff\xfe"] {
            let text = serde_json::to_string(&Base64::from(bytes.to_vec())).unwrap();
            assert_eq!(read(&text).decoded("x").unwrap(), bytes);
        }
    }

    #[test]
    fn only_the_one_spelling_is_read() {
        for text in ["YQ", "YQ=", "YR==", "YQ==\n", "_-8=", "*"] {
            let json = serde_json::to_string(text).unwrap();
            let error = read(&json).decoded("input_payload").unwrap_err();
            assert!(error.error().starts_with("invalid_input: input_payload: not base64"), "{text:?}");
        }
    }

    #[test]
    fn a_number_list_is_not_bytes() {
        assert!(serde_json::from_str::<Base64>("[1,2]").is_err());
    }
}
