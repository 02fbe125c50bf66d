//! `read_execution_context`: what a handler needs.

use crate::case::Case;
use bytes::Bytes;
use leasehold_contract::{ExecutionContext, SetExecutionTag};

pub async fn payload_kind_and_tags_come_together(case: &mut Case) {
    let id = case.created(|args| {
        args.input_payload = Bytes::from_static(b"\xff\x00");
        args.execution_kind = "invoice.send".into();
    });
    let id = id.await;
    let set = SetExecutionTag { execution_id: id, key: "a.b".to_owned(), value: "v".to_owned() };
    case.engine.set_execution_tag(set).await.unwrap();
    let expected = ExecutionContext {
        input_payload: Bytes::from_static(b"\xff\x00"),
        execution_kind: "invoice.send".to_owned(),
        tags: [("a.b".to_owned(), "v".to_owned())].into(),
    };
    assert_eq!(case.engine.read_execution_context(id).await.as_ref(), Ok(&expected));
    case.kill().await;
    assert_eq!(case.engine.read_execution_context(id).await, Ok(expected));
}

pub async fn the_payload_stays_through_the_whole_life(case: &mut Case) {
    let id = case.reclaimed().await.execution.execution_id;
    let ended = case.completed().await.execution.execution_id;
    for id in [id, ended] {
        let context = case.engine.read_execution_context(id).await.unwrap();
        assert_eq!(context.input_payload, Bytes::from_static(b"payload"));
    }
}

pub async fn an_unknown_execution_is_invalid_input(case: &mut Case) {
    case.code(case.engine.read_execution_context(case.id()).await, "invalid_input");
    case.code(case.engine.read_execution_context(case.id_in(u16::MAX)).await, "invalid_input");
}
