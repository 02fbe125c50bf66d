//! `set_execution_tag`: one label of an execution is set.

use crate::case::Case;
use crate::states::ended;
use leasehold_contract::{SetExecutionTag, TagSet};
use leasehold_core::ids::ExecutionId;

fn tag(execution_id: ExecutionId, key: &str, value: &str) -> SetExecutionTag {
    SetExecutionTag { execution_id, key: key.to_owned(), value: value.to_owned() }
}

pub async fn a_tag_is_added_and_overwritten(case: &mut Case) {
    let id = case.created(|args| args.tags = [("a.first".to_owned(), "1".to_owned())].into()).await;
    for value in ["x", "", "y"] {
        case.advance(5);
        let set = case.engine.set_execution_tag(tag(id, "a.second", value)).await.unwrap();
        assert_eq!(set, TagSet { execution_id: id });
        let record = case.record(id).await;
        let expected = [("a.first".to_owned(), "1".to_owned()), ("a.second".to_owned(), value.to_owned())];
        assert_eq!(*record.tags, expected.into());
        assert_eq!(record.last_mutation_at, case.now());
    }
    assert!(case.story(id).await.is_empty());
}

pub async fn the_same_value_changes_nothing(case: &mut Case) {
    let id = case.created(|args| args.tags = [("a.first".to_owned(), "1".to_owned())].into()).await;
    case.advance(5);
    case.changes_nothing(id, case.engine.set_execution_tag(tag(id, "a.first", "1"))).await;
}

pub async fn an_ended_or_running_execution_is_tagged_too(case: &mut Case) {
    let leased = case.leased().await;
    let done = case.completed().await.execution.execution_id;
    for id in [leased.execution.execution_id, done] {
        case.engine.set_execution_tag(tag(id, "a.b", "v")).await.unwrap();
        assert_eq!(case.engine.get_execution_tag(id, "a.b").await, Ok(Some("v".to_owned())));
    }
    assert_eq!(case.vector(done).await, ended("success"));
    case.engine.complete(&leased.handle, None).await.expect("the lease is untouched");
}

pub async fn keys_follow_the_grammar(case: &mut Case) {
    let id = case.waiting().await;
    for key in ["", "team", "Team.owner", "team.", ".owner", "9a.b", "a.B", "a-b.c", "a.b/c", "a.\0"] {
        case.refused(id, case.engine.set_execution_tag(tag(id, key, "v")), "invalid_tag_key").await;
    }
    let nobody = case.id();
    case.refused(nobody, case.engine.set_execution_tag(tag(nobody, "bad", "v")), "invalid_tag_key").await;
}

pub async fn values_are_limited(case: &mut Case) {
    let id = case.waiting().await;
    for value in ["v".repeat(1025), "a\0b".to_owned()] {
        case.refused(id, case.engine.set_execution_tag(tag(id, "a.b", &value)), "invalid_input").await;
    }
    case.engine.set_execution_tag(tag(id, "a.b", &"v".repeat(1024))).await.unwrap();
}

pub async fn an_execution_has_64_tags_at_most(case: &mut Case) {
    let full = (0..64).map(|number| (format!("n.t{number}"), String::new())).collect();
    let id = case.created(|args| args.tags = full).await;
    case.refused(id, case.engine.set_execution_tag(tag(id, "n.more", "v")), "invalid_input").await;
    case.engine.set_execution_tag(tag(id, "n.t7", "v")).await.expect("an old key is no new tag");
}

pub async fn an_unknown_execution_is_not_found(case: &mut Case) {
    let id = case.id();
    case.refused(id, case.engine.set_execution_tag(tag(id, "a.b", "v")), "execution_not_found").await;
}

pub async fn tags_set_at_once_are_all_kept(case: &mut Case) {
    let id = case.waiting().await;
    let engine = &case.engine;
    let set = |key| engine.set_execution_tag(tag(id, key, "v"));
    let (one, two, three) = tokio::join!(set("a.one"), set("a.two"), set("a.three"));
    for set in [one, two, three] {
        set.unwrap();
    }
    assert_eq!(case.record(id).await.tags.len(), 3);
}
