//! `list_waitpoint_hmac_kids`: which keys mint and verify.

use crate::case::Case;
use leasehold_contract::{RotateHmacSecret, SecretHex};
use leasehold_core::partition::{Partition, PartitionFamily};
use leasehold_core::time::TimestampMs;
use leasehold_core::token::Kids;
use leasehold_tests::harness::seed;

async fn kids(case: &Case, partition: u16) -> (Option<String>, Vec<(String, TimestampMs)>) {
    let kids: Kids = case.engine.list_waitpoint_hmac_kids(Partition::flow(partition)).await.unwrap();
    let verifying = kids.verifying.iter().map(|kid| (kid.kid.to_string(), kid.expires_at_ms)).collect();
    (kids.current_kid.map(|kid| kid.to_string()), verifying)
}

async fn rotate(case: &Case, kid: &str, byte: &str, grace_ms: u64) {
    let new_secret_hex = SecretHex::new(byte.repeat(32));
    let args = RotateHmacSecret { new_kid: kid.to_owned(), new_secret_hex, grace_ms };
    for rotation in case.engine.rotate_waitpoint_hmac_secret_all(args).await.unwrap() {
        rotation.result.unwrap();
    }
}

pub async fn without_a_key_none_is_shown(case: &mut Case) {
    for partition in 0..case.partitions() {
        assert_eq!(kids(case, partition).await, (None, vec![]));
    }
}

pub async fn the_key_in_use_and_those_that_still_verify_are_shown(case: &mut Case) {
    case.engine.seed_waitpoint_hmac_secret(seed("one", &"01".repeat(32))).await.unwrap();
    assert_eq!(kids(case, 3).await, (Some("one".into()), vec![]));
    let now = case.now();
    rotate(case, "two", "02", 9000).await;
    rotate(case, "three", "03", 5000).await;
    case.kill().await;
    let verifying = vec![("one".into(), now.plus(9000)), ("two".into(), now.plus(5000))];
    for partition in 0..case.partitions() {
        assert_eq!(kids(case, partition).await, (Some("three".into()), verifying.clone()));
    }
    case.advance(5000);
    assert_eq!(kids(case, 0).await, (Some("three".into()), verifying.clone()), "to its last millisecond");
    case.advance(1);
    assert_eq!(kids(case, 0).await, (Some("three".into()), verifying[..1].to_vec()));
    case.advance(4000);
    assert_eq!(kids(case, 0).await, (Some("three".into()), vec![]), "whether forgotten or not");
    let shown = format!("{:?}", case.engine.list_waitpoint_hmac_kids(Partition::flow(0)).await.unwrap());
    assert!(!shown.contains("Secret") && !shown.contains("3, 3, 3"), "{shown}");
}

pub async fn a_key_that_was_made_is_shown_where_it_was_made(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let home = waiting.id.partition();
    assert_eq!(kids(case, home).await, (Some("k1".into()), vec![]));
    assert_eq!(kids(case, home + 1).await, (None, vec![]));
}

pub async fn a_partition_without_executions_is_refused(case: &mut Case) {
    for partition in [Partition::flow(case.partitions()), Partition { family: PartitionFamily::Quota, index: 0 }] {
        case.code(case.engine.list_waitpoint_hmac_kids(partition).await, "invalid_input");
    }
}
