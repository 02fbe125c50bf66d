//! Results that become the payloads of those that wait for them.

use super::super::graph::{
    any_of, apply, fail, flow, lease, link, member_record, members, pipe, quorum, setting, stage_with, succeed,
    succeed_with,
};
use crate::case::Case;
use bytes::Bytes;
use leasehold_core::flow::GroupState;
use leasehold_core::ids::ExecutionId;
use leasehold_core::record::{BlobKind, ResultRef};
use leasehold_tests::harness::act;

async fn payload(case: &Case, id: ExecutionId) -> Bytes {
    let context = case.engine.read_execution_context(id).await.unwrap();
    let stored = case.blob(id, BlobKind::Payload).await.unwrap();
    assert_eq!(context.input_payload, stored);
    stored
}

pub async fn a_small_result_becomes_the_payload(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    pipe(case, flow, up, down).await;
    let result = Bytes::from_static(b"\xff\x00 small");
    succeed_with(case, up, Some(result.clone())).await;
    assert!(matches!(case.record(up).await.result, Some(ResultRef::Inline(_))));
    assert_eq!(payload(case, down).await, result);
    let task = case.engine.poll_tasks(case.poll()).await.unwrap().remove(0);
    assert_eq!((task.claimed.execution_id, task.payload), (down, result));
}

pub async fn a_large_result_becomes_the_payload(case: &mut Case) {
    let flow = flow(case).await;
    let [up, one, two] = members(case, flow).await;
    pipe(case, flow, up, one).await;
    pipe(case, flow, up, two).await;
    let result = Bytes::from(vec![7; 300_000]);
    succeed_with(case, up, Some(result.clone())).await;
    assert!(matches!(case.record(up).await.result, Some(ResultRef::Stored(300_000))));
    case.kill().await;
    for id in [one, two] {
        assert_eq!(payload(case, id).await, result);
    }
}

pub async fn an_apply_after_the_end_reads_the_result_from_the_store(case: &mut Case) {
    let flow = flow(case).await;
    let [small, large, one, two] = members(case, flow).await;
    let results = [Bytes::from_static(b"small"), Bytes::from(vec![7; 300_000])];
    succeed_with(case, small, Some(results[0].clone())).await;
    succeed_with(case, large, Some(results[1].clone())).await;
    case.kill().await;
    for (up, down, result) in [(small, one, &results[0]), (large, two, &results[1])] {
        let staged = stage_with(case, flow, up, down, Some("all")).await;
        apply(case, &staged).await;
        assert_eq!(payload(case, down).await, result);
    }
}

pub async fn without_a_reference_or_a_result_the_payload_stays(case: &mut Case) {
    let flow = flow(case).await;
    let [talker, deaf, silent, listener] = members(case, flow).await;
    link(case, flow, talker, deaf).await;
    pipe(case, flow, silent, listener).await;
    succeed_with(case, talker, Some(Bytes::from_static(b"heard"))).await;
    succeed(case, silent).await;
    for id in [deaf, listener] {
        assert_eq!(payload(case, id).await, Bytes::from_static(b"payload"));
    }
}

pub async fn an_empty_result_is_a_result(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    pipe(case, flow, up, down).await;
    succeed_with(case, up, Some(Bytes::new())).await;
    assert_eq!(payload(case, down).await, Bytes::new());
}

pub async fn of_all_the_last_to_end_wins(case: &mut Case) {
    let flow = flow(case).await;
    let [one, two, three, down] = members(case, flow).await;
    pipe(case, flow, one, down).await;
    pipe(case, flow, two, down).await;
    link(case, flow, three, down).await;
    succeed_with(case, two, Some(Bytes::from_static(b"two"))).await;
    assert_eq!(payload(case, down).await, Bytes::from_static(b"two"));
    succeed_with(case, one, Some(Bytes::from_static(b"one"))).await;
    assert_eq!(payload(case, down).await, Bytes::from_static(b"one"));
    succeed_with(case, three, Some(Bytes::from_static(b"three"))).await;
    assert_eq!(payload(case, down).await, Bytes::from_static(b"one"));
}

pub async fn of_some_the_one_that_fires_the_join_wins(case: &mut Case) {
    let flow = flow(case).await;
    let [one, two, three, down] = members(case, flow).await;
    case.engine.set_edge_group_policy(setting(flow, down, quorum(2, "let_run"))).await.unwrap();
    for up in [one, two, three] {
        pipe(case, flow, up, down).await;
    }
    succeed_with(case, one, Some(Bytes::from_static(b"one"))).await;
    assert_eq!(payload(case, down).await, Bytes::from_static(b"payload"));
    succeed_with(case, two, Some(Bytes::from_static(b"two"))).await;
    assert_eq!(payload(case, down).await, Bytes::from_static(b"two"));
    succeed_with(case, three, Some(Bytes::from_static(b"three"))).await;
    assert_eq!(payload(case, down).await, Bytes::from_static(b"two"));
}

pub async fn a_bad_end_passes_nothing(case: &mut Case) {
    let flow = flow(case).await;
    let [bad, good, down] = members(case, flow).await;
    case.engine.set_edge_group_policy(setting(flow, down, any_of("let_run"))).await.unwrap();
    pipe(case, flow, bad, down).await;
    link(case, flow, good, down).await;
    fail(case, bad).await;
    succeed_with(case, good, Some(Bytes::from_static(b"good"))).await;
    assert_eq!(payload(case, down).await, Bytes::from_static(b"payload"));
}

pub async fn a_child_that_has_ended_keeps_its_payload(case: &mut Case) {
    let flow = flow(case).await;
    let [up, down] = members(case, flow).await;
    let held = lease(case, down).await;
    pipe(case, flow, up, down).await;
    case.engine.complete_execution(act::completion(&held.execution)).await.unwrap();
    succeed_with(case, up, Some(Bytes::from_static(b"late"))).await;
    assert_eq!(payload(case, down).await, Bytes::from_static(b"payload"));
    assert_eq!(member_record(case, flow, down).await.inbound.state, GroupState::Satisfied);
}

pub async fn results_go_down_a_chain(case: &mut Case) {
    let flow = flow(case).await;
    let [a, b, c] = members(case, flow).await;
    pipe(case, flow, a, b).await;
    pipe(case, flow, b, c).await;
    for (id, expected) in [(a, "payload"), (b, "payload+"), (c, "payload++")] {
        let before = payload(case, id).await;
        assert_eq!(before, Bytes::from(expected.to_owned()));
        succeed_with(case, id, Some(Bytes::from([before.as_ref(), b"+"].concat()))).await;
    }
}
