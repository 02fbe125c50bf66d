//! The key ring: which keys mint and verify tokens.
//!
//! One key is current and mints; the keys before it go on verifying until
//! their time is out. The secret of a known key never changes.

use super::{Bound, Secret, WaitpointToken};
use crate::error::{ConflictKind, EngineError, ValidationKind};
use crate::time::TimestampMs;
use std::collections::BTreeMap;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The most a key id may take, in bytes.
pub const KID_BYTES_MAX: usize = 256;

/// How many keys may verify at the same time.
const KEYS_MAX: usize = 64;

/// The longest grace: what every JSON reader takes for a whole number.
const GRACE_MS_MAX: u64 = (1 << 53) - 1;

/// How many hexadecimal digits a seeded secret has.
const SEED_HEX_CHARS: usize = 64;

/// A key that verifies, and mints while it is the current one.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct RingKey {
    /// What it signs with.
    pub secret: Secret,
    /// The last millisecond it verifies; none for the current key. Another
    /// key without one verifies nothing.
    pub expires_at: Option<TimestampMs>,
}

/// The keys of one partition, the same in all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Keyring {
    /// The id of the key that mints.
    pub current_kid: Option<Arc<str>>,
    /// Every known key by its id.
    pub keys: BTreeMap<Arc<str>, RingKey>,
    /// Which key was current before, for people.
    pub previous_kid: Option<Arc<str>>,
    /// Until when that key verifies, for people.
    pub previous_expires_at: Option<TimestampMs>,
}

/// Answer of `seed_waitpoint_hmac_secret`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seeded {
    /// The key is the current one now.
    Seeded {
        /// Its id.
        kid: Arc<str>,
    },
    /// It was current before; nothing changed.
    AlreadySeeded {
        /// Its id.
        kid: Arc<str>,
        /// Whether the secret given is the one in use.
        same_secret: bool,
    },
}

/// Answer of `rotate_waitpoint_hmac_secret_all`, for one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// Another key is current now.
    Rotated {
        /// The key that was current before.
        previous_kid: Option<Arc<str>>,
        /// The key that is current now.
        new_kid: Arc<str>,
        /// How many keys were forgotten because their time was out.
        gc_count: u32,
    },
    /// The key was current before.
    Noop {
        /// Its id.
        kid: Arc<str>,
    },
}

/// A key that verifies tokens for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKid {
    /// Its id.
    pub kid: Arc<str>,
    /// The last millisecond it verifies.
    pub expires_at_ms: TimestampMs,
}

/// Answer of `list_waitpoint_hmac_kids`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kids {
    /// The key that mints.
    pub current_kid: Option<Arc<str>>,
    /// The others that still verify, by id.
    pub verifying: Vec<VerifyingKid>,
}

impl Keyring {
    /// Mints the token of a waitpoint.
    ///
    /// # Errors
    ///
    /// `hmac_secret_not_initialized` without a current key, `corruption` with
    /// the detail `invalid_secret` when its secret is empty.
    pub fn mint(&self, bound: &Bound<'_>) -> Result<WaitpointToken, EngineError> {
        let (kid, key) = self.current()?;
        let digest = usable(&key.secret)?.digest_hex(&bound.message());
        Ok(WaitpointToken::new(format!("{kid}:{digest}")))
    }

    /// Checks a presented token against a waitpoint.
    ///
    /// Without a waitpoint the same work is done and the token refused, so
    /// that neither the answer nor its time tells whether one exists.
    ///
    /// # Errors
    ///
    /// In this order `missing_token` (empty), `invalid_token` (malformed),
    /// `hmac_secret_not_initialized`, `invalid_token` (unknown key),
    /// `token_expired` (its key verifies no more), `corruption` with the
    /// detail `invalid_secret`, `invalid_token` (another digest).
    pub fn verify(
        &self,
        token: &WaitpointToken,
        bound: Option<&Bound<'_>>,
        now: TimestampMs,
    ) -> Result<(), EngineError> {
        let invalid = || refused(ValidationKind::InvalidToken);
        if token.reveal().is_empty() {
            return Err(refused(ValidationKind::MissingToken));
        }
        let (kid, digest) = token.parts().ok_or_else(invalid)?;
        let (current, _) = self.current()?;
        let key = self.keys.get(kid).ok_or_else(invalid)?;
        if kid != &**current && !key.verifies(now) {
            return Err(refused(ValidationKind::TokenExpired));
        }
        let nowhere = Bound { waitpoint_id: uuid::Uuid::nil().into(), waitpoint_key: "", created_at: TimestampMs(0) };
        let expected = usable(&key.secret)?.digest_hex(&bound.unwrap_or(&nowhere).message());
        let equal: bool = expected.as_bytes().ct_eq(digest.as_bytes()).into();
        if equal && bound.is_some() { Ok(()) } else { Err(invalid()) }
    }

