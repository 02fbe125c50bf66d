//! `get_execution_namespace`: whose execution it is.

use crate::case::Case;
use leasehold_core::ids::Namespace;

pub async fn it_is_the_one_it_was_created_in(case: &mut Case) {
    let id = case.created(|args| args.namespace = Namespace::new("other tenant")).await;
    assert_eq!(case.engine.get_execution_namespace(id).await, Ok(Some(Namespace::new("other tenant"))));
    case.restart().await;
    assert_eq!(case.engine.get_execution_namespace(id).await, Ok(Some(Namespace::new("other tenant"))));
}

pub async fn an_unknown_execution_gives_none(case: &mut Case) {
    assert_eq!(case.engine.get_execution_namespace(case.id()).await, Ok(None));
}
