//! Somebody else at the PostgreSQL server: sessions are terminated again and
//! again, and tables are locked for longer than a statement waits.

use super::account::Account;
use super::play::Play;
use super::server::Server;
use super::spec::StoreSpec;
use super::{Case, Scene, nothing};
use crate::kills::Fallible;
use rand::Rng;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::time::Duration;

/// All of them.
pub const CASES: &[Case] = &[
    Case {
        fault: "pg_terminate_backend",
        target: "postgres",
        promise: PROMISE,
        obstacle: nothing,
        scene: || Ok(Box::new(Intruded { server: Server::postgres(None)?, intrude: terminate })),
    },
    Case {
        fault: "locks held",
        target: "postgres",
        promise: PROMISE,
        obstacle: nothing,
        scene: || Ok(Box::new(Intruded { server: Server::postgres(None)?, intrude: lock })),
    },
];

const PROMISE: &str = "the server goes on: nothing acknowledged is lost";

/// Ends every session of a node.
const TERMINATE: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
    WHERE application_name = 'leasehold' AND pid <> pg_backend_pid()";

/// What is locked, one at a time.
const TABLES: [&str; 5] = ["nodes", "partitions", "executions", "events", "meta"];

type Intrude = fn(&mut Play, &StoreSpec) -> Fallible;

struct Intruded {
    server: Server,
    intrude: Intrude,
}

impl Scene for Intruded {
    fn round(&mut self, seed: u64) -> Fallible<Account> {
        let store = self.server.store();
        let mut play = Play::begin(seed, &store)?;
        (self.intrude)(&mut play, &store)?;
        play.served_again()?;
        play.settle(&store)
    }
}

fn session(play: &Play, store: &StoreSpec) -> Fallible<(PgConnection, String)> {
    let StoreSpec::Postgres { url, schema, .. } = store else { return Err("not on PostgreSQL".into()) };
    Ok((play.runtime.block_on(PgConnection::connect(url))?, schema.clone()))
}

fn terminate(play: &mut Play, store: &StoreSpec) -> Fallible {
    let (mut session, _) = session(play, store)?;
    for _ in 0..play.rng.random_range(20..=40) {
        let ended: i64 = play.runtime.block_on(sqlx::query_scalar(TERMINATE).fetch_one(&mut session))?;
        play.count("sessions terminated", ended.unsigned_abs());
        let whole = play.draw(5, 80);
        play.pass(whole)?;
    }
    Ok(play.runtime.block_on(session.close())?)
}

fn lock(play: &mut Play, store: &StoreSpec) -> Fallible {
    let (mut session, schema) = session(play, store)?;
    for _ in 0..3 {
        let table = TABLES[play.rng.random_range(0..TABLES.len())];
        let lock = format!("BEGIN; LOCK TABLE {schema}.{table} IN ACCESS EXCLUSIVE MODE");
        play.runtime.block_on(sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut session))?;
        // A statement waits for half a second; a node's lease runs for three.
        let held = if play.rng.random_ratio(1, 5) { Duration::from_millis(3_500) } else { play.draw(300, 1_500) };
        play.pass(held)?;
        play.runtime.block_on(sqlx::raw_sql("ROLLBACK").execute(&mut session))?;
        play.count(&format!("locks of {table}"), 1);
        let free = play.draw(100, 400);
        play.pass(free)?;
    }
    Ok(play.runtime.block_on(session.close())?)
}