    /// `seed_waitpoint_hmac_secret`: makes a key the first current one. Gives
    /// the ring as it is afterwards, or none when nothing changes.
    ///
    /// # Errors
    ///
    /// `invalid_input` (secret, id, or another key is current) and
    /// `invalid_kid`.
    pub fn seed(&self, kid: &str, secret_hex: &str) -> Result<(Option<Self>, Seeded), EngineError> {
        let secret = Secret::from_hex(secret_hex)
            .filter(|_| secret_hex.len() == SEED_HEX_CHARS)
            .ok_or_else(|| EngineError::invalid_input("secret_hex must be 64 hex characters (256-bit secret)"))?;
        if kid.is_empty() {
            return Err(EngineError::invalid_input("kid must be non-empty"));
        }
        check_kid(kid)?;
        if let Ok((current, key)) = self.current() {
            if &**current == kid {
                let same_secret = key.secret == secret;
                return Ok((None, Seeded::AlreadySeeded { kid: kid.into(), same_secret }));
            }
            return Err(use_rotate());
        }
        if self.keys.get(kid).is_some_and(|known| known.secret != secret) {
            return Err(use_rotate());
        }
        let mut next = self.clone();
        next.keys.insert(kid.into(), RingKey { secret, expires_at: None });
        next.current_kid = Some(kid.into());
        Ok((Some(next), Seeded::Seeded { kid: kid.into() }))
    }

    /// `rotate_waitpoint_hmac_secret_all`, for one partition: makes another
    /// key current and lets the one before verify for `grace_ms` more. Gives
    /// the ring as it is afterwards, or none when nothing changes.
    ///
    /// # Errors
    ///
    /// In this order `invalid_kid`, `invalid_secret_hex`, `invalid_grace_ms`,
    /// `rotation_conflict` (the key is known with another secret) and
    /// `invalid_input` (too many keys would verify).
    pub fn rotate(
        &self,
        new_kid: &str,
        new_secret_hex: &str,
        grace_ms: u64,
        now: TimestampMs,
    ) -> Result<(Option<Self>, Rotated), EngineError> {
        check_kid(new_kid)?;
        let secret = Secret::from_hex(new_secret_hex).ok_or_else(|| refused(ValidationKind::InvalidSecretHex))?;
        if grace_ms > GRACE_MS_MAX {
            return Err(refused(ValidationKind::InvalidGraceMs));
        }
        let kid: Arc<str> = new_kid.into();
        let conflict = || EngineError::from(ConflictKind::RotationConflict(new_kid.to_owned()));
        let mut next = self.clone();
        if self.current_kid.as_ref() == Some(&kid) {
            return match self.keys.get(&kid) {
                Some(known) if known.secret == secret => Ok((None, Rotated::Noop { kid })),
                Some(_) => Err(conflict()),
                None => {
                    next.keys.insert(kid.clone(), RingKey { secret, expires_at: None });
                    Ok((Some(next), Rotated::Noop { kid }))
                }
            };
        }
        next.keys.retain(|known, key| Some(known) == self.current_kid.as_ref() || key.verifies(now));
        let gc_count = (self.keys.len() - next.keys.len()) as u32;
        if next.keys.get(&kid).is_some_and(|known| known.secret != secret) {
            return Err(conflict());
        }
        if let Some(old) = &self.current_kid {
            let expires_at = now.plus(grace_ms);
            next.previous_kid = Some(old.clone());
            next.previous_expires_at = Some(expires_at);
            if let Some(key) = next.keys.get_mut(old) {
                key.expires_at = Some(expires_at);
            }
        }
        next.keys.insert(kid.clone(), RingKey { secret, expires_at: None });
        if next.keys.len() > KEYS_MAX {
            return Err(EngineError::invalid_input(format!("keys: {}, at most {KEYS_MAX}", next.keys.len())));
        }
        next.current_kid = Some(kid.clone());
        Ok((Some(next), Rotated::Rotated { previous_kid: self.current_kid.clone(), new_kid: kid, gc_count }))
    }

    /// `list_waitpoint_hmac_kids`: which keys mint and verify at `now`.
    pub fn kids(&self, now: TimestampMs) -> Kids {
        let verifying = self
            .keys
            .iter()
            .filter(|(kid, key)| Some(*kid) != self.current_kid.as_ref() && key.verifies(now))
            .filter_map(|(kid, key)| Some(VerifyingKid { kid: kid.clone(), expires_at_ms: key.expires_at? }))
            .collect();
        Kids { current_kid: self.current_kid.clone(), verifying }
    }

    /// The key that mints. A ring whose current key has no secret has none.
    fn current(&self) -> Result<(&Arc<str>, &RingKey), EngineError> {
        self.current_kid
            .as_ref()
            .and_then(|kid| Some((kid, self.keys.get(kid)?)))
            .ok_or_else(|| refused(ValidationKind::HmacSecretNotInitialized))
    }
}

impl RingKey {
    /// Whether a key that is not the current one still verifies.
    fn verifies(&self, now: TimestampMs) -> bool {
        self.expires_at.is_some_and(|at| at.0 > 0 && at >= now)
    }
}

fn usable(secret: &Secret) -> Result<&Secret, EngineError> {
    if secret.is_empty() {
        return Err(EngineError::validation(ValidationKind::Corruption, "invalid_secret"));
    }
    Ok(secret)
}

/// A refusal without detail: what was presented is nobody else's business.
fn refused(kind: ValidationKind) -> EngineError {
    EngineError::validation(kind, "")
}

fn use_rotate() -> EngineError {
    EngineError::invalid_input("another kid is installed; use rotate_waitpoint_hmac_secret_all")
}

fn check_kid(kid: &str) -> Result<(), EngineError> {
    if kid.is_empty() || kid.len() > KID_BYTES_MAX || kid.contains([':', '\0']) {
        return Err(refused(ValidationKind::InvalidKid));
    }
    Ok(())
}
