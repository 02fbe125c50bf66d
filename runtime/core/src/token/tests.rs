//! The test vectors, and what must not verify.

use super::*;
use crate::error::{ConflictKind, EngineError};

const K1: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const K2: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";
const TOKEN_K1: &str = "k1:ce2e8e46cb7acfb96903833f6422022db133519d";
const TOKEN_K2: &str = "k2:fae005d802b00647f09826655c3cda9a39affbff";
const NOW: TimestampMs = TimestampMs(1_700_000_000_500);

fn bound() -> Bound<'static> {
    Bound {
        waitpoint_id: WaitpointId::parse("11111111-2222-4333-8444-555555555555").unwrap(),
        waitpoint_key: "wpk:approval-1",
        created_at: TimestampMs(1_700_000_000_000),
    }
}

fn seeded() -> Keyring {
    Keyring::default().seed("k1", K1).unwrap().0.unwrap()
}

fn rotated(ring: &Keyring, kid: &str, secret: &str, grace_ms: u64, now: TimestampMs) -> Keyring {
    ring.rotate(kid, secret, grace_ms, now).unwrap().0.unwrap()
}

fn verify(ring: &Keyring, token: &str, now: TimestampMs) -> &'static str {
    ring.verify(&WaitpointToken::new(token), Some(&bound()), now).map_or_else(|error| error.code(), |()| "ok")
}

fn code<T>(result: &Result<T, EngineError>) -> &'static str {
    result.as_ref().map_or_else(EngineError::code, |_| "ok")
}

#[test]
fn the_vectors_mint_and_verify() {
    let ring = seeded();
    let token = ring.mint(&bound()).unwrap();
    assert_eq!(token.reveal(), TOKEN_K1);
    assert_eq!((token.kid(), token.fingerprint()), ("k1", "ce2e8e46cb7acfb9"));
    assert_eq!(verify(&ring, TOKEN_K1, NOW), "ok");
    let ring = rotated(&ring, "k2", K2, 10, NOW);
    assert_eq!(ring.mint(&bound()).unwrap().reveal(), TOKEN_K2);
    assert_eq!(verify(&ring, TOKEN_K2, NOW), "ok");
    assert_eq!(bound().message(), "11111111-2222-4333-8444-555555555555|wpk:approval-1|1700000000000");
}

#[test]
fn a_secret_longer_than_a_block_is_reduced_first() {
    let secret = Secret::from_hex(&"ab".repeat(80)).unwrap();
    assert_eq!(secret.len(), 80);
    assert_eq!(secret.digest_hex(&bound().message()), "7986966d702541e35445466f4ce66b00109a56e8");
}

#[test]
fn what_must_not_verify_does_not() {
    let ring = seeded();
    for (token, expected) in [
        // The hexadecimal text of the secret as key.
        ("k1:719a1ab59313742b77c424444cdfcf00cdf7607c", "invalid_token"),
        // Another scheme: SHA-256 over other fields.
        ("k1:29c037816e136b9b9b98588b80261c97ba7290c703624b88b9389049da0fd97d", "invalid_token"),
        ("k1:CE2E8E46CB7ACFB96903833F6422022DB133519D", "invalid_token"),
        ("k1:ce2e8e46cb7acfb96903833f6422022db133519", "invalid_token"),
        ("k1:ce2e8e46cb7acfb96903833f6422022db133519d0", "invalid_token"),
        ("k1:ce2e8e46cb7acfb96903833f6422022db133519e", "invalid_token"),
        ("K1:ce2e8e46cb7acfb96903833f6422022db133519d", "invalid_token"),
        ("k2:ce2e8e46cb7acfb96903833f6422022db133519d", "invalid_token"),
        (":ce2e8e46cb7acfb96903833f6422022db133519d", "invalid_token"),
        ("ce2e8e46cb7acfb96903833f6422022db133519d", "invalid_token"),
        ("k1:", "invalid_token"),
        (":", "invalid_token"),
        (" ", "invalid_token"),
        ("", "missing_token"),
        (TOKEN_K1, "ok"),
    ] {
        assert_eq!(verify(&ring, token, NOW), expected, "{token}");
    }
}

#[test]
fn a_token_holds_for_one_waitpoint_one_key_and_one_time_only() {
    let ring = seeded();
    let token = WaitpointToken::new(TOKEN_K1);
    for other in [
        Bound { waitpoint_id: WaitpointId::parse("11111111-2222-4333-8444-555555555556").unwrap(), ..bound() },
        Bound { waitpoint_key: "wpk:approval-2", ..bound() },
        Bound { created_at: TimestampMs(1_700_000_000_001), ..bound() },
    ] {
        assert_eq!(code(&ring.verify(&token, Some(&other), NOW)), "invalid_token");
    }
}

