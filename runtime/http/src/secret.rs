//! The bearer token.

use std::fmt;
use subtle::ConstantTimeEq;
use thiserror::Error;

/// A token that is compared in constant time and never shown.
#[derive(Clone)]
pub struct Secret(String);

/// Why a text cannot be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SecretError {
    /// Anybody could present it.
    #[error("the token is empty")]
    Empty,
    /// No header can carry it as it is.
    #[error("the token holds a character that is not printable ASCII, or a space")]
    NotPrintable,
}

impl Secret {
    /// Takes a token.
    ///
    /// # Errors
    ///
    /// A token that is empty or that no `Authorization` header could carry.
    pub fn try_new(token: impl Into<String>) -> Result<Self, SecretError> {
        let token = token.into();
        if token.is_empty() {
            return Err(SecretError::Empty);
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretError::NotPrintable);
        }
        Ok(Self(token))
    }

    /// Whether somebody presents this token. The time it takes tells the
    /// length of the token at most.
    pub fn matches(&self, presented: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(presented).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown() {
        let secret = Secret::try_new("hunter2").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn only_the_whole_token_matches() {
        let secret = Secret::try_new("hunter2").unwrap();
        assert!(secret.matches(b"hunter2"));
        for other in ["", "hunter", "hunter22", "Hunter2"] {
            assert!(!secret.matches(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_token_that_no_header_carries_is_refused() {
        assert_eq!(Secret::try_new("").unwrap_err(), SecretError::Empty);
        for token in ["a b", "a\n", "tökén"] {
            assert_eq!(Secret::try_new(token).unwrap_err(), SecretError::NotPrintable, "{token:?}");
        }
    }
}
