//! Two nodes on one server store: what one holds the other refuses for the
//! time being, and takes when its owner is gone.

use crate::Configured;
use leasehold_cli::http_client::HttpClient;
use leasehold_services::{Postgres, PostgresConfig, Redis, RedisConfig};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

/// A node as a process.
struct Running {
    child: Child,
    client: HttpClient,
}

impl Running {
    async fn start(store: &Configured) -> Self {
        let mut child = store.command(&["serve", "--json"]).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(crate::PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        Self { child, client: HttpClient::new(told["url"].as_str().unwrap(), None).unwrap() }
    }

    async fn create(&self) -> Result<String, Value> {
        let body = json!({"namespace": "n", "lane_id": "l", "execution_kind": "k"});
        match self.client.post("/v1/executions", &body).await {
            Ok(answer) => Ok(answer.json().unwrap()["Created"]["execution_id"].as_str().unwrap().to_owned()),
            Err(error) => Err(error.refusal().unwrap_or_else(|| panic!("{error}")).envelope.clone()),
        }
    }

    async fn state(&self, id: &str) -> Value {
        let path = leasehold_cli::http_client::execution_path(id.parse().unwrap(), "/state");
        self.client.get(&path).await.unwrap().json().unwrap()
    }
}

async fn a_second_node_waits_until_the_first_is_gone(store: &Configured) {
    let store = store.with("NODE__LEASE_MS", "2000").with("NODE__HEARTBEAT_MS", "400");
    let mut first = Running::start(&store).await;
    let id = first.create().await.unwrap();
    let second = Running::start(&store).await;
    let refused = second.create().await.unwrap_err();
    assert_eq!(refused["code"], "partition_unavailable", "{refused}");
    assert_eq!(second.state(&id).await, "waiting", "reads need no owner");

    first.child.kill().await.unwrap();
    let taken = async {
        loop {
            match second.create().await {
                Ok(id) => break id,
                Err(refused) => assert_eq!(refused["code"], "partition_unavailable", "{refused}"),
            }
        }
    };
    let new = tokio::time::timeout(Duration::from_secs(60), taken).await.unwrap();
    assert_eq!(second.state(&new).await, "waiting");
    let all = store.diagnosis("partitions", &[]).await;
    crate::assert_found(&all, "ok", "all 4 are held by live nodes");
    crate::assert_found(&store.diagnosis("nodes", &[]).await, "ok", "1 live, 0 lapsed, 1 dead");
}

#[tokio::test]
async fn on_postgres_a_second_node_takes_over_when_the_first_is_gone() {
    let server = Postgres::start(&PostgresConfig::default()).unwrap();
    let store = Configured::on("postgres", &[("STORE__POSTGRES__URL", &server.url())]);
    a_second_node_waits_until_the_first_is_gone(&store).await;
}

#[tokio::test]
async fn on_valkey_a_second_node_takes_over_when_the_first_is_gone() {
    let server = Redis::start(&RedisConfig::default()).unwrap();
    let store = Configured::on("redis", &[("STORE__REDIS__URL", &server.url())]);
    a_second_node_waits_until_the_first_is_gone(&store).await;
}
