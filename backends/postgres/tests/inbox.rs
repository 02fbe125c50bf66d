//! The inbox: what outside writers leave, what nodes read of it, and that it
//! leaves with the commit that deals with it.

mod support;

use leasehold_backend::{Backend, INBOX_PAGE_BYTES, PartOutcome};
use leasehold_backend_suite::create_command;
use leasehold_core::command::{Admit, AdmitOutcome, CreateOutcome, PAYLOAD_BYTES_MAX};
use leasehold_core::ids::ExecutionId;
use leasehold_postgres::inbox;
use sqlx::{Connection, Executor, Row};
use support::{Engine, Place, engine};

async fn left(engine: &Engine) -> Vec<ExecutionId> {
    engine.store.inbox(None, 100).await.unwrap().into_iter().map(|entry| entry.execution).collect()
}

#[tokio::test]
async fn an_entry_is_there_exactly_if_its_transaction_commits() {
    let place = Place::fresh();
    let engine = engine(&place).await;
    let mut connection = place.raw().await;
    connection.execute("CREATE TABLE orders (item TEXT)").await.unwrap();
    for commits in [false, true] {
        let id = engine.id(1);
        let mut transaction = connection.begin().await.unwrap();
        transaction.execute("INSERT INTO orders VALUES ('book')").await.unwrap();
        assert_eq!(inbox::create(&mut transaction, &place.schema, &create_command(id)).await, Ok(id));
        assert_eq!(left(&engine).await, [], "nobody sees it before the commit");
        if commits {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
        let entry = engine.store.inbox_of(id).await.unwrap();
        assert_eq!(entry.is_some(), commits);
        assert_eq!(left(&engine).await, entry.map(|entry| entry.execution).into_iter().collect::<Vec<_>>());
    }
    let orders = connection.fetch_one("SELECT count(*) FROM orders").await.unwrap();
    assert_eq!(orders.get::<i64, _>(0), 1);
}

#[tokio::test]
async fn an_entry_leaves_with_the_commit_that_creates_its_execution() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let id = engine.id(2);
    inbox::create(&mut place.raw().await, &place.schema, &create_command(id)).await.unwrap();
    let entry = engine.store.inbox_of(id).await.unwrap().unwrap();
    let (partition, changes, outcome) = engine.decide(Admit::new(entry.number, id, &entry.create));
    assert!(matches!(outcome, AdmitOutcome::Admitted(CreateOutcome::Created { .. })), "{outcome:?}");
    engine.commit(vec![(partition, changes)]).await;
    assert_eq!(left(&engine).await, []);
    assert_eq!(engine.store.inbox_of(id).await.unwrap(), None);
    assert_eq!(engine.store.list_executions(2, None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_entry_stays_where_its_partition_has_another_owner() {
    let place = Place::fresh();
    let mut engine = engine(&place).await;
    let id = engine.id(2);
    inbox::create(&mut place.raw().await, &place.schema, &create_command(id)).await.unwrap();
    let entry = engine.store.inbox_of(id).await.unwrap().unwrap();
    let (partition, changes, _) = engine.decide(Admit::new(entry.number, id, &entry.create));
    let batch = engine.batch(vec![(partition, changes)]);
    engine.take(&[2]).await;
    assert_eq!(engine.send(&batch).await.unwrap(), [PartOutcome::Refused]);
    assert_eq!(left(&engine).await, [id]);
}

#[tokio::test]
async fn pages_go_by_number_and_are_bounded_in_rows_and_bytes() {
    let place = Place::fresh();
    let engine = engine(&place).await;
    let mut connection = place.raw().await;
    let ids: Vec<_> = (0..9).map(|index| engine.id(index % 3)).collect();
    for id in &ids {
        let mut create = create_command(*id);
        create.input_payload = vec![1; PAYLOAD_BYTES_MAX].into();
        inbox::create(&mut connection, &place.schema, &create).await.unwrap();
    }
    let first = engine.store.inbox(None, 2).await.unwrap();
    assert_eq!(first.iter().map(|entry| entry.execution).collect::<Vec<_>>(), ids[..2]);
    let mut seen = 2;
    let mut after = Some(first[1].number);
    loop {
        let page = engine.store.inbox(after, 100).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.number);
        assert!(page.iter().map(|entry| entry.create.len()).sum::<usize>() <= INBOX_PAGE_BYTES);
        for entry in page {
            assert_eq!(entry.execution, ids[seen]);
            seen += 1;
        }
    }
    assert_eq!(seen, ids.len());
}

#[tokio::test]
async fn a_number_is_never_used_twice() {
    let place = Place::fresh();
    let engine = engine(&place).await;
    let mut connection = place.raw().await;
    let mut last = 0;
    for _ in 0..3 {
        inbox::create(&mut connection, &place.schema, &create_command(engine.id(0))).await.unwrap();
        let entry = engine.store.inbox(None, 1).await.unwrap().remove(0);
        assert!(entry.number > last);
        last = entry.number;
        connection.execute("DELETE FROM inbox").await.unwrap();
    }
}

#[tokio::test]
async fn what_create_refuses_is_refused_in_the_transaction_and_leaves_it_usable() {
    let place = Place::fresh();
    let engine = engine(&place).await;
    let mut connection = place.raw().await;
    let mut transaction = connection.begin().await.unwrap();
    let mut large = create_command(engine.id(0));
    large.input_payload = vec![0; PAYLOAD_BYTES_MAX + 1].into();
    assert_eq!(inbox::create(&mut transaction, &place.schema, &large).await.unwrap_err().code(), "payload_too_large");
    let mut untagged = create_command(engine.id(0));
    untagged.tags = [("No".to_owned(), "grammar".to_owned())].into();
    assert_eq!(inbox::create(&mut transaction, &place.schema, &untagged).await.unwrap_err().code(), "invalid_tag_key");
    let elsewhere =
        inbox::create(&mut transaction, &place.schema, &create_command(engine.id(60_000))).await.unwrap_err();
    assert_eq!(elsewhere.code(), "invalid_input");
    assert!(elsewhere.to_string().contains("no partition 60000, there are 256"), "{elsewhere}");
    let good = engine.id(0);
    inbox::create(&mut transaction, &place.schema, &create_command(good)).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(left(&engine).await, [good]);
}

#[tokio::test]
async fn a_schema_that_is_no_store_is_told_so() {
    let place = Place::fresh();
    let mut connection = place.raw().await;
    let id = ExecutionId::from_parts(0, uuid::Uuid::from_u128(1));
    let error = inbox::create(&mut connection, &place.schema, &create_command(id)).await.unwrap_err();
    assert_eq!(error.code(), "transport");
    assert!(error.to_string().contains("does not exist"), "{error}");
    let error = inbox::create(&mut connection, "no\"schema", &create_command(id)).await.unwrap_err();
    assert_eq!(error.code(), "invalid_input");
}

#[tokio::test]
async fn a_row_the_engine_could_not_even_report_is_not_taken() {
    let place = Place::fresh();
    let _engine = engine(&place).await;
    let mut connection = place.raw().await;
    for partition in [-1, 70_000] {
        let refused = sqlx::query("INSERT INTO inbox (partition, execution, create_bytes) VALUES ($1, $2, '')")
            .bind(partition)
            .bind(uuid::Uuid::nil())
            .execute(&mut connection)
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("check constraint"), "{refused}");
    }
}

#[tokio::test]
async fn a_store_of_the_first_version_gets_its_inbox() {
    let place = Place::fresh();
    let mut before = engine(&place).await;
    before.created([1]).await;
    before.store.close().await;
    place.raw().await.execute("DROP TABLE inbox; DELETE FROM migrations WHERE version = 2").await.unwrap();
    let after = engine(&place).await;
    assert_eq!(left(&after).await, []);
    assert_eq!(after.store.list_executions(1, None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_application_needs_no_more_than_the_documented_rights() {
    let place = Place::fresh();
    let engine = engine(&place).await;
    let role = format!("a_{}", &place.schema[2..]);
    let schema = &place.schema;
    let mut connection = place.raw().await;
    let grants = format!(
        "CREATE ROLE {role}; GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT INSERT ON {schema}.inbox TO {role}; \
         GRANT SELECT ON {schema}.meta TO {role}; SET ROLE {role}"
    );
    connection.execute(sqlx::AssertSqlSafe(grants)).await.unwrap();
    let id = engine.id(1);
    inbox::create(&mut connection, schema, &create_command(id)).await.unwrap();
    assert_eq!(left(&engine).await, [id]);
    connection.execute("SELECT * FROM executions").await.unwrap_err();
}
