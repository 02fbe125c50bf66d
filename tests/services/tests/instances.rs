//! Instances of each kind: they serve, come back with their data, and end with their owner.

use leasehold_services::{
    Flavour, Postgres, PostgresConfig, Redis, RedisConfig, Reply, ServiceError, Services, ValkeyCluster, is_alive,
    wait_for,
};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

fn eventually(what: &str, mut look: impl FnMut() -> bool) {
    let seen = wait_for(LIMIT, || Ok::<_, ServiceError>(look().then_some(()))).unwrap();
    assert!(seen.is_some(), "in vain waited until {what}");
}

fn redis(flavour: Flavour, durable: bool) -> Redis {
    Redis::start(&RedisConfig { flavour, durable, ..RedisConfig::default() }).unwrap()
}

/// Runs a statement with the client that comes with the server.
fn psql(url: &str, statement: &str) -> String {
    let folder = leasehold_services::Kind::Postgres.programs().unwrap();
    let mut command = Command::new(folder.folder.join("psql"));
    if let Some(libraries) = folder.libraries {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    let output = command.args(["-XAtq", "-c", statement, url]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_killed_postgres_comes_back_on_its_port_with_what_was_committed() {
    let mut postgres = Postgres::start(&PostgresConfig { durable: true, ..PostgresConfig::default() }).unwrap();
    let (url, pids) = (postgres.url(), postgres.pids());
    psql(&url, "create table kept as select 7 as number");
    assert!(pids.len() > 1, "a postmaster has children");

    postgres.kill().unwrap();
    assert!(!postgres.is_alive() && pids.iter().all(|pid| !is_alive(*pid)));
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, postgres.port())).is_err());

    postgres.restart().unwrap();
    assert_eq!(postgres.url(), url);
    assert!(!pids.contains(&postgres.pid()));
    assert_eq!(psql(&url, "select number from kept"), "7");
}

#[test]
fn a_postgres_is_durable_only_when_that_is_asked_for() {
    let fleeting = Postgres::start(&PostgresConfig::default()).unwrap();
    assert_eq!(psql(&fleeting.url(), "show fsync"), "off");
    let durable = Postgres::start(&PostgresConfig { durable: true, ..PostgresConfig::default() }).unwrap();
    assert_eq!(psql(&durable.url(), "show fsync"), "on");
    assert_eq!(psql(&durable.url(), "show synchronous_commit"), "on");
    assert_eq!(psql(&durable.url(), "show full_page_writes"), "on");
}

#[test]
fn settings_win_over_the_defaults_and_can_be_changed() {
    let settings = vec![("max_connections".to_owned(), "17".to_owned())];
    let postgres = Postgres::start(&PostgresConfig { settings, ..PostgresConfig::default() }).unwrap();
    assert_eq!(psql(&postgres.url(), "show max_connections"), "17");
    postgres.configure(&[("lock_timeout", "123")]).unwrap();
    postgres.reload().unwrap();
    eventually("the setting holds", || psql(&postgres.url(), "show lock_timeout") == "123ms");
}

#[test]
fn a_password_is_asked_for_where_one_is_set() {
    let config = PostgresConfig { password: Some("s3cret".to_owned()), ..PostgresConfig::default() };
    let postgres = Postgres::start(&config).unwrap();
    assert_eq!(psql(&postgres.url(), "select 1"), "1");
    let folder = leasehold_services::Kind::Postgres.programs().unwrap().folder;
    let wrong = postgres.url().replace("s3cret", "guess");
    let output = Command::new(folder.join("psql")).args(["-c", "select 1", &wrong]).output().unwrap();
    assert!(!output.status.success());
}

#[test]
fn a_paused_postgres_answers_once_it_goes_on() {
    let postgres = Postgres::start(&PostgresConfig::default()).unwrap();
    postgres.pause().unwrap();
    let state = |pid: u32| fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    eventually("all of it stands still", || postgres.pids().into_iter().all(|pid| state(pid).contains("T (stopped)")));
    postgres.resume().unwrap();
    assert_eq!(psql(&postgres.url(), "select 1"), "1");
}