/// Nobody learns from a refusal whether a waitpoint exists.
#[test]
fn a_missing_waitpoint_is_refused_like_a_wrong_token() {
    let ring = rotated(&seeded(), "k2", K2, 0, NOW);
    let later = NOW.plus(1);
    let other = Bound { waitpoint_key: "other", ..bound() };
    for token in ["", "x", "k9:ce2e8e46cb7acfb96903833f6422022db133519d", TOKEN_K1, TOKEN_K2] {
        let token = WaitpointToken::new(token);
        assert_eq!(ring.verify(&token, None, later), ring.verify(&token, Some(&other), later), "{token:?}");
    }
    let nil = Bound { waitpoint_id: uuid::Uuid::nil().into(), waitpoint_key: "", created_at: TimestampMs(0) };
    let forged = ring.mint(&nil).unwrap();
    assert_eq!(code(&ring.verify(&forged, None, later)), "invalid_token");
}

#[test]
fn without_a_key_nothing_is_minted_or_verified() {
    let ring = Keyring::default();
    assert_eq!(code(&ring.mint(&bound())), "hmac_secret_not_initialized");
    assert_eq!(verify(&ring, TOKEN_K1, NOW), "hmac_secret_not_initialized");
    assert_eq!(verify(&ring, "malformed", NOW), "invalid_token");
    assert_eq!(verify(&ring, "", NOW), "missing_token");
}

#[test]
fn a_stored_secret_without_bytes_is_corruption() {
    let mut ring = seeded();
    let config = bincode::config::standard();
    ring.keys.get_mut("k1").unwrap().secret = bincode::decode_from_slice(&[0], config).unwrap().0;
    for error in [
        ring.mint(&bound()).unwrap_err(),
        ring.verify(&WaitpointToken::new(TOKEN_K1), Some(&bound()), NOW).unwrap_err(),
    ] {
        assert_eq!(error, EngineError::validation(crate::error::ValidationKind::Corruption, "invalid_secret"));
    }
}

#[test]
fn seeding_happens_once() {
    let ring = seeded();
    assert_eq!(ring.current_kid.as_deref(), Some("k1"));
    let same = ring.seed("k1", &K1.to_uppercase()).unwrap();
    assert_eq!(same, (None, Seeded::AlreadySeeded { kid: "k1".into(), same_secret: true }));
    let other = ring.seed("k1", K2).unwrap();
    assert_eq!(other, (None, Seeded::AlreadySeeded { kid: "k1".into(), same_secret: false }));
    let error = ring.seed("k2", K2).unwrap_err();
    assert_eq!(error.code(), "invalid_input");
    assert!(error.to_string().contains("rotate_waitpoint_hmac_secret_all"));
    let ring = rotated(&ring, "k2", K2, 1_000, NOW);
    assert_eq!(code(&ring.seed("k1", K1)), "invalid_input", "a known but inactive key is no new seed");
}

#[test]
fn a_ring_whose_current_key_has_no_secret_is_seeded_anew() {
    let torn = Keyring { current_kid: Some("lost".into()), ..Keyring::default() };
    assert_eq!(code(&torn.mint(&bound())), "hmac_secret_not_initialized");
    let (ring, outcome) = torn.seed("k1", K1).unwrap();
    assert_eq!(outcome, Seeded::Seeded { kid: "k1".into() });
    assert_eq!(ring.unwrap().mint(&bound()).unwrap().reveal(), TOKEN_K1);
    let (ring, outcome) = torn.rotate("lost", K1, 0, NOW).unwrap();
    assert_eq!(outcome, Rotated::Noop { kid: "lost".into() });
    assert!(ring.unwrap().mint(&bound()).unwrap().reveal().starts_with("lost:ce2e8e46"));
}

#[test]
fn seeding_checks_secret_then_id() {
    let ring = Keyring::default();
    let long = "0".repeat(66);
    for (kid, secret, expected) in [
        ("", "", "invalid_input: an argument was refused: secret_hex must be 64 hex characters (256-bit secret)"),
        (
            "k",
            &K1[..62],
            "invalid_input: an argument was refused: secret_hex must be 64 hex characters (256-bit secret)",
        ),
        ("k", &long, "invalid_input: an argument was refused: secret_hex must be 64 hex characters (256-bit secret)"),
        (
            "k",
            &K1.replace('0', "g"),
            "invalid_input: an argument was refused: secret_hex must be 64 hex characters (256-bit secret)",
        ),
        ("", K1, "invalid_input: an argument was refused: kid must be non-empty"),
        ("a:b", K1, "invalid_kid: the key id is malformed"),
        ("a\0", K1, "invalid_kid: the key id is malformed"),
    ] {
        assert_eq!(ring.seed(kid, secret).unwrap_err().to_string(), expected);
    }
}

