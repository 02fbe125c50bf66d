//! PostgreSQL servers.

use crate::{Configured, assert_found};
use leasehold_services::{Kind, Postgres, PostgresConfig};
use std::process::Command;

const PASSWORD: &str = "s3cret";

/// A server that asks for a password, and is as durable as it comes.
struct Server {
    postgres: Postgres,
    programs: std::path::PathBuf,
}

impl Server {
    fn start() -> Self {
        let config = PostgresConfig { durable: true, password: Some(PASSWORD.to_owned()), ..PostgresConfig::default() };
        Self { postgres: Postgres::start(&config).unwrap(), programs: Kind::Postgres.programs().unwrap().folder }
    }

    fn output(&self, program: &str, args: &[&str]) -> String {
        let output = Command::new(self.programs.join(program)).args(args).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn sql(&self, database: &str, sql: &str) -> String {
        self.output("psql", &["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &self.url(database), "-c", sql])
    }

    fn url(&self, database: &str) -> String {
        self.postgres.url_of(database)
    }

    /// A database of its own and the configuration for it.
    fn database(&self, name: &str) -> Configured {
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        Configured::on("postgres", &[("STORE__POSTGRES__URL", &self.url(name))])
    }

    /// Everything in a database, and the settings of all of them.
    fn dump(&self, database: &str) -> String {
        let dump = self.output("pg_dump", &["-d", &self.url(database)]);
        let settings = self.sql("postgres", "SELECT * FROM pg_db_role_setting");
        // A dump is locked by a word that is another one each time.
        let lines = dump.lines().filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
        lines.collect::<Vec<_>>().join("\n") + &settings
    }
}

#[tokio::test]
async fn an_address_that_leads_nowhere_is_refused() {
    for (url, told) in [
        ("mysql://me:geheim@127.0.0.1/db", &["none of a PostgreSQL server", "postgres://role:password@host"][..]),
        ("postgres://me:geheim@127.0.0.1:port/db", &["cannot be read", "postgres://role:password@host"]),
        // Nobody listens on the port for reserved use.
        ("postgres://me:geheim@127.0.0.1:1/db", &["postgres://me@127.0.0.1:1/db", "the host, the port"]),
        ("postgres://me:geheim@no.such.host.invalid/db", &["no.such.host.invalid", "the host, the port"]),
    ] {
        let store = Configured::on("postgres", &[("STORE__POSTGRES__URL", url)]);
        store.refused(told).await;
        let (_, findings) = store.doctor(&[]).await;
        assert!(findings.iter().all(|found| !found.to_string().contains("geheim")), "{findings:?}");
    }
    let none = Configured::on("postgres", &[]);
    none.refused(&["store.postgres.url"]).await;
}

#[tokio::test]
async fn a_server_that_cannot_be_entered_is_refused_and_left_alone() {
    let server = Server::start();

    // A password that is wrong, a role and a database that do not exist.
    let store = server.database("guarded");
    let before = server.dump("guarded");
    let port = server.postgres.port();
    for (who, database, told) in [
        ("postgres:wrong", "guarded", "password authentication failed"),
        ("nobody:wrong", "guarded", "password authentication failed"),
        ("postgres:s3cret", "nowhere", "does not exist"),
    ] {
        let url = format!("postgres://{who}@127.0.0.1:{port}/{database}");
        store.with("STORE__POSTGRES__URL", &url).refused(&[told]).await;
    }
    assert_eq!(server.dump("guarded"), before);
}

#[tokio::test]
async fn a_server_that_will_not_do_is_refused_and_left_alone() {
    let server = Server::start();

    // A server that says it is older: whatever is asked for its settings is
    // asked of a function that stands before the server's own.
    let store = server.database("old");
    server.sql(
        "old",
        "CREATE SCHEMA pretence; \
         CREATE FUNCTION pretence.current_setting(text) RETURNS text LANGUAGE sql STABLE AS $$ \
            SELECT CASE $1 WHEN 'server_version_num' THEN '130014' WHEN 'server_version' THEN '13.14' \
                ELSE pg_catalog.current_setting($1) END $$; \
         ALTER DATABASE old SET search_path = pretence, pg_catalog",
    );
    let before = server.dump("old");
    store.refused(&["version 13.14", "14 or newer"]).await;
    assert_eq!(server.dump("old"), before);

    // A database that takes no writes.
    let store = server.database("standing");
    server.sql("postgres", "ALTER DATABASE standing SET default_transaction_read_only = on");
    let before = server.dump("standing");
    store.refused(&["takes no writes"]).await;
    assert_eq!(server.dump("standing"), before);
}

#[tokio::test]
async fn a_schema_that_cannot_be_used_is_refused_and_left_alone() {
    let server = Server::start();

    // A schema of another program.
    let store = server.database("foreign_tables");
    server.sql("foreign_tables", "CREATE SCHEMA leasehold; CREATE TABLE leasehold.executions (theirs int)");
    server.sql("foreign_tables", "INSERT INTO leasehold.executions VALUES (1)");
    let before = server.dump("foreign_tables");
    store.refused(&["schema leasehold", "another program"]).await;
    assert_eq!(server.dump("foreign_tables"), before);

    // Other partition counts, and a newer schema.
    let store = server.database("shop");
    store.done(&["migrate"]).await;
    let before = server.dump("shop");
    store.with("PARTITIONS__FLOW", "8").refused(&["4/32/32", "8/32/32"]).await;
    assert_eq!(server.dump("shop"), before);
    server.sql("shop", "INSERT INTO leasehold.migrations VALUES (99); DROP TABLE leasehold.inbox");
    let before = server.dump("shop");
    store.refused(&["schema version 99", "newer version"]).await;
    assert_eq!(server.dump("shop"), before);
}

#[tokio::test]
async fn a_schema_is_brought_up_to_date_once_and_told_beforehand() {
    let server = Server::start();
    let store = server.database("shop");
    let before = server.dump("shop");
    assert_eq!(store.steps(&["migrate", "--dry-run"]).await, [(None, 3, true)]);
    assert_eq!(server.dump("shop"), before, "it was only told");
    assert_eq!(store.steps(&["migrate"]).await, [(None, 3, true)]);
    let made = server.dump("shop");

    // As the second version left it.
    server.sql("shop", "DROP TABLE leasehold.kept; DELETE FROM leasehold.migrations WHERE version = 3");
    let before = server.dump("shop");
    assert_eq!(store.steps(&["migrate", "--dry-run"]).await, [(Some(2), 3, true)]);
    assert_found(&store.diagnosis("schema", &[]).await, "ok", "version 2, raised to 3");
    assert_eq!(server.dump("shop"), before, "it was only told");
    let told = store.done(&["migrate"]).await;
    assert!(told.contains("was brought from version 2 to 3"), "{told}");
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'leasehold'";
    assert_eq!(server.sql("shop", tables).trim(), made.matches("CREATE TABLE leasehold.").count().to_string());
    assert_eq!(store.steps(&["migrate"]).await, [(Some(3), 3, false)]);
}

#[tokio::test]
async fn the_doctor_tells_how_a_server_stands_and_alters_nothing() {
    let server = Server::start();
    let store = server.database("shop");
    let before = server.dump("shop");
    assert_found(&store.diagnosis("schema", &[]).await, "ok", "leasehold is missing and is made");
    assert_eq!(server.dump("shop"), before);

    let serving = store.serve().await;
    for (check, part) in [
        ("store", "PostgreSQL "),
        ("durability", "fsync and full_page_writes are on, synchronous_commit is on"),
        ("schema", "version 3, 4 flow, 32 budget and 32 quota partitions, identity "),
        ("store clock", "within 2000 ms"),
        ("nodes", "1 live, 0 lapsed, 0 dead"),
        ("partitions", "all 4 are held by live nodes"),
    ] {
        assert_found(&store.diagnosis(check, &[]).await, "ok", part);
    }
    let pooled = store.with("STORE__POSTGRES__POOLER", "true");
    assert_found(&pooled.diagnosis("partitions", &[]).await, "ok", "all 4 are held by live nodes");
    drop(serving);

    let lapse = "UPDATE leasehold.nodes SET expires_at = 0";
    server.sql("shop", lapse);
    let before = server.dump("shop");
    assert_found(&store.diagnosis("nodes", &[]).await, "warning", "0 live, 1 lapsed, 0 dead; nothing runs");
    assert_found(&store.diagnosis("partitions", &[]).await, "warning", "0 of 4 are held by live nodes, 4 by nodes");
    assert_eq!(server.dump("shop"), before);

    server.sql("postgres", "ALTER DATABASE shop SET synchronous_commit = off");
    assert_found(&store.diagnosis("durability", &[]).await, "warning", "synchronous_commit is off");
    server.postgres.configure(&[("fsync", "off"), ("full_page_writes", "off")]).unwrap();
    server.postgres.reload().unwrap();
    // The server takes its time to read its settings.
    while server.sql("shop", "SHOW full_page_writes").trim() != "off" {}
    assert_found(&store.diagnosis("durability", &[]).await, "failure", "fsync is off");
    assert_found(&store.diagnosis("durability", &[]).await, "warning", "full_page_writes is off");
}
