//! Word from outside writers and from other nodes, and what is left when the
//! connection that listens is lost.

mod support;

use futures::FutureExt;
use leasehold_backend::{Backend, Hints, ManualClock};
use leasehold_backend_suite::{START, create_command};
use leasehold_postgres::{PostgresBackend, inbox};
use sqlx::{Connection, Executor, Row};
use std::sync::Arc;
use std::time::Duration;
use support::{Place, engine};

const PATIENCE: Duration = Duration::from_secs(30);

async fn hint(hints: &mut Hints) {
    tokio::time::timeout(PATIENCE, hints.next()).await.expect("a hint");
}

/// Listens, from when it has come to stand.
async fn listening(store: &PostgresBackend) -> Hints {
    let mut hints = store.watch().unwrap();
    hint(&mut hints).await;
    hints
}

async fn another(place: &Place) -> PostgresBackend {
    let clock = Arc::new(ManualClock::new(START));
    PostgresBackend::open(place.options(&clock)).await.unwrap()
}

/// The sessions that listen for this store.
async fn listeners(place: &Place) -> Vec<i32> {
    let listen = sqlx::query("SELECT pid FROM pg_stat_activity WHERE query = $1");
    let listen = listen.bind(format!("LISTEN \"{}\"", place.schema));
    let rows = listen.fetch_all(&mut place.raw().await).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn word_in_a_transaction_comes_exactly_with_its_commit() {
    let place = Place::fresh();
    let engine = engine(&place).await;
    let mut hints = listening(&engine.store).await;
    let mut connection = place.raw().await;
    for commits in [false, true, false, true] {
        let mut transaction = connection.begin().await.unwrap();
        let id = engine.id(1);
        inbox::create(&mut transaction, &place.schema, &create_command(id)).await.unwrap();
        inbox::announce(&mut transaction, &place.schema).await.unwrap();
        if commits {
            transaction.commit().await.unwrap();
            hint(&mut hints).await;
            assert!(engine.store.inbox_of(id).await.unwrap().is_some());
        } else {
            transaction.rollback().await.unwrap();
            assert_eq!(engine.store.inbox_of(id).await.unwrap(), None);
            assert_eq!(hints.next().now_or_never(), None);
        }
    }
}

#[tokio::test]
async fn word_after_a_commit_comes_at_once_and_needs_no_rights() {
    let place = Place::fresh();
    let engine = engine(&place).await;
    let mut hints = listening(&engine.store).await;
    let mut connection = place.raw().await;
    let role = format!("w_{}", &place.schema[2..]);
    connection.execute(sqlx::AssertSqlSafe(format!("CREATE ROLE {role}; SET ROLE {role}"))).await.unwrap();
    for _ in 0..3 {
        inbox::announce(&mut connection, &place.schema).await.unwrap();
        hint(&mut hints).await;
    }
    let error = inbox::announce(&mut connection, "no\"schema").await.unwrap_err();
    assert_eq!(error.code(), "invalid_input");
}

#[tokio::test]
async fn an_announcement_reaches_the_other_nodes_of_the_store_and_nobody_else() {
    let (place, elsewhere) = (Place::fresh(), Place::fresh());
    let (engine, stranger) = (engine(&place).await, engine(&elsewhere).await);
    let other = another(&place).await;
    let mut hints = listening(&engine.store).await;
    let mut own = listening(&other).await;
    let mut strange = listening(&stranger.store).await;
    for _ in 0..3 {
        other.announce();
        hint(&mut hints).await;
    }
    // What it says comes back to it before what is said afterwards.
    inbox::announce(&mut place.raw().await, &place.schema).await.unwrap();
    hint(&mut own).await;
    assert_eq!(own.next().now_or_never(), None);
    assert_eq!(strange.next().now_or_never(), None);
}

#[tokio::test]
async fn many_announcements_go_out_as_few() {
    let place = Place::fresh();
    let engine = engine(&place).await;
    let other = another(&place).await;
    let mut hints = listening(&engine.store).await;
    let own = listening(&other).await;
    let before = other.stats().statements;
    let mut told = 0;
    while hints.next().now_or_never().is_none() {
        other.announce();
        told += 1;
        tokio::task::yield_now().await;
    }
    let sent = other.stats().statements - before;
    assert!(sent >= 1 && sent < told, "{sent} of {told}");
    drop(own);
}

#[tokio::test]
async fn a_listener_that_is_cut_off_comes_back_and_says_that_it_may_have_missed_something() {
    let place = Place::fresh();
    let engine = engine(&place).await;
    let mut hints = listening(&engine.store).await;
    let mut raw = place.raw().await;
    for _ in 0..3 {
        let pid = loop {
            // The one before may not be gone to the last.
            if let [pid] = listeners(&place).await[..] {
                break pid;
            }
        };
        sqlx::query("SELECT pg_terminate_backend($1)").bind(pid).execute(&mut raw).await.unwrap();
        hint(&mut hints).await;
        inbox::announce(&mut raw, &place.schema).await.unwrap();
        hint(&mut hints).await;
    }
}

#[tokio::test]
async fn nobody_listens_before_it_is_asked_for_behind_a_pooler_and_where_it_is_switched_off() {
    let place = Place::fresh();
    let engine = engine(&place).await;
    assert!(listeners(&place).await.is_empty());
    let clock = Arc::new(ManualClock::new(START));
    for (pooler, listen) in [(true, true), (false, false)] {
        let mut options = place.options(&clock);
        (options.pooler, options.listen) = (pooler, listen);
        let store = PostgresBackend::open(options).await.unwrap();
        let mut hints = store.watch().expect("there are outside writers all the same");
        store.announce();
        store.ping().await.unwrap();
        assert_eq!(hints.next().now_or_never(), None);
        assert!(listeners(&place).await.is_empty());
    }
    let hints = listening(&engine.store).await;
    assert_eq!(listeners(&place).await.len(), 1);
    drop(hints);
    engine.store.close().await;
    while !listeners(&place).await.is_empty() {
        tokio::task::yield_now().await;
    }
}
