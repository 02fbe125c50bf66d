//! The key ring of every partition, changed in all of them.
//!
//! Each partition decides for itself and says what came of it; one that
//! refuses or does not answer keeps no other from its change. A key that is
//! known is found again, so repeating either operation is safe.

use super::super::EngineHandle;
use futures::{StreamExt, stream};
use leasehold_contract::{EngineResult, PartitionRotation, RotateHmacSecret, SeedHmacSecret};
use leasehold_core::command::{RotateWaitpointHmacSecret, SeedWaitpointHmacSecret};
use leasehold_core::token::Seeded;

/// Partitions that are asked at the same time.
const AT_ONCE: usize = 16;

impl EngineHandle {
    pub(super) async fn seed_all(&self, args: &SeedHmacSecret) -> EngineResult<Seeded> {
        let seeded = stream::iter(0..self.partition_count()).map(|partition| {
            self.router.submit(SeedWaitpointHmacSecret {
                partition,
                kid: args.kid.clone(),
                secret_hex: args.secret_hex.clone(),
            })
        });
        let outcomes: Vec<EngineResult<Seeded>> = seeded.buffered(AT_ONCE).collect().await;
        summed(&args.kid, outcomes)
    }

    pub(super) async fn rotate_all(&self, args: &RotateHmacSecret) -> Vec<PartitionRotation> {
        let rotated = stream::iter(0..self.partition_count()).map(|partition| async move {
            let rotate = RotateWaitpointHmacSecret {
                partition,
                new_kid: args.new_kid.clone(),
                new_secret_hex: args.new_secret_hex.clone(),
                grace_ms: args.grace_ms,
            };
            PartitionRotation { partition, result: self.router.submit(rotate).await }
        });
        rotated.buffered(AT_ONCE).collect().await
    }
}

/// One answer for all partitions: a refusal if there is one, seeded if any
/// was, and the same secret only if it is so everywhere.
fn summed(kid: &str, outcomes: Vec<EngineResult<Seeded>>) -> EngineResult<Seeded> {
    let mut any_seeded = false;
    let mut all_same = true;
    for outcome in outcomes {
        match outcome? {
            Seeded::Seeded { .. } => any_seeded = true,
            Seeded::AlreadySeeded { same_secret, .. } => all_same &= same_secret,
        }
    }
    let kid = kid.into();
    Ok(if any_seeded { Seeded::Seeded { kid } } else { Seeded::AlreadySeeded { kid, same_secret: all_same } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_core::error::EngineError;

    fn already(same_secret: bool) -> EngineResult<Seeded> {
        Ok(Seeded::AlreadySeeded { kid: "k1".into(), same_secret })
    }

    fn seeded() -> EngineResult<Seeded> {
        Ok(Seeded::Seeded { kid: "k1".into() })
    }

    #[test]
    fn all_partitions_give_one_answer() {
        let unavailable = || Err(EngineError::PartitionUnavailable { partition: 1, retry_after_ms: 5 });
        for (outcomes, expected) in [
            (vec![seeded(), seeded()], seeded()),
            (vec![already(true), seeded()], seeded()),
            (vec![already(true), already(true)], already(true)),
            (vec![already(true), already(false)], already(false)),
            (vec![seeded(), unavailable()], unavailable()),
        ] {
            assert_eq!(summed("k1", outcomes), expected);
        }
    }
}