#[test]
fn an_old_key_verifies_through_its_last_millisecond() {
    let ring = rotated(&seeded(), "k2", K2, 10, NOW);
    assert_eq!(ring.previous_kid.as_deref(), Some("k1"));
    assert_eq!(ring.previous_expires_at, Some(NOW.plus(10)));
    assert_eq!(verify(&ring, TOKEN_K1, NOW.plus(10)), "ok");
    assert_eq!(verify(&ring, TOKEN_K1, NOW.plus(11)), "token_expired");
    assert_eq!(verify(&ring, TOKEN_K2, NOW.plus(1_000_000)), "ok");
    let kids = ring.kids(NOW.plus(10));
    assert_eq!(kids.current_kid.as_deref(), Some("k2"));
    assert_eq!(kids.verifying, [VerifyingKid { kid: "k1".into(), expires_at_ms: NOW.plus(10) }]);
    assert_eq!(ring.kids(NOW.plus(11)).verifying, []);
}

#[test]
fn an_old_key_without_a_usable_expiry_verifies_nothing() {
    for expires_at in [None, Some(TimestampMs(0)), Some(TimestampMs(-5))] {
        let mut ring = rotated(&seeded(), "k2", K2, 10, NOW);
        ring.keys.get_mut("k1").unwrap().expires_at = expires_at;
        assert_eq!(verify(&ring, TOKEN_K1, TimestampMs(-10)), "token_expired");
    }
}

#[test]
fn a_rotation_to_the_current_key_changes_nothing() {
    let ring = seeded();
    assert_eq!(ring.rotate("k1", K1, 5, NOW).unwrap(), (None, Rotated::Noop { kid: "k1".into() }));
    let error = ring.rotate("k1", K2, 5, NOW).unwrap_err();
    assert_eq!(error, ConflictKind::RotationConflict("k1".to_owned()).into());
}

#[test]
fn a_rotation_back_promotes_the_known_key_or_conflicts() {
    let ring = rotated(&seeded(), "k2", K2, 1_000, NOW);
    let error = ring.rotate("k1", K2, 5, NOW.plus(5)).unwrap_err();
    assert_eq!(error, ConflictKind::RotationConflict("k1".to_owned()).into());
    let (back, outcome) = ring.rotate("k1", K1, 7, NOW.plus(5)).unwrap();
    assert_eq!(outcome, Rotated::Rotated { previous_kid: Some("k2".into()), new_kid: "k1".into(), gc_count: 0 });
    let back = back.unwrap();
    assert_eq!(back.keys["k1"].expires_at, None);
    assert_eq!(verify(&back, TOKEN_K1, NOW.plus(1_000_000)), "ok");
    assert_eq!(verify(&back, TOKEN_K2, NOW.plus(12)), "ok");
    assert_eq!(verify(&back, TOKEN_K2, NOW.plus(13)), "token_expired");
}

#[test]
fn keys_out_of_time_are_forgotten_and_counted() {
    let ring = rotated(&seeded(), "k2", K2, 10, NOW);
    let ring = rotated(&ring, "k3", "03", 10, NOW.plus(10));
    assert_eq!(ring.keys.len(), 3, "k1 verifies through this millisecond");
    let (ring, outcome) = ring.rotate("k4", "04", 10, NOW.plus(21)).unwrap();
    assert_eq!(outcome, Rotated::Rotated { previous_kid: Some("k3".into()), new_kid: "k4".into(), gc_count: 2 });
    let ring = ring.unwrap();
    assert_eq!(ring.keys.keys().map(|kid| &**kid).collect::<Vec<_>>(), ["k3", "k4"]);
    assert_eq!(verify(&ring, TOKEN_K1, NOW.plus(21)), "invalid_token");
}

#[test]
fn rotating_an_empty_ring_installs_the_key() {
    let (ring, outcome) = Keyring::default().rotate("k1", K1, 0, NOW).unwrap();
    assert_eq!(outcome, Rotated::Rotated { previous_kid: None, new_kid: "k1".into(), gc_count: 0 });
    let ring = ring.unwrap();
    assert_eq!((&ring.previous_kid, ring.previous_expires_at), (&None, None));
    assert_eq!(verify(&ring, TOKEN_K1, NOW), "ok");
}

