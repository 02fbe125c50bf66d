//! `seed_waitpoint_hmac_secret` and `rotate_waitpoint_hmac_secret_all`, for
//! one partition: which key its tokens are minted with.

use super::{Command, Operation, Reply};
use crate::decision::{Context, Rejection};
use crate::record::WaitRecord;
use crate::token::{Keyring, Rotated, SecretHex, Seeded};
use crate::view::View;
use std::sync::Arc;

/// Arguments of `seed_waitpoint_hmac_secret`. Refused as [`Keyring::seed`]
/// says.
#[derive(Clone, Debug)]
pub struct SeedWaitpointHmacSecret {
    /// Which partition.
    pub partition: u16,
    /// The key's id.
    pub kid: String,
    /// 64 hexadecimal digits.
    pub secret_hex: SecretHex,
}

/// Arguments of `rotate_waitpoint_hmac_secret_all`, for one partition.
/// Refused as [`Keyring::rotate`] says.
#[derive(Clone, Debug)]
pub struct RotateWaitpointHmacSecret {
    /// Which partition.
    pub partition: u16,
    /// The id of the key that is to mint.
    pub new_kid: String,
    /// Its secret, in hexadecimal digits.
    pub new_secret_hex: SecretHex,
    /// How long the key before goes on verifying.
    pub grace_ms: u64,
}

/// The operations on the key ring of one partition.
#[derive(Clone, Debug)]
pub enum KeyringCommand {
    /// `seed_waitpoint_hmac_secret`.
    Seed(Box<SeedWaitpointHmacSecret>),
    /// `rotate_waitpoint_hmac_secret_all`.
    Rotate(Box<RotateWaitpointHmacSecret>),
}

/// The answers to them.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyringReply {
    /// Of `seed_waitpoint_hmac_secret`.
    Seed(Seeded),
    /// Of `rotate_waitpoint_hmac_secret_all`.
    Rotate(Rotated),
}

impl KeyringCommand {
    /// The operation's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Seed(_) => SeedWaitpointHmacSecret::NAME,
            Self::Rotate(_) => RotateWaitpointHmacSecret::NAME,
        }
    }

    /// The partition it is about.
    pub fn partition(&self) -> u16 {
        match self {
            Self::Seed(args) => args.partition,
            Self::Rotate(args) => args.partition,
        }
    }

    pub(super) fn decide(&self, view: &mut View<'_>, context: &Context) -> Result<KeyringReply, Rejection> {
        let ring = view.keyring();
        let (next, reply) = match self {
            Self::Seed(args) => {
                let (next, seeded) = ring.seed(&args.kid, args.secret_hex.reveal())?;
                (next, KeyringReply::Seed(seeded))
            }
            Self::Rotate(args) => {
                let (next, rotated) =
                    ring.rotate(&args.new_kid, args.new_secret_hex.reveal(), args.grace_ms, context.now)?;
                (next, KeyringReply::Rotate(rotated))
            }
        };
        if let Some(next) = next {
            install(view, next);
        }
        Ok(reply)
    }
}

fn install(view: &mut View<'_>, ring: Keyring) {
    view.put_wait(WaitRecord::Keyring(Arc::new(ring)));
}

macro_rules! keyring_operation {
    ($name:ident, $variant:ident, $outcome:ty, $wire:literal) => {
        impl Operation for $name {
            type Outcome = $outcome;
            const NAME: &'static str = $wire;

            fn into_command(self) -> Command {
                Command::Keyring(KeyringCommand::$variant(Box::new(self)))
            }

            fn outcome(reply: Reply) -> Result<Self::Outcome, Reply> {
                match reply {
                    Reply::Keyring(KeyringReply::$variant(outcome)) => Ok(outcome),
                    other => Err(other),
                }
            }
        }
    };
}

keyring_operation!(SeedWaitpointHmacSecret, Seed, Seeded, "seed_waitpoint_hmac_secret");
keyring_operation!(RotateWaitpointHmacSecret, Rotate, Rotated, "rotate_waitpoint_hmac_secret_all");
