//! `rotate_waitpoint_hmac_secret_all`: another key mints, and the one before
//! verifies for a while.

use crate::case::Case;
use leasehold_contract::{RotateHmacSecret, SecretHex};
use leasehold_core::error::{ConflictKind, EngineError};
use leasehold_core::token::Rotated;
use leasehold_tests::harness::{by_name, seed};

const ONE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const TWO: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";
const THREE: &str = "abab";
const GRACE_MS: u64 = 5000;

fn rotation(kid: &str, secret: &str) -> RotateHmacSecret {
    RotateHmacSecret { new_kid: kid.to_owned(), new_secret_hex: SecretHex::new(secret), grace_ms: GRACE_MS }
}

/// Rotates, and expects the same of every partition.
async fn rotate(case: &Case, args: RotateHmacSecret) -> Result<Rotated, EngineError> {
    let results = case.engine.rotate_waitpoint_hmac_secret_all(args).await.unwrap();
    let partitions: Vec<u16> = results.iter().map(|rotation| rotation.partition).collect();
    assert_eq!(partitions, (0..case.partitions()).collect::<Vec<_>>(), "one for each partition, by its number");
    assert!(results.iter().all(|rotation| rotation.result == results[0].result), "{results:?}");
    results[0].result.clone()
}

fn rotated(previous: Option<&str>, new: &str, gc_count: u32) -> Result<Rotated, EngineError> {
    Ok(Rotated::Rotated { previous_kid: previous.map(Into::into), new_kid: new.into(), gc_count })
}

async fn with_one(case: &Case) {
    case.engine.seed_waitpoint_hmac_secret(seed("k1", ONE)).await.unwrap();
}

pub async fn the_new_key_mints_and_the_old_one_verifies_for_its_grace(case: &mut Case) {
    with_one(case).await;
    let old = case.suspended(|args| args.resume_condition = by_name("a", "never")).await;
    case.advance(5);
    assert_eq!(rotate(case, rotation("k2", TWO)).await, rotated(Some("k1"), "k2", 0));
    case.kill().await;
    let until = case.now().plus(GRACE_MS);
    for partition in 0..case.partitions() {
        let ring = case.keyring(partition).await.unwrap();
        assert_eq!((ring.current_kid.as_deref(), ring.keys.len()), (Some("k2"), 2));
        assert_eq!((ring.keys["k1"].expires_at, ring.keys["k2"].expires_at), (Some(until), None));
        assert_eq!((ring.previous_kid.as_deref(), ring.previous_expires_at), (Some("k1"), Some(until)));
    }
    let new = case.suspended(|args| args.resume_condition = by_name("a", "never")).await;
    assert_eq!(new.primary().waitpoint_token.kid(), "k2");
    case.advance(GRACE_MS);
    for waiting in [&old, &new] {
        assert_eq!(case.deliver(case.signal_to(waiting.id, waiting.primary())).await, "no_op");
    }
    case.advance(1);
    let late = case.engine.deliver_signal(case.signal_to(old.id, old.primary())).await;
    assert_eq!(late.unwrap_err().code(), "token_expired");
    assert_eq!(case.deliver(case.signal_to(new.id, new.primary())).await, "no_op");
}

pub async fn a_repeat_changes_nothing(case: &mut Case) {
    with_one(case).await;
    rotate(case, rotation("k2", TWO)).await.unwrap();
    let before = case.keyring(0).await;
    case.advance(1000);
    let noop = Ok(Rotated::Noop { kid: "k2".into() });
    assert_eq!(rotate(case, rotation("k2", TWO)).await, noop);
    case.kill().await;
    assert_eq!(rotate(case, RotateHmacSecret { grace_ms: 0, ..rotation("k2", &TWO.to_uppercase()) }).await, noop);
    assert_eq!(case.keyring(0).await, before, "the grace of the first call counts");
}

pub async fn a_known_key_keeps_its_secret(case: &mut Case) {
    with_one(case).await;
    rotate(case, rotation("k2", TWO)).await.unwrap();
    let before = case.keyring(0).await;
    for (kid, secret) in [("k2", ONE), ("k1", TWO), ("k1", THREE)] {
        let error = case.code(rotate(case, rotation(kid, secret)).await, "rotation_conflict");
        assert_eq!(error, ConflictKind::RotationConflict(kid.to_owned()).into());
    }
    assert_eq!(case.keyring(0).await, before);
}

pub async fn a_key_that_still_verifies_is_promoted(case: &mut Case) {
    with_one(case).await;
    let waiting = case.waiting_for_signal().await;
    rotate(case, rotation("k2", TWO)).await.unwrap();
    case.advance(GRACE_MS);
    assert_eq!(rotate(case, rotation("k1", ONE)).await, rotated(Some("k2"), "k1", 0));
    let ring = case.keyring(0).await.unwrap();
    assert_eq!((ring.current_kid.as_deref(), ring.keys["k1"].expires_at), (Some("k1"), None));
    assert_eq!(ring.keys["k2"].expires_at, Some(case.now().plus(GRACE_MS)));
    case.advance(10 * GRACE_MS);
    assert_eq!(case.deliver(case.signal_to(waiting.id, waiting.primary())).await, "resume_condition_satisfied");
}

