//! `read_waitpoint_token`: the whole token, for a trusted caller.

use crate::case::Case;
use leasehold_core::ids::WaitpointId;
use leasehold_core::partition::{Partition, PartitionFamily};
use leasehold_core::suspension::ResumeCondition;
use leasehold_tests::harness::act::cancellation;

async fn read(case: &Case, partition: u16, waitpoint: WaitpointId) -> Option<String> {
    let read = case.engine.read_waitpoint_token(Partition::flow(partition), waitpoint).await.unwrap();
    read.map(|read| {
        let shown = format!("{read:?}");
        assert!(!shown.contains(read.token.reveal()), "a token is not shown: {shown}");
        read.token.reveal().to_owned()
    })
}

pub async fn it_is_what_the_worker_was_given(case: &mut Case) {
    let keys = ["a", "b"];
    let waiting = case.suspended_on(&keys, ResumeCondition::all_of_waitpoints(keys)).await;
    let home = waiting.id.home();
    case.kill().await;
    for issued in waiting.waitpoints() {
        let read = case.engine.read_waitpoint_token(home, issued.waitpoint_id).await.unwrap().unwrap();
        assert_eq!((read.execution_id, &read.token), (waiting.id, &issued.waitpoint_token));
        let args = case.signal(read.execution_id, issued.waitpoint_id, &read.token);
        case.deliver(args).await;
    }
}

pub async fn pending_and_closed_waitpoints_have_theirs(case: &mut Case) {
    let held = case.leased().await;
    let id = held.execution.execution_id;
    let pending = case.pending(&held, 60_000).await;
    let token = Some(pending.hmac_token.reveal().to_owned());
    assert_eq!(read(case, id.partition(), pending.waitpoint_id).await, token);
    case.engine.cancel_execution(cancellation(id)).await.unwrap();
    assert_eq!(read(case, id.partition(), pending.waitpoint_id).await, token);
}

pub async fn a_rotation_leaves_it_as_it_was_minted(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let before = read(case, waiting.id.partition(), waiting.primary().waitpoint_id).await;
    let rotate = leasehold_contract::RotateHmacSecret {
        new_kid: "k2".into(),
        new_secret_hex: leasehold_contract::SecretHex::new("08".repeat(32)),
        grace_ms: 5,
    };
    case.engine.rotate_waitpoint_hmac_secret_all(rotate).await.unwrap();
    case.advance(6);
    assert_eq!(read(case, waiting.id.partition(), waiting.primary().waitpoint_id).await, before);
}

pub async fn where_there_is_no_waitpoint_there_is_no_token(case: &mut Case) {
    let waiting = case.waiting_for_signal().await;
    let home = waiting.id.partition();
    assert_eq!(read(case, home, case.waitpoint_id()).await, None);
    assert_eq!(read(case, home + 1, waiting.primary().waitpoint_id).await, None);
}

pub async fn a_partition_without_executions_is_refused(case: &mut Case) {
    for partition in [
        Partition::flow(case.partitions()),
        Partition { family: PartitionFamily::Budget, index: 0 },
        Partition { family: PartitionFamily::Quota, index: 0 },
    ] {
        let read = case.engine.read_waitpoint_token(partition, case.waitpoint_id()).await;
        case.code(read, "invalid_input");
    }
}
