//! What the doctor finds.

use crate::{Ended, Server, command, run};
use serde_json::Value;
use std::path::Path;

/// Runs the doctor on a configuration; what it found of each thing.
async fn findings(config: &Path, url: Option<&str>) -> (Ended, Value) {
    let mut args = vec!["doctor", "--json", "--config", config.to_str().unwrap()];
    args.extend(url.into_iter().flat_map(|url| ["--url", url]));
    let ended = run(command(&args)).await;
    let told: Value = serde_json::from_str(&ended.data).unwrap_or_else(|_| panic!("{}", ended.notes));
    let mut findings = Value::Null;
    for found in told["findings"].as_array().unwrap() {
        findings[found["check"].as_str().unwrap()] = found.clone();
    }
    (ended, findings)
}

fn configured(dir: &Path, text: &str) -> std::path::PathBuf {
    let file = dir.join("cluster.toml");
    std::fs::write(&file, format!("[store]\npath = \"{}\"\n{text}", dir.join("work.db").display())).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_well_it_says_so() {
    let server = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let config = configured(dir.path(), "");
    let (ended, findings) = findings(&config, Some(&server.url())).await;
    assert_eq!(ended.code, Some(0), "{findings}");
    for check in ["config", "store", "http", "ownership", "engine", "clock"] {
        assert_eq!(findings[check]["verdict"], "ok", "{findings}");
    }
    assert!(!dir.path().join("work.db").exists(), "looking makes nothing");
    let people = run(command(&["doctor", "--config", config.to_str().unwrap(), "--url", &server.url()])).await;
    assert!(people.data.starts_with("CHECK"), "{}", people.data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_open_names_its_owner() {
    let dir = tempfile::tempdir().unwrap();
    let node = leasehold::Node::builder().sqlite(dir.path().join("work.db")).open().await.unwrap();
    let (_, findings) = findings(&configured(dir.path(), ""), Some("http://127.0.0.1:1")).await;
    let detail = findings["store"]["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("open in another process (pid {}", std::process::id())), "{detail}");
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_comes_with_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("work.db"), "Dear all,").unwrap();
    let config = configured(dir.path(), "[http]\nlisten = \"0.0.0.0:7420\"\n");
    let (ended, found) = findings(&config, Some("http://127.0.0.1:1")).await;
    assert_eq!(ended.code, Some(1));
    for (check, remedy) in [("store", "a file of its own"), ("listener", "http.token"), ("http", "leasehold serve")] {
        assert_eq!(found[check]["verdict"], "failure", "{found}");
        assert!(found[check]["remedy"].as_str().unwrap().contains(remedy), "{found}");
    }

    let config = configured(dir.path(), "pathh = 1\n");
    let (ended, found) = findings(&config, Some("http://127.0.0.1:1")).await;
    assert_eq!(ended.code, Some(1));
    assert!(found["config"]["detail"].as_str().unwrap().contains("cluster.toml:3: "), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_ended_and_a_missing_token_are_told() {
    let server = Server::with_token("hunter2").await;
    let dir = tempfile::tempdir().unwrap();
    let config = configured(dir.path(), "");
    let (_, found) = findings(&config, Some(&server.url())).await;
    assert_eq!(found["ownership"]["verdict"], "ok");
    assert_eq!(found["engine"]["verdict"], "failure");
    assert!(found["engine"]["remedy"].as_str().unwrap().contains("--token"), "{found}");

    let config = configured(dir.path(), "[http]\ntoken = \"hunter2\"\n");
    server.node.engine().crash().await;
    let (ended, found) = findings(&config, Some(&server.url())).await;
    assert_eq!(ended.code, Some(1));
    assert_eq!(found["engine"]["verdict"], "ok", "{found}");
    assert_eq!(found["ownership"]["verdict"], "failure", "{found}");
}
