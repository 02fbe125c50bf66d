//! The secret of one key.

use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use std::fmt;
use std::fmt::Write;
use subtle::ConstantTimeEq;

/// The most a secret may take, in bytes.
pub const SECRET_BYTES_MAX: usize = 512;

/// Keys of HMAC-SHA1 fill one block; longer ones are hashed first.
const BLOCK_BYTES: usize = 64;

/// Bytes that only a [`super::Keyring`] uses.
#[derive(Clone, Eq, bincode::Encode, bincode::Decode)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Reads hexadecimal digits of either case; none for an empty text, an
    /// odd number of digits, anything but digits, or more than
    /// [`SECRET_BYTES_MAX`] bytes.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.is_empty() || !digits.len().is_multiple_of(2) || digits.len() / 2 > SECRET_BYTES_MAX {
            return None;
        }
        digits
            .chunks_exact(2)
            .map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?))
            .collect::<Option<_>>()
            .map(Self)
    }

    /// How long it is, in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no bytes, which [`Secret::from_hex`] never gives.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The HMAC-SHA1 of a message, in lower-case hexadecimal.
    pub(super) fn digest_hex(&self, message: &str) -> String {
        let mut block = [0_u8; BLOCK_BYTES];
        if self.0.len() > BLOCK_BYTES {
            let reduced = Sha1::digest(&self.0);
            block[..reduced.len()].copy_from_slice(&reduced);
        } else {
            block[..self.0.len()].copy_from_slice(&self.0);
        }
        let mut mac = <Hmac<Sha1> as KeyInit>::new(&block.into());
        mac.update(message.as_bytes());
        mac.finalize().into_bytes().iter().fold(String::with_capacity(40), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(<REDACTED>)")
    }
}

/// A secret in hexadecimal digits, as it is handed in. It shows itself to
/// nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHex(String);

impl SecretHex {
    /// Takes any text; whoever installs it checks it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The digits.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHex(..)")
    }
}
