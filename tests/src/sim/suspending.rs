//! Suspensions and signals of random kind, for generated commands here and in
//! the [differential](crate::differential) programs.

use bytes::Bytes;
use leasehold_backend::Entropy;
use leasehold_contract::{DeliverSignal, RotateHmacSecret, SecretHex, SuspendArgs};
use leasehold_core::ids::{ExecutionId, SignalId, SuspensionId, WaitpointId};
use leasehold_core::record::{ResumePolicy, SuspensionReason, TimeoutBehavior};
use leasehold_core::suspension::{CompositeBody, CountKind, ResumeCondition, SignalMatcher, WaitpointBinding};
use leasehold_core::time::TimestampMs;
use leasehold_core::token::WaitpointToken;

/// A day.
const DAY_MS: u64 = 86_400_000;

fn below(entropy: &dyn Entropy, count: u64) -> u64 {
    entropy.next_u64() % count.max(1)
}

fn pick<T: Clone>(entropy: &dyn Entropy, all: &[T]) -> T {
    all[below(entropy, all.len() as u64) as usize].clone()
}

/// One of a few names of signals.
pub fn signal_name(entropy: &dyn Entropy) -> String {
    pick(entropy, &["go", "go", "stop", "other"]).to_owned()
}

fn matcher(entropy: &dyn Entropy) -> SignalMatcher {
    if below(entropy, 2) == 0 { SignalMatcher::Wildcard } else { SignalMatcher::ByName(signal_name(entropy)) }
}

fn single(entropy: &dyn Entropy, key: &str) -> ResumeCondition {
    ResumeCondition::Single { waitpoint_key: key.to_owned(), matcher: matcher(entropy) }
}

fn count(entropy: &dyn Entropy, keys: &[String]) -> ResumeCondition {
    let kinds = [CountKind::DistinctWaitpoints, CountKind::DistinctSignals, CountKind::DistinctSources];
    let count_kind = pick(entropy, &kinds);
    let most = if count_kind == CountKind::DistinctWaitpoints { keys.len() as u64 } else { 3 };
    let matcher = (below(entropy, 2) == 0).then(|| matcher(entropy));
    let n = 1 + below(entropy, most) as u32;
    ResumeCondition::Composite(CompositeBody::Count { n, count_kind, matcher, waitpoints: keys.to_vec() })
}

fn all_of(members: Vec<ResumeCondition>) -> ResumeCondition {
    ResumeCondition::Composite(CompositeBody::AllOf { members })
}

/// A condition that names exactly these keys.
fn condition(entropy: &dyn Entropy, keys: &[String]) -> ResumeCondition {
    let (first, rest) = keys.split_first().expect("there is a key");
    match below(entropy, 4) {
        _ if rest.is_empty() && below(entropy, 3) > 0 => single(entropy, first),
        0 => count(entropy, keys),
        1 if !rest.is_empty() => all_of(vec![single(entropy, first), all_of(vec![count(entropy, rest)])]),
        _ => all_of(keys.iter().map(|key| single(entropy, key)).collect()),
    }
}

/// A suspension: at a waitpoint that was made before, if one is given, else at
/// one to three that are made with it.
pub fn suspend(entropy: &dyn Entropy, now: TimestampMs, pending: Option<(WaitpointId, &str)>) -> SuspendArgs {
    let (bindings, keys) = match pending {
        Some((waitpoint_id, key)) => (vec![WaitpointBinding::UsePending { waitpoint_id }], vec![key.to_owned()]),
        None => {
            let keys: Vec<String> = (0..=below(entropy, 3)).map(|number| format!("key-{number}")).collect();
            let fresh = |key: &String| WaitpointBinding::Fresh {
                waitpoint_id: entropy.uuid().into(),
                waitpoint_key: key.clone(),
            };
            (keys.iter().map(fresh).collect(), keys)
        }
    };
    let timed = below(entropy, 3) > 0;
    let condition = match below(entropy, 12) {
        0 if keys.len() == 1 => ResumeCondition::OperatorOnly,
        1 if keys.len() == 1 && timed => ResumeCondition::TimeoutOnly,
        _ => condition(entropy, &keys),
    };
    let reasons = [
        SuspensionReason::WaitingForSignal,
        SuspensionReason::WaitingForApproval,
        SuspensionReason::WaitingForCallback,
        SuspensionReason::ManualPause,
        SuspensionReason::PausedByBudget,
        SuspensionReason::Other("a reason of its own".to_owned()),
    ];
    let id = SuspensionId::from_uuid(entropy.uuid());
    let mut args = SuspendArgs::new(id, bindings[0].clone(), condition, pick(entropy, &reasons), now);
    args = args.with_waitpoints(bindings);
    if timed {
        let behaviors = [
            TimeoutBehavior::Fail,
            TimeoutBehavior::Cancel,
            TimeoutBehavior::Expire,
            TimeoutBehavior::AutoResumeWithTimeoutSignal,
            TimeoutBehavior::Escalate,
        ];
        args = args.with_timeout(now.plus(500 + below(entropy, 12_000)), pick(entropy, &behaviors));
    }
    if below(entropy, 3) == 0 {
        args = args.with_idempotency_key(format!("once-{}", below(entropy, 4)));
    }
    if below(entropy, 4) == 0 {
        args = args.with_continuation_metadata_pointer("step-2");
    }
    let resume_delay_ms = (below(entropy, 4) == 0).then(|| below(entropy, 3000));
    args.resume_policy = ResumePolicy { resume_delay_ms, ..ResumePolicy::default() };
    args
}