pub async fn keys_whose_time_is_out_are_forgotten(case: &mut Case) {
    with_one(case).await;
    rotate(case, rotation("k2", TWO)).await.unwrap();
    case.advance(1);
    assert_eq!(rotate(case, rotation("k3", THREE)).await, rotated(Some("k2"), "k3", 0));
    case.advance(GRACE_MS + 1);
    assert_eq!(rotate(case, rotation("k4", ONE)).await, rotated(Some("k3"), "k4", 2));
    let ring = case.keyring(0).await.unwrap();
    assert_eq!(ring.keys.keys().map(|kid| &**kid).collect::<Vec<_>>(), ["k3", "k4"]);
    // A key that is forgotten is a new one.
    assert_eq!(rotate(case, rotation("k1", TWO)).await, rotated(Some("k4"), "k1", 0));
}

pub async fn without_grace_a_key_verifies_to_the_end_of_the_millisecond(case: &mut Case) {
    with_one(case).await;
    let waiting = case.suspended(|args| args.resume_condition = by_name("a", "never")).await;
    let at_once = RotateHmacSecret { grace_ms: 0, ..rotation("k2", TWO) };
    rotate(case, at_once).await.unwrap();
    assert_eq!(case.deliver(case.signal_to(waiting.id, waiting.primary())).await, "no_op");
    case.advance(1);
    let late = case.engine.deliver_signal(case.signal_to(waiting.id, waiting.primary())).await;
    assert_eq!(late.unwrap_err().code(), "token_expired");
}

pub async fn the_first_key_may_come_by_rotation(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let home = waiting.id.partition();
    let results = case.engine.rotate_waitpoint_hmac_secret_all(rotation("k2", TWO)).await.unwrap();
    for rotation in results {
        let previous = (rotation.partition == home).then_some("k1");
        assert_eq!(rotation.result, rotated(previous, "k2", 0), "one partition had made a key");
    }
    assert_eq!(case.deliver(case.signal_to(waiting.id, waiting.primary())).await, "resume_condition_satisfied");
    let elsewhere = case.created(|args| {
        args.execution_id = leasehold_core::ids::ExecutionId::from_parts(2, args.execution_id.uuid());
    });
    let held = case.lease(elsewhere.await).await;
    assert_eq!(case.pending(&held, 1000).await.hmac_token.kid(), "k2");
}

pub async fn checks_run_in_their_order(case: &mut Case) {
    with_one(case).await;
    let before = case.keyring(0).await;
    let too_long = 1 << 53;
    for (kid, secret, grace_ms, code) in [
        ("", "x", too_long, "invalid_kid"),
        ("k:2", "x", too_long, "invalid_kid"),
        ("k\0", ONE, 0, "invalid_kid"),
        (&"k".repeat(257), ONE, 0, "invalid_kid"),
        ("k1", "", too_long, "invalid_secret_hex"),
        ("k2", "abc", 0, "invalid_secret_hex"),
        ("k2", "zz", 0, "invalid_secret_hex"),
        ("k2", &"ab".repeat(513), 0, "invalid_secret_hex"),
        ("k1", TWO, too_long, "invalid_grace_ms"),
        ("k1", TWO, too_long - 1, "rotation_conflict"),
    ] {
        let args = RotateHmacSecret { grace_ms, ..rotation(kid, secret) };
        let error = case.code(rotate(case, args).await, code);
        assert!(!error.to_string().contains(&TWO[..16]), "{error}");
    }
    assert_eq!(case.keyring(0).await, before);
    let longest = RotateHmacSecret { grace_ms: too_long - 1, ..rotation(&"k".repeat(256), &"ab".repeat(512)) };
    rotate(case, longest).await.unwrap();
    let waiting = case.waiting_for_signal().await;
    assert_eq!(case.deliver(case.signal_to(waiting.id, waiting.primary())).await, "resume_condition_satisfied");
}

pub async fn keys_longer_than_a_block_are_reduced(case: &mut Case) {
    rotate(case, rotation("long", &"ab".repeat(80))).await.unwrap();
    let id: uuid::Uuid = "11111111-2222-4333-8444-555555555555".parse().unwrap();
    let held = case.leased().await;
    let binding = leasehold_core::suspension::WaitpointBinding::Fresh {
        waitpoint_id: id.into(),
        waitpoint_key: "wpk:approval-1".into(),
    };
    let args = case.suspension_on(&[], leasehold_tests::harness::keyed("wpk:approval-1")).with_waitpoint(binding);
    let waiting = case.suspend(held, args).await;
    assert_eq!(waiting.primary().waitpoint_token.reveal(), "long:7986966d702541e35445466f4ce66b00109a56e8");
}

pub async fn so_many_keys_verify_at_most(case: &mut Case) {
    with_one(case).await;
    for number in 2..=64 {
        rotate(case, rotation(&format!("k{number}"), &format!("{number:064x}"))).await.unwrap();
    }
    let one_more = || rotation("k65", &"07".repeat(32));
    case.code(rotate(case, one_more()).await, "invalid_input");
    let ring = case.keyring(0).await.unwrap();
    assert_eq!((ring.keys.len(), ring.current_kid.as_deref()), (64, Some("k64")));
    case.advance(GRACE_MS + 1);
    assert_eq!(rotate(case, one_more()).await, rotated(Some("k64"), "k65", 63));
}