#[test]
fn a_server_of_each_flavour_serves_and_tells_its_version() {
    for (flavour, field, least) in [(Flavour::Redis, "redis_version", "7."), (Flavour::Valkey, "valkey_version", "8.")]
    {
        let redis = redis(flavour, false);
        let version = redis.info(field).unwrap().expect("a version");
        assert!(version.starts_with(least), "{version}");
        assert_eq!(redis.command(&["CONFIG", "GET", "appendonly"]).unwrap(), list(&["appendonly", "no"]));
    }
}

#[test]
fn a_killed_redis_comes_back_on_its_port_with_what_was_synced() {
    for flavour in [Flavour::Redis, Flavour::Valkey] {
        let mut redis = redis(flavour, true);
        redis.configure(&[("appendfsync", "always")]).unwrap();
        redis.restart().unwrap();
        redis.command(&["SET", "kept", "7"]).unwrap();
        let (url, pid) = (redis.url(), redis.pid());

        redis.kill().unwrap();
        assert!(!redis.is_alive() && redis.command(&["PING"]).is_err());

        redis.restart().unwrap();
        assert_eq!(redis.url(), url);
        assert_ne!(redis.pid(), pid);
        assert_eq!(redis.command(&["GET", "kept"]).unwrap(), Reply::Text("7".to_owned()));
    }
}

#[test]
fn a_paused_redis_answers_once_it_goes_on() {
    let redis = redis(Flavour::Valkey, false);
    redis.pause().unwrap();
    let status = format!("/proc/{}/status", redis.pid());
    eventually("it stands still", || fs::read_to_string(&status).unwrap().contains("T (stopped)"));
    redis.resume().unwrap();
    assert_eq!(redis.command(&["PING"]).unwrap(), Reply::Text("PONG".to_owned()));
}

#[test]
fn a_cluster_serves_all_slots_and_promotes_a_replica() {
    let mut cluster = ValkeyCluster::start(&RedisConfig::default()).unwrap();
    assert_eq!(cluster.primaries(), [0, 1, 2]);
    assert!(cluster.nodes().iter().all(|node| node.port() < 55_536));
    let written: i64 = cluster.nodes()[..3]
        .iter()
        .map(|node| match node.command(&["DBSIZE"]).unwrap() {
            Reply::Integer(keys) => keys,
            other => panic!("{other:?}"),
        })
        .sum();
    assert_eq!(written, 0);

    cluster.node(0).kill().unwrap();
    eventually("its replica takes over", || cluster.primaries() == [1, 2, 3]);
    cluster.node(0).restart().unwrap();
    eventually("the former primary follows", || {
        cluster.nodes()[0].info("role").ok().flatten().is_some_and(|role| role == "slave")
    });
    cluster.wait_until_whole().unwrap();
}

#[test]
fn everything_starts_at_once_and_ends_with_its_owner() {
    let services = Services::start().unwrap();
    let names: Vec<&str> = services.variables().iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        ["LEASEHOLD_TEST_POSTGRES", "LEASEHOLD_TEST_REDIS", "LEASEHOLD_TEST_VALKEY", "LEASEHOLD_TEST_VALKEY_CLUSTER"]
    );
    let cluster = services.variables()[3].1.clone();
    assert_eq!(cluster.split(',').count(), 3);
    let (pids, data) = (services.pids(), services.postgres.data());
    assert_eq!(pids.len(), 9);
    drop(services);
    assert!(pids.iter().all(|pid| !is_alive(*pid)), "all have ended when the owner is gone");
    assert!(!data.exists());
}

#[test]
fn servers_end_when_their_owner_is_killed() {
    let mut owner =
        Command::new(env!("CARGO_BIN_EXE_hold")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut held: Vec<(u32, PathBuf)> = Vec::new();
    for line in BufReader::new(owner.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let Some((pid, folder)) = line.split_once(' ') else {
            break;
        };
        held.push((pid.parse().unwrap(), Path::new(folder).to_owned()));
    }
    assert_eq!(held.len(), 3);
    assert!(held.iter().all(|(pid, folder)| is_alive(*pid) && folder.exists()));

    owner.kill().unwrap();
    owner.wait().unwrap();
    eventually("they have ended", || held.iter().all(|(pid, _)| !is_alive(*pid)));
    eventually("their folders are gone", || held.iter().all(|(_, folder)| !folder.exists()));
}

fn list(words: &[&str]) -> Reply {
    Reply::List(words.iter().map(|word| Reply::Text((*word).to_owned())).collect())
}
