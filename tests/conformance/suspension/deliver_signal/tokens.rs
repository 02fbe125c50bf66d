//! Who sends is authenticated before anything is revealed.

use crate::case::Case;
use leasehold_actors::env::WaitpointKey;
use leasehold_contract::{DeliverSignal, RotateHmacSecret, SecretHex};
use leasehold_core::error::EngineError;
use leasehold_core::token::WaitpointToken;
use leasehold_tests::harness::act::cancellation;
use leasehold_tests::harness::{Waiting, seed};

fn with(case: &Case, to: &Waiting, token: impl Into<String>) -> DeliverSignal {
    let waitpoint_token = WaitpointToken::new(token.into());
    DeliverSignal { waitpoint_token, ..case.signal_to(to.id, to.primary()) }
}

fn rotation(kid: &str, byte: &str, grace_ms: u64) -> RotateHmacSecret {
    RotateHmacSecret { new_kid: kid.to_owned(), new_secret_hex: SecretHex::new(byte.repeat(32)), grace_ms }
}

async fn rotate(case: &Case, args: RotateHmacSecret) {
    for rotation in case.engine.rotate_waitpoint_hmac_secret_all(args).await.unwrap() {
        rotation.result.unwrap();
    }
}

pub async fn a_token_is_that_of_its_waitpoint_in_every_letter(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let other = case.waiting_for_signal().await;
    let token = waiting.primary().waitpoint_token.reveal().to_owned();
    let digest = token.strip_prefix("k1:").unwrap();
    let other_token = other.primary().waitpoint_token.reveal();
    let flipped = if digest.starts_with('0') { '1' } else { '0' };
    for wrong in [
        other_token.to_owned(),
        format!("k1:{}", digest.to_ascii_uppercase()),
        format!("K1:{digest}"),
        format!("k2:{digest}"),
        format!(":{digest}"),
        digest.to_owned(),
        token[..token.len() - 1].to_owned(),
        format!("{token}0"),
        format!("k1:{flipped}{}", &digest[1..]),
        format!("k1:{}", &digest[..20]),
        "k1:".to_owned(),
        ":".to_owned(),
        format!("{token} "),
        "k1:\0".to_owned(),
        "x".repeat(100_000),
    ] {
        let upper_is_same = digest.to_ascii_uppercase() == digest && wrong == token;
        assert!(!upper_is_same, "a digest without letters proves nothing");
        let error = case.code(case.engine.deliver_signal(with(case, &waiting, wrong)).await, "invalid_token");
        assert!(!error.to_string().contains(digest), "{error}");
    }
    case.code(case.engine.deliver_signal(with(case, &waiting, "")).await, "missing_token");
    assert_eq!(case.waits(waiting.id).await.signal_count, 0);
    assert_eq!(case.deliver(with(case, &waiting, token)).await, "resume_condition_satisfied");
}

pub async fn the_token_of_another_execution_opens_nothing(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let other = case.waiting_for_signal().await;
    assert_eq!(waiting.id.partition(), other.id.partition());
    let args = DeliverSignal { execution_id: other.id, ..case.signal_to(waiting.id, waiting.primary()) };
    case.code(case.engine.deliver_signal(args).await, "invalid_token");
    // The same answer as for a waitpoint that is not there.
    let nowhere = DeliverSignal { waitpoint_id: case.waitpoint_id(), ..case.signal_to(other.id, other.primary()) };
    case.code(case.engine.deliver_signal(nowhere).await, "invalid_token");
}

