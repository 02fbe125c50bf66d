//! Redis and Valkey servers.

use crate::impostor::Impostor;
use crate::{Configured, assert_found};
use leasehold_services::{Flavour, Redis, RedisConfig, Reply, ValkeyCluster};

/// The version of the function library that this build brings.
const LIBRARY: u64 = 2;

/// The version of the schema that this build knows.
const SCHEMA: u64 = 1;

const FLAVOURS: [Flavour; 2] = [Flavour::Redis, Flavour::Valkey];

fn start(flavour: Flavour, settings: &[(&str, &str)]) -> Redis {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Redis::start(&RedisConfig { flavour, durable: true, settings, ..RedisConfig::default() }).unwrap()
}

fn configured(url: &str) -> Configured {
    Configured::on("redis", &[("STORE__REDIS__URL", url)])
}

/// Every key with what is in it, the function libraries and the settings.
fn dump(server: &Redis) -> Vec<Reply> {
    let Reply::List(mut keys) = server.command(&["KEYS", "*"]).unwrap() else { panic!("no list of keys") };
    keys.sort_by_key(|key| format!("{key:?}"));
    let mut dump = Vec::new();
    for key in keys {
        let Reply::Text(name) = &key else { panic!("{key:?}") };
        dump.push(server.command(&["DUMP", name]).unwrap());
        dump.push(key);
    }
    dump.push(server.command(&["FUNCTION", "LIST", "WITHCODE"]).unwrap());
    let Reply::List(settings) = server.command(&["CONFIG", "GET", "*"]).unwrap() else { panic!("no settings") };
    // Their order changes from one answer to the next.
    let mut settings: Vec<Reply> = settings.chunks(2).map(|pair| Reply::List(pair.to_vec())).collect();
    settings.sort_by_key(|pair| format!("{pair:?}"));
    dump.extend(settings);
    dump
}