#[test]
fn rotation_checks_id_secret_and_grace_in_this_order() {
    let ring = seeded();
    let too_long = "0".repeat(2 * SECRET_BYTES_MAX + 2);
    for (kid, secret, grace_ms, expected) in [
        ("", "", u64::MAX, "invalid_kid"),
        ("a:b", K2, 0, "invalid_kid"),
        ("k2", "", u64::MAX, "invalid_secret_hex"),
        ("k2", "abc", 0, "invalid_secret_hex"),
        ("k2", "zz", 0, "invalid_secret_hex"),
        ("k2", "é", 0, "invalid_secret_hex"),
        ("k2", &too_long, 0, "invalid_secret_hex"),
        ("k2", K2, 1 << 53, "invalid_grace_ms"),
        ("k1", K2, 1 << 53, "invalid_grace_ms"),
        ("k2", K2, (1 << 53) - 1, "ok"),
    ] {
        assert_eq!(code(&ring.rotate(kid, secret, grace_ms, NOW)), expected, "{kid} {grace_ms}");
    }
}

#[test]
fn the_number_of_keys_is_bounded() {
    let mut ring = seeded();
    let mut refusals = 0;
    for n in 0..100 {
        match ring.rotate(&format!("n{n}"), K2, 1_000_000, NOW) {
            Ok((next, _)) => ring = next.unwrap(),
            Err(error) => refusals += usize::from(error.code() == "invalid_input"),
        }
    }
    assert_eq!((ring.keys.len(), refusals), (64, 37));
    rotated(&ring, "later", K2, 0, NOW.plus(1_000_001));
}

/// Whatever becomes text on its way to a log shows neither token nor secret.
#[test]
fn nothing_secret_shows() {
    let ring = rotated(&seeded(), "k2", K2, 10, NOW);
    let token = ring.mint(&bound()).unwrap();
    assert_eq!(format!("{token:?} {token}"), "WaitpointToken(k2:<REDACTED:len=40>) k2:<REDACTED:len=40>");
    for malformed in ["", "secret", "k1:secret", ":", K1, &format!(":{}", &K1[..40])] {
        let shown = format!("{:?}", WaitpointToken::new(malformed));
        assert_eq!(shown, "WaitpointToken(<REDACTED:malformed>)");
    }
    let presented = WaitpointToken::new(TOKEN_K1);
    let mut texts = vec![format!("{ring:?}"), format!("{ring:#?}"), format!("{token:?}"), format!("{presented}")];
    for error in [
        ring.verify(&presented, None, NOW).unwrap_err(),
        ring.verify(&presented, Some(&bound()), NOW.plus(11)).unwrap_err(),
        ring.seed("k9", K1).unwrap_err(),
        ring.seed("k9", &K1[1..]).unwrap_err(),
        ring.rotate("k2", K1, 0, NOW).unwrap_err(),
        ring.rotate("k9", &K1[1..], 0, NOW).unwrap_err(),
    ] {
        texts.push(format!("{error} {error:?}"));
    }
    for text in texts {
        for secret in [&K1[..8], &K1[40..48], &K2[..8], &TOKEN_K1[3..11], &TOKEN_K2[3..11], "0, 1, 2", "255, 238"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn tokens_and_secrets_compare_by_value_and_read_back() {
    assert_eq!(WaitpointToken::new(TOKEN_K1), WaitpointToken::new(TOKEN_K1));
    assert_ne!(WaitpointToken::new(TOKEN_K1), WaitpointToken::new(TOKEN_K2));
    assert_ne!(WaitpointToken::new(TOKEN_K1), WaitpointToken::new(&TOKEN_K1[..42]));
    assert_ne!(Secret::from_hex("00"), Secret::from_hex("01"));
    assert_ne!(Secret::from_hex("00"), Secret::from_hex("0000"));
    let json = serde_json::to_string(&WaitpointToken::new(TOKEN_K1)).unwrap();
    assert_eq!(json, format!("\"{TOKEN_K1}\""), "a serialised token is whole");
    assert_eq!(serde_json::from_str::<WaitpointToken>(&json).unwrap(), WaitpointToken::new(TOKEN_K1));
    let ring = rotated(&seeded(), "k2", K2, 10, NOW);
    let bytes = crate::codec::encode(&ring).unwrap();
    assert_eq!(crate::codec::decode::<Keyring>(&bytes).unwrap(), ring);
}
