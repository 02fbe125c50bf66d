//! Waitpoint tokens: what proves that a sender was told of a waitpoint.
//!
//! A token is `<kid>:<40 lower-case hex>`: the id of a key of the [`Keyring`]
//! and the HMAC-SHA1 of `<waitpoint id>|<waitpoint key>|<created at>` under
//! it, all three as the waitpoint's record has them. The execution is not
//! part of it; whoever checks a token also compares the execution.
//!
//! Tokens and secrets never show in `Debug`, and no error repeats one.
//! Comparing them takes the same time wherever they differ.

mod keyring;
mod secret;

pub use keyring::{KID_BYTES_MAX, Keyring, Kids, RingKey, Rotated, Seeded, VerifyingKid};
pub use secret::{SECRET_BYTES_MAX, Secret, SecretHex};

use crate::ids::WaitpointId;
use crate::time::TimestampMs;
use serde::{Deserialize, Serialize};
use std::fmt;
use subtle::ConstantTimeEq;

/// How long the digest of a token is, in hexadecimal digits.
const DIGEST_CHARS: usize = 40;

/// How many of them name a token in lists.
const FINGERPRINT_CHARS: usize = 16;

/// A token, as minted or as presented. A presented one may be any text.
#[derive(Clone, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(transparent)]
pub struct WaitpointToken(Box<str>);

impl WaitpointToken {
    /// Takes any text.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The whole token, which is a secret.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Key id and digest, if the text has the shape of a token.
    fn parts(&self) -> Option<(&str, &str)> {
        let (kid, digest) = self.0.split_once(':')?;
        (!kid.is_empty() && digest.len() == DIGEST_CHARS).then_some((kid, digest))
    }

    /// The id of the key it was minted with; empty for a malformed token.
    pub fn kid(&self) -> &str {
        self.parts().map_or("", |(kid, _)| kid)
    }

    /// Names the token without giving it away: the beginning of its digest;
    /// empty for a malformed token.
    pub fn fingerprint(&self) -> &str {
        self.parts().and_then(|(_, digest)| digest.get(..FINGERPRINT_CHARS)).unwrap_or("")
    }
}

impl PartialEq for WaitpointToken {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Display for WaitpointToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            Some((kid, digest)) => write!(f, "{}:<REDACTED:len={}>", kid.escape_debug(), digest.len()),
            None => f.write_str("<REDACTED:malformed>"),
        }
    }
}

impl fmt::Debug for WaitpointToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WaitpointToken({self})")
    }
}

/// What a token is minted over, as the waitpoint's record has it.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    /// The waitpoint.
    pub waitpoint_id: WaitpointId,
    /// The key it is named by in resume conditions.
    pub waitpoint_key: &'a str,
    /// When it was made.
    pub created_at: TimestampMs,
}

impl Bound<'_> {
    fn message(&self) -> String {
        format!("{}|{}|{}", self.waitpoint_id, self.waitpoint_key, self.created_at)
    }
}

#[cfg(test)]
mod tests;