pub async fn without_a_token_nothing_is_revealed(case: &mut Case) {
    let open = case.waiting_for_signal().await;
    let resumed = case.waiting_for_signal().await;
    case.deliver(case.signal_to(resumed.id, resumed.primary())).await;
    let ended = case.waiting_for_signal().await;
    case.engine.cancel_execution(cancellation(ended.id)).await.unwrap();
    let known = case.waiting_for_signal().await;
    let first = DeliverSignal { idempotency_key: Some("once".into()), ..case.signal_to(known.id, known.primary()) };
    case.deliver(first).await;
    let wrong = format!("k1:{}", "0".repeat(40));
    let mut answers: Vec<EngineError> = Vec::new();
    for waiting in [&open, &resumed, &ended, &known] {
        let args = DeliverSignal {
            idempotency_key: Some("once".into()),
            max_signals_per_execution: 1,
            ..with(case, waiting, wrong.clone())
        };
        answers.push(case.code(case.engine.deliver_signal(args).await, "invalid_token"));
        let nowhere = DeliverSignal { waitpoint_id: case.waitpoint_id(), ..with(case, waiting, wrong.clone()) };
        answers.push(case.code(case.engine.deliver_signal(nowhere).await, "invalid_token"));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

pub async fn a_refused_token_leaves_a_mark(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let before = case.story(waiting.id).await;
    case.advance(5);
    case.code(case.engine.deliver_signal(with(case, &waiting, "nonsense")).await, "invalid_token");
    assert_eq!(case.waits(waiting.id).await.token_refused_at, Some(case.now()));
    assert_eq!(case.story(waiting.id).await, before);
    // One that never waited has no waitpoint and is marked all the same.
    let waits_for_nothing = case.waiting().await;
    let args = DeliverSignal { execution_id: waits_for_nothing, ..with(case, &waiting, "nonsense") };
    case.code(case.engine.deliver_signal(args).await, "invalid_token");
    assert_eq!(case.waits(waits_for_nothing).await.token_refused_at, Some(case.now()));
}

pub async fn a_flood_of_refused_tokens_leaves_one_mark_a_second(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let wrong = || case.engine.deliver_signal(with(case, &waiting, "nonsense"));
    case.code(wrong().await, "invalid_token");
    let at = case.now();
    case.advance(999);
    case.refused(waiting.id, wrong(), "invalid_token").await;
    assert_eq!(case.waits(waiting.id).await.token_refused_at, Some(at));
    case.advance(1);
    case.code(wrong().await, "invalid_token");
    assert_eq!(case.waits(waiting.id).await.token_refused_at, Some(case.now()));
}

pub async fn a_key_verifies_through_its_grace_and_not_after(case: &mut Case) {
    let waiting = case.suspended(|args| args.resume_condition = leasehold_tests::harness::by_name("a", "never")).await;
    rotate(case, rotation("k2", "08", 5000)).await;
    case.kill().await;
    assert_eq!(case.deliver(case.signal_to(waiting.id, waiting.primary())).await, "no_op");
    case.advance(5000);
    assert_eq!(case.deliver(case.signal_to(waiting.id, waiting.primary())).await, "no_op");
    case.advance(1);
    let late = case.engine.deliver_signal(case.signal_to(waiting.id, waiting.primary()));
    case.code(late.await, "token_expired");
    // A digest that is wrong in any case tells the same of an expired key.
    let wrong = with(case, &waiting, format!("k1:{}", "0".repeat(40)));
    case.code(case.engine.deliver_signal(wrong).await, "token_expired");
    rotate(case, rotation("k3", "09", 5000)).await;
    let forgotten = case.engine.deliver_signal(case.signal_to(waiting.id, waiting.primary()));
    case.code(forgotten.await, "invalid_token");
}

pub async fn the_key_in_use_never_expires(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    case.advance(1000 * 86_400_000);
    assert_eq!(case.deliver(case.signal_to(waiting.id, waiting.primary())).await, "resume_condition_satisfied");
}

pub async fn tokens_are_minted_as_specified(case: &mut Case) {
    let secret = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    case.engine.seed_waitpoint_hmac_secret(seed("k1", secret)).await.unwrap();
    let id: uuid::Uuid = "11111111-2222-4333-8444-555555555555".parse().unwrap();
    let binding = leasehold_core::suspension::WaitpointBinding::Fresh {
        waitpoint_id: id.into(),
        waitpoint_key: "wpk:approval-1".into(),
    };
    assert_eq!(case.now().0, 1_700_000_000_000);
    let held = case.leased().await;
    let args = case.suspension_on(&[], leasehold_tests::harness::keyed("wpk:approval-1")).with_waitpoint(binding);
    let waiting = case.suspend(held, args).await;
    assert_eq!(waiting.primary().waitpoint_token.reveal(), "k1:ce2e8e46cb7acfb96903833f6422022db133519d");
    assert_eq!(waiting.primary().waitpoint_token.fingerprint(), "ce2e8e46cb7acfb9");
    // The digits of the secret are not the key, and neither are other forms.
    for wrong in [
        "k1:719a1ab59313742b77c424444cdfcf00cdf7607c",
        "k1:29c037816e136b9b9b98588b80261c97ba7290c703624b88b9389049da0fd97d",
    ] {
        case.code(case.engine.deliver_signal(with(case, &waiting, wrong)).await, "invalid_token");
    }
    let right = with(case, &waiting, "k1:ce2e8e46cb7acfb96903833f6422022db133519d");
    assert_eq!(case.deliver(right).await, "resume_condition_satisfied");
}

pub async fn without_a_key_no_token_verifies(case: &mut Case) {
    case.options.engine.waitpoint_key = WaitpointKey::Absent;
    case.restart().await;
    let id = case.waiting().await;
    let token = WaitpointToken::new(format!("k1:{}", "0".repeat(40)));
    let args = case.signal(id, case.waitpoint_id(), &token);
    case.code(case.engine.deliver_signal(args).await, "hmac_secret_not_initialized");
    let malformed = case.signal(id, case.waitpoint_id(), &WaitpointToken::new("k1"));
    case.code(case.engine.deliver_signal(malformed).await, "invalid_token");
    let missing = case.signal(id, case.waitpoint_id(), &WaitpointToken::new(""));
    case.code(case.engine.deliver_signal(missing).await, "missing_token");
}
