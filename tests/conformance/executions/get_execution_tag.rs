//! `get_execution_tag`: one label of an execution is read.

use crate::case::Case;
use leasehold_contract::SetExecutionTag;

pub async fn a_tag_is_read_as_it_was_set(case: &mut Case) {
    let id = case.created(|args| args.tags = [("a.b".to_owned(), "first".to_owned())].into()).await;
    assert_eq!(case.engine.get_execution_tag(id, "a.b").await, Ok(Some("first".to_owned())));
    let set = SetExecutionTag { execution_id: id, key: "a.b".to_owned(), value: String::new() };
    case.engine.set_execution_tag(set).await.unwrap();
    assert_eq!(case.engine.get_execution_tag(id, "a.b").await, Ok(Some(String::new())));
    case.restart().await;
    assert_eq!(case.engine.get_execution_tag(id, "a.b").await, Ok(Some(String::new())));
}

pub async fn without_tag_or_execution_there_is_none(case: &mut Case) {
    let id = case.waiting().await;
    assert_eq!(case.engine.get_execution_tag(id, "a.b").await, Ok(None));
    assert_eq!(case.engine.get_execution_tag(case.id(), "a.b").await, Ok(None));
    assert_eq!(case.engine.get_execution_tag(case.id_in(case.partitions()), "a.b").await, Ok(None));
}