/// A signal to a waitpoint.
pub fn signal(
    entropy: &dyn Entropy,
    execution_id: ExecutionId,
    waitpoint_id: WaitpointId,
    waitpoint_token: WaitpointToken,
) -> DeliverSignal {
    // The larger one lies beside its record.
    let payload = match below(entropy, 4) {
        0 => Some(Bytes::from(vec![b'7'; 40])),
        1 => Some(Bytes::from(vec![b'8'; 600])),
        _ => None,
    };
    DeliverSignal {
        execution_id,
        waitpoint_id,
        signal_id: SignalId::from_uuid(entropy.uuid()),
        signal_name: signal_name(entropy),
        signal_category: "sim".to_owned(),
        source_type: "service".to_owned(),
        source_identity: format!("sender-{}", below(entropy, 3)),
        payload,
        payload_encoding: "json".to_owned(),
        correlation_id: (below(entropy, 3) == 0).then(|| "reference".to_owned()),
        idempotency_key: (below(entropy, 3) == 0).then(|| format!("signal-{}", below(entropy, 5))),
        target_scope: "execution".to_owned(),
        created_at: None,
        dedup_ttl_ms: pick(entropy, &[0, 2000, DAY_MS, DAY_MS]),
        resume_delay_ms: pick(entropy, &[0, 0, 0, 700]),
        max_signals_per_execution: pick(entropy, &[0, 0, 0, 0, 0, 4]),
        waitpoint_token,
    }
}

/// A token that proves nothing: cut short, in capitals, or made for another
/// waitpoint.
pub fn forged(entropy: &dyn Entropy, right: &WaitpointToken, others: &[WaitpointToken]) -> WaitpointToken {
    let text = right.reveal();
    let other = others.iter().find(|other| *other != right);
    match (below(entropy, 3), other) {
        (0, Some(other)) => other.clone(),
        (1, _) => WaitpointToken::new(&text[..text.len() - 1]),
        // The digits of a digest are lower-case letters too.
        _ if text.to_uppercase() != text => WaitpointToken::new(text.to_uppercase()),
        _ => WaitpointToken::new(""),
    }
}

/// The next key of the key ring.
pub fn rotation(entropy: &dyn Entropy, number: u64) -> RotateHmacSecret {
    RotateHmacSecret {
        new_kid: format!("sim-{number}"),
        new_secret_hex: SecretHex::new(format!("{:016x}", entropy.next_u64()).repeat(4)),
        grace_ms: pick(entropy, &[0, 4000, 20_000, DAY_MS]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_backend::SeededEntropy;
    use leasehold_core::suspension::validate;

    #[test]
    fn every_suspension_is_one_that_is_accepted() {
        let now = TimestampMs(1_700_000_000_000);
        let pending: WaitpointId = uuid::Uuid::from_u128(7).into();
        for seed in 0..500 {
            let entropy = SeededEntropy::new(seed);
            let pending = seed.is_multiple_of(2).then_some((pending, "made-before"));
            let args = suspend(&entropy, now, pending);
            let checked = validate(&args.waitpoints, &args.resume_condition, args.timeout_at, args.now);
            assert!(checked.is_ok(), "{seed}: {:?} of {args:?}", checked.err());
        }
    }

    #[test]
    fn a_forged_token_is_another_one() {
        let right = WaitpointToken::new(format!("k1:{}", "ab".repeat(20)));
        let other = WaitpointToken::new(format!("k1:{}", "cd".repeat(20)));
        for seed in 0..50 {
            assert_ne!(forged(&SeededEntropy::new(seed), &right, &[right.clone(), other.clone()]), right);
        }
    }
}
