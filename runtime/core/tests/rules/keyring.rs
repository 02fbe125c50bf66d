//! The key ring of a partition: seeding, rotating, and what is never shown.

use crate::fixture::{World, refused};
use crate::waits::fixture::{K1, K2};
use leasehold_core::command::{
    Command, KeyringCommand, Operation, RotateWaitpointHmacSecret, SeedWaitpointHmacSecret, Subject,
};
use leasehold_core::record::{RecordKey, WaitKey};
use leasehold_core::token::{Rotated, SecretHex, Seeded};

fn seed(kid: &str, secret: &str) -> SeedWaitpointHmacSecret {
    SeedWaitpointHmacSecret { partition: 7, kid: kid.into(), secret_hex: SecretHex::new(secret) }
}

fn rotate(kid: &str, secret: &str, grace_ms: u64) -> RotateWaitpointHmacSecret {
    RotateWaitpointHmacSecret { partition: 7, new_kid: kid.into(), new_secret_hex: SecretHex::new(secret), grace_ms }
}

fn minted_by(w: &World) -> Option<String> {
    w.keyring().kids(w.now).current_kid.map(|kid| kid.to_string())
}

#[test]
fn the_first_key_is_seeded_once() {
    let mut w = World::new();
    assert_eq!(w.run(seed("k1", K1)), Ok(Seeded::Seeded { kid: "k1".into() }));
    assert_eq!(minted_by(&w).as_deref(), Some("k1"));
    assert_eq!(w.last.changes.len(), 1);
    assert_eq!(w.run(seed("k1", K1)), Ok(Seeded::AlreadySeeded { kid: "k1".into(), same_secret: true }));
    assert!(w.last.is_empty());
    assert_eq!(w.run(seed("k1", K2)), Ok(Seeded::AlreadySeeded { kid: "k1".into(), same_secret: false }));
    assert!(w.last.is_empty(), "the secret of a known key never changes");
    refused(w.run(seed("k2", K2)), "invalid_input");
    refused(w.run(seed("k1", "abc")), "invalid_input");
    assert!(w.asked.is_empty(), "the ring is all it looks at");
}

#[test]
fn a_rotation_mints_with_the_new_key_and_lets_the_old_one_verify() {
    let (mut w, id, to) = World::suspended();
    let rotated = w.run(rotate("k2", K2, 10)).unwrap();
    assert_eq!(rotated, Rotated::Rotated { previous_kid: Some("k1".into()), new_kid: "k2".into(), gc_count: 0 });
    assert_eq!(minted_by(&w).as_deref(), Some("k2"));
    assert_eq!(w.run(rotate("k2", K2, 10)), Ok(Rotated::Noop { kid: "k2".into() }));
    assert!(w.last.is_empty());
    refused(w.run(rotate("k2", K1, 10)), "rotation_conflict");
    refused(w.run(rotate("k:3", K1, 10)), "invalid_kid");
    refused(w.run(rotate("k3", "xy", 10)), "invalid_secret_hex");
    let other = w.create();
    w.claim(other);
    let details = w.suspend(other, |_| {});
    assert!(details.primary.waitpoint_token.reveal().starts_with("k2:"));
    let mut late = w.clone();
    w.deliver(id, to.waitpoint_id, |_| {});
    late.pass(11);
    let args = late.signal_args(id, to.waitpoint_id, &to.waitpoint_token);
    refused(late.run(args), "token_expired");
    late.deliver(other, details.primary.waitpoint_id, |_| {});
}

#[test]
fn a_partition_without_a_ring_can_be_rotated_to_its_first_key() {
    let mut w = World::new();
    let rotated = w.run(rotate("k1", K1, 0)).unwrap();
    assert_eq!(rotated, Rotated::Rotated { previous_kid: None, new_kid: "k1".into(), gc_count: 0 });
    let id = w.create();
    w.claim(id);
    w.suspend(id, |_| {});
}

#[test]
fn the_commands_name_their_partition_and_its_ring() {
    for (command, name) in [
        (seed("k1", K1).into_command(), "seed_waitpoint_hmac_secret"),
        (rotate("k1", K1, 0).into_command(), "rotate_waitpoint_hmac_secret_all"),
    ] {
        assert_eq!((command.name(), command.subject()), (name, Subject::Partition(7)));
        assert_eq!(command.keys(), [RecordKey::Wait(WaitKey::Keyring)]);
        assert!(!command.grows() && !command.mints());
        assert!(matches!(command, Command::Keyring(KeyringCommand::Seed(_) | KeyringCommand::Rotate(_))));
    }
}

/// A command, its decision and the record it writes may all end up in a log.
#[test]
fn nothing_shows_a_secret() {
    let mut w = World::new();
    let mut shown = String::new();
    let secrets = [K1, K2];
    for command in [seed("k1", K1).into_command(), rotate("k2", K2, 5).into_command()] {
        let decision = w.decide(&command);
        shown.push_str(&format!("{command:?} {command:#?} {decision:?} {decision:#?}"));
        w.apply(&decision.changes);
    }
    let error = refused(w.run(rotate("k2", K1, 5)), "rotation_conflict");
    shown.push_str(&format!("{error} {error:?} {:?}", w.records));
    assert!(shown.contains("k1") && shown.contains("k2"));
    for secret in secrets {
        // Neither as digits nor as a list of bytes.
        let bytes: Vec<u8> = (0..8).map(|at| u8::from_str_radix(&secret[2 * at..2 * at + 2], 16).unwrap()).collect();
        let listed = format!("{bytes:?}");
        assert!(!shown.contains(&secret[..16]) && !shown.contains(&listed[1..listed.len() - 1]));
    }
}