#[tokio::test]
async fn an_address_that_leads_nowhere_is_refused() {
    for (url, told) in [
        ("somewhere:6379", &["cannot be read", "redis://[user:password@]host:port"][..]),
        ("redis://me:geheim@host:port", &["cannot be read", "redis://[user:password@]host:port"]),
        // Nobody listens on the port for reserved use.
        ("redis://:geheim@127.0.0.1:1", &["cannot be reached", "127.0.0.1:1"]),
        ("redis://:geheim@no.such.host.invalid", &["cannot be reached", "no.such.host.invalid"]),
    ] {
        let store = configured(url);
        store.refused(told).await;
        let (_, findings) = store.doctor(&[]).await;
        assert!(findings.iter().all(|found| !found.to_string().contains("geheim")), "{findings:?}");
    }
    Configured::on("redis", &[]).refused(&["store.redis.url"]).await;
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused_and_only_read() {
    for (info, told) in [
        (
            "redis_version:6.2.14\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n",
            "Redis 6.2.14, and the engine needs Redis 7.0",
        ),
        (
            "redis_version:7.2.4\r\nvalkey_version:7.1.0\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n",
            "Valkey 7.1.0, and the engine needs Valkey 7.2",
        ),
    ] {
        let impostor = Impostor::start(info);
        configured(&impostor.url).refused(&[told]).await;
        let harmless = ["CLIENT", "INFO", "CONFIG", "TIME", "HMGET", "EXISTS"];
        let asked = impostor.asked();
        assert!(asked.iter().all(|command| harmless.contains(&command.as_str())), "{asked:?}");
        assert!(asked.contains(&"INFO".to_owned()), "{asked:?}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_refused_and_left_alone() {
    for flavour in FLAVOURS {
        let server = start(flavour, &[]);
        server.command(&["ACL", "SETUSER", "app", "on", ">s3cret", "~*", "&*", "+@all"]).unwrap();
        let before = dump(&server);
        for who in ["app:wrong", "nobody:s3cret"] {
            let url = format!("redis://{who}@127.0.0.1:{}", server.port());
            configured(&url).refused(&["credentials"]).await;
        }
        assert_eq!(dump(&server), before);

        let store = configured(&server.url());
        let fsynced = store.with("STORE__REDIS__DURABILITY", "fsynced");
        server.command(&["CONFIG", "SET", "appendonly", "no"]).unwrap();
        let before = dump(&server);
        fsynced.refused(&["no append-only file", "fsynced"]).await;
        assert_eq!(dump(&server), before);
        server.command(&["CONFIG", "SET", "appendonly", "yes"]).unwrap();

        server.command(&["CONFIG", "SET", "appendfsync", "no"]).unwrap();
        let before = dump(&server);
        fsynced.refused(&["appendfsync", "fsynced"]).await;
        assert_eq!(dump(&server), before);
        server.command(&["CONFIG", "SET", "appendfsync", "everysec"]).unwrap();

        for policy in ["allkeys-lru", "volatile-ttl"] {
            server.command(&["CONFIG", "SET", "maxmemory-policy", policy]).unwrap();
            let before = dump(&server);
            store.refused(&[policy, "noeviction"]).await;
            assert_eq!(dump(&server), before);
        }
    }
    // Only this one cannot wait for its append-only file.
    let server = start(Flavour::Redis, &[]);
    if server.info("redis_version").unwrap().is_some_and(|version| version.starts_with("7.0")) {
        let before = dump(&server);
        let fsynced = configured(&server.url()).with("STORE__REDIS__DURABILITY", "fsynced");
        fsynced.refused(&["appendfsync is everysec", "appendfsync always"]).await;
        assert_eq!(dump(&server), before);
    }
}

#[tokio::test]
async fn contents_that_cannot_be_used_are_refused_and_left_alone() {
    for flavour in FLAVOURS {
        let server = start(flavour, &[]);
        let store = configured(&server.url());
        // Keys of another program under the names the engine would use.
        for (words, told) in [
            (&["SET", "leasehold:{s}:meta", "theirs"][..], "another program"),
            (&["HSET", "leasehold:{s}:meta", "theirs", "1"], "is no description of a store"),
            (&["SET", "leasehold:{s}:nodes", "theirs"], "{s}:nodes exists"),
            (&["HSET", "leasehold:{p3}:head", "owner", "theirs"], "{p3}:head exists"),
        ] {
            server.command(words).unwrap();
            let before = dump(&server);
            store.refused(&[told]).await;
            assert_eq!(dump(&server), before);
            server.command(&["DEL", words[1]]).unwrap();
        }

        // A library of another program under the name of ours.
        let library = "#!lua name=leasehold_v2\nredis.register_function('theirs', function() return 1 end)";
        server.command(&["FUNCTION", "LOAD", library]).unwrap();
        let before = dump(&server);
        store.refused(&["function library leasehold_v2", "FUNCTION DELETE leasehold_v2"]).await;
        assert_eq!(dump(&server), before);
        server.command(&["FUNCTION", "FLUSH"]).unwrap();

        store.done(&["migrate"]).await;
        let before = dump(&server);
        store.with("PARTITIONS__FLOW", "8").refused(&["4/32/32", "8/32/32"]).await;
        assert_eq!(dump(&server), before);
        server.command(&["HSET", "leasehold:{s}:meta", "schema", "99"]).unwrap();
        server.command(&["FUNCTION", "FLUSH"]).unwrap();
        let before = dump(&server);
        store.refused(&["schema version 99", "newer version"]).await;
        assert_eq!(dump(&server), before);
    }
}

#[tokio::test]
async fn a_library_is_loaded_once_and_told_beforehand_and_a_newer_one_stays() {
    for flavour in FLAVOURS {
        let server = start(flavour, &[]);
        let newer = "#!lua name=leasehold_v3\nredis.register_function('leasehold_v3_f', function() return 3 end)";
        server.command(&["FUNCTION", "LOAD", newer]).unwrap();
        let store = configured(&server.url());
        let before = dump(&server);
        assert_eq!(store.steps(&["migrate", "--dry-run"]).await, [(None, LIBRARY, true), (None, SCHEMA, true)]);
        assert_found(&store.diagnosis("functions", &[]).await, "ok", "version 2 is loaded at the next start");
        assert_eq!(dump(&server), before, "it was only told");
        assert_eq!(store.steps(&["migrate"]).await, [(None, LIBRARY, true), (None, SCHEMA, true)]);
        assert_eq!(store.steps(&["migrate"]).await, [(Some(LIBRARY), LIBRARY, false), (Some(SCHEMA), SCHEMA, false)]);
        assert_found(&store.diagnosis("functions", &[]).await, "ok", "version 2 is loaded; of other versions");
        assert_eq!(server.command(&["FCALL", "leasehold_v3_f", "0"]).unwrap(), Reply::Integer(3));

        server.command(&["FUNCTION", "FLUSH"]).unwrap();
        assert_eq!(store.steps(&["migrate"]).await, [(None, LIBRARY, true), (Some(SCHEMA), SCHEMA, false)]);
    }
}

#[tokio::test]
async fn the_doctor_tells_how_a_server_stands_and_alters_nothing() {
    for flavour in FLAVOURS {
        let server = start(flavour, &[("maxmemory", "512mb")]);
        let store = configured(&server.url());
        let before = dump(&server);
        assert_found(&store.diagnosis("schema", &["--keys"]).await, "ok", "nothing under `leasehold:`");
        assert_eq!(dump(&server), before);

        let serving = store.serve().await;
        for (check, part) in [
            ("store", "one server answers at 127.0.0.1:"),
            ("server", ", 0 replicas"),
            ("memory", "of 512 MiB, policy noeviction"),
            ("persistence", "appendfsync everysec, class acknowledged: up to two seconds"),
            ("functions", "version 2 is loaded"),
            ("schema", "version 1, 4 flow, 32 budget and 32 quota partitions, identity "),
            ("store clock", "within 2000 ms"),
            ("nodes", "1 live, 0 lapsed, 0 dead"),
            ("partitions", "all 4 are held by live nodes"),
        ] {
            assert_found(&store.diagnosis(check, &[]).await, "ok", part);
        }
        drop(serving);

        server.command(&["SET", "leasehold:theirs", "1"]).unwrap();
        server.command(&["SET", "leasehold:{p2}:lane", "1"]).unwrap();
        let before = dump(&server);
        let keys = store.diagnosis("keys", &["--keys"]).await;
        assert_found(&keys, "ok", "leasehold:{s}:meta, hash, schema, identity and partition counts: 1 keys, 5 entries");
        assert_found(&keys, "ok", "leasehold:{s}:nodes, hash, node to the end of its lease: 1 keys, 1 entries");
        assert_found(
            &keys,
            "ok",
            "leasehold:{pN}:head, hash, owner, epoch, nonce, seq and time of a partition: 4 keys",
        );
        assert_found(&keys, "ok", "leasehold:{pN}:event, stream, events of one commit: 0 keys, 0 entries");
        assert_found(&keys, "warning", "2 keys are none of these");
        assert_eq!((keys.len(), dump(&server)), (16, before));

        let replicated = store.with("STORE__REDIS__DURABILITY", "replicated");
        assert_found(&replicated.diagnosis("server", &[]).await, "failure", "waits for 1 replicas");
        server.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
        assert_found(&store.diagnosis("memory", &[]).await, "failure", "creates are refused");
        server.command(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
        assert_found(&store.diagnosis("memory", &[]).await, "warning", "has no maxmemory");
        server.command(&["CONFIG", "SET", "appendfsync", "no"]).unwrap();
        assert_found(&store.diagnosis("persistence", &[]).await, "warning", "appendfsync no");
        server.command(&["CONFIG", "SET", "appendonly", "no"]).unwrap();
        assert_found(&store.diagnosis("persistence", &[]).await, "warning", "no append-only file");
    }
}

#[tokio::test]
async fn every_primary_of_a_cluster_is_looked_at_and_brought_up_to_date() {
    let cluster = ValkeyCluster::start(&RedisConfig::default()).unwrap();
    let store = configured(&cluster.primary_urls()[0]);
    let libraries = [(None, LIBRARY, true); 3];
    assert_eq!(store.steps(&["migrate"]).await, [&libraries[..], &[(None, SCHEMA, true)]].concat());
    assert_found(&store.diagnosis("store", &[]).await, "ok", "a Cluster answers");
    assert_eq!(store.diagnosis("functions", &[]).await.len(), 3);
    assert_found(&store.diagnosis("server", &[]).await, "ok", ", 1 replicas");
    assert_found(&store.diagnosis("partitions", &[]).await, "warning", "0 of 4 are held by live nodes, 0 by nodes");

    let serving = store.serve().await;
    assert_found(&store.diagnosis("partitions", &[]).await, "ok", "all 4 are held by live nodes");
    // Whichever primary they are on.
    let keys = store.diagnosis("keys", &["--keys"]).await;
    assert_found(&keys, "ok", "leasehold:{pN}:head, hash, owner, epoch, nonce, seq and time of a partition: 4 keys");
    assert_found(&keys, "ok", "leasehold:{s}:nodes, hash, node to the end of its lease: 1 keys, 1 entries");
    drop(serving);
}
