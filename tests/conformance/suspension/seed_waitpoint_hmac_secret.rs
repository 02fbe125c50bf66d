//! `seed_waitpoint_hmac_secret`: the first key, in every partition.

use crate::case::Case;
use crate::suspension::detail;
use leasehold_actors::env::WaitpointKey;
use leasehold_contract::{EngineResult, RotateHmacSecret, SecretHex};
use leasehold_core::token::Seeded;
use leasehold_tests::harness::seed;

const ONE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const TWO: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

async fn install(case: &Case, kid: &str, secret: &str) -> EngineResult<Seeded> {
    case.engine.seed_waitpoint_hmac_secret(seed(kid, secret)).await
}

fn seeded(kid: &str) -> EngineResult<Seeded> {
    Ok(Seeded::Seeded { kid: kid.into() })
}

fn already(kid: &str, same_secret: bool) -> EngineResult<Seeded> {
    Ok(Seeded::AlreadySeeded { kid: kid.into(), same_secret })
}

pub async fn every_partition_gets_the_key(case: &mut Case) {
    assert_eq!(install(case, "first", ONE).await, seeded("first"));
    let ring = case.keyring(0).await.expect("a ring is stored");
    assert_eq!((ring.current_kid.as_deref(), ring.keys.len()), (Some("first"), 1));
    assert_eq!(ring.keys["first"].expires_at, None);
    let shown = format!("{ring:?} {:?}", seed("first", ONE));
    assert!(!shown.contains(ONE), "{shown}");
    assert!(!shown.contains("1, 2, 3, 4, 5"), "the bytes of a secret are not shown: {shown}");
    for partition in 1..case.partitions() {
        assert_eq!(case.keyring(partition).await.as_ref(), Some(&ring));
    }
    case.kill().await;
    let waiting = case.waiting_for_signal().await;
    assert_eq!(waiting.primary().waitpoint_token.kid(), "first", "no key is made where there is one");
    assert_eq!(case.deliver(case.signal_to(waiting.id, waiting.primary())).await, "resume_condition_satisfied");
}

pub async fn a_repeat_never_overwrites(case: &mut Case) {
    install(case, "first", ONE).await.unwrap();
    let before = case.keyring(0).await;
    assert_eq!(install(case, "first", ONE).await, already("first", true));
    assert_eq!(install(case, "first", &ONE.to_uppercase()).await, already("first", true), "bytes are compared");
    assert_eq!(install(case, "first", TWO).await, already("first", false));
    case.kill().await;
    assert_eq!(install(case, "first", ONE).await, already("first", true));
    assert_eq!(case.keyring(0).await, before);
}

pub async fn another_key_in_use_points_to_a_rotation(case: &mut Case) {
    install(case, "first", ONE).await.unwrap();
    for (kid, secret) in [("second", TWO), ("second", ONE)] {
        let error = case.code(install(case, kid, secret).await, "invalid_input");
        assert!(detail(&error).contains("rotate"), "{error}");
    }
    // One that only verifies is not seeded again either.
    let rotate = RotateHmacSecret { new_kid: "second".into(), new_secret_hex: SecretHex::new(TWO), grace_ms: 5000 };
    case.engine.rotate_waitpoint_hmac_secret_all(rotate).await.unwrap();
    let error = case.code(install(case, "first", ONE).await, "invalid_input");
    assert!(detail(&error).contains("rotate"), "{error}");
    assert_eq!(install(case, "second", TWO).await, already("second", true));
}

pub async fn what_is_no_key_is_refused(case: &mut Case) {
    let short = "secret_hex must be 64 hex characters (256-bit secret)";
    for (kid, secret, code, words) in [
        ("first", "", "invalid_input", short),
        ("first", &ONE[..62], "invalid_input", short),
        ("first", &format!("{ONE}00"), "invalid_input", short),
        ("first", &format!("{}zz", &ONE[..62]), "invalid_input", short),
        ("first", &format!("0x{}", &ONE[..62]), "invalid_input", short),
        ("", ONE, "invalid_input", "kid must be non-empty"),
        ("", "", "invalid_input", short),
        ("fi:rst", ONE, "invalid_kid", ""),
        ("a\0", ONE, "invalid_kid", ""),
        (&"k".repeat(257), ONE, "invalid_kid", ""),
    ] {
        let error = case.code(install(case, kid, secret).await, code);
        assert_eq!(detail(&error), words);
        assert!(!error.to_string().contains(&ONE[..16]), "{error}");
    }
    for partition in 0..case.partitions() {
        assert_eq!(case.keyring(partition).await, None, "nothing was installed");
    }
    let longest = "k".repeat(256);
    assert_eq!(install(case, &longest, ONE).await, seeded(&longest));
}

pub async fn where_a_key_was_made_it_stays(case: &mut Case) {
    // The first token of one partition has made its key.
    let waiting = case.waiting_for_signal().await;
    let made = case.keyring(waiting.id.partition()).await.unwrap();
    let error = case.code(install(case, "first", ONE).await, "invalid_input");
    assert!(detail(&error).contains("rotate"), "{error}");
    assert_eq!(case.keyring(waiting.id.partition()).await, Some(made));
    for partition in (0..case.partitions()).filter(|partition| *partition != waiting.id.partition()) {
        let ring = case.keyring(partition).await.expect("one that refuses keeps no other from it");
        assert_eq!(ring.current_kid.as_deref(), Some("first"));
    }
}

pub async fn a_configured_key_is_that_of_the_first_token(case: &mut Case) {
    case.options.engine.waitpoint_key =
        WaitpointKey::Configured { kid: "configured".into(), secret_hex: SecretHex::new(ONE) };
    case.restart().await;
    let waiting = case.waiting_for_signal().await;
    assert_eq!(waiting.primary().waitpoint_token.kid(), "configured");
    assert_eq!(install(case, "configured", ONE).await, seeded("configured"), "other partitions had none");
    assert_eq!(install(case, "configured", ONE).await, already("configured", true));
    // Another configuration changes nothing about a key there is.
    case.options.engine.waitpoint_key =
        WaitpointKey::Configured { kid: "other".into(), secret_hex: SecretHex::new(TWO) };
    case.restart().await;
    let later = case.waiting_for_signal().await;
    assert_eq!(later.primary().waitpoint_token.kid(), "configured");
    assert_eq!(case.deliver(case.signal_to(waiting.id, waiting.primary())).await, "resume_condition_satisfied");
}
