//! The command line from end to end: the binary against a server of this
//! process.

mod doctor;
mod flows;
mod inputs;
mod outcomes;
mod waits;

use leasehold::{EngineOptions, Node, health_check};
use leasehold_backend::SystemEntropy;
use leasehold_core::partition::PartitionConfig;
use leasehold_http::{HttpOptions, Secret, router, serve};
use serde_json::Value;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::process::Command;

const PATIENCE: Duration = Duration::from_secs(30);

const PARTITIONS: u16 = 8;

/// How a run of the binary ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    data: String,
    notes: String,
}

impl Ended {
    fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}", self.notes);
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {}", self.data))
    }

    /// The envelope of a refusal, which is no data.
    fn refusal(&self) -> Value {
        assert_eq!((self.code, self.data.as_str()), (Some(1), ""), "{}", self.notes);
        serde_json::from_str(&self.notes).unwrap_or_else(|error| panic!("{error}: {}", self.notes))
    }
}

/// A command of the binary, without this process's own variables of it.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leasehold"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("LEASEHOLD_")) {
            command.env_remove(name);
        }
    }
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn run(mut command: Command) -> Ended {
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    Ended {
        code: output.status.code(),
        data: String::from_utf8(output.stdout).unwrap(),
        notes: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A server of this process, on a node of its own in memory.
struct Server {
    node: Node,
    address: SocketAddr,
}

impl Server {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut HttpOptions)) -> Self {
        let partitions = PartitionConfig { num_flow_partitions: PARTITIONS, ..PartitionConfig::default() };
        let options = EngineOptions { partitions, ..EngineOptions::default() };
        let node = Node::builder().memory().options(options).open().await.unwrap();
        let mut options = HttpOptions::new(partitions, Arc::new(SystemEntropy::default()));
        options.health = health_check(node.engine().clone());
        change(&mut options);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = router(Arc::new(node.engine().clone()), options);
        tokio::spawn(serve(listener, router, std::future::pending()));
        Self { node, address }
    }

    async fn with_token(token: &str) -> Self {
        Self::with(|options| options.token = Some(Secret::try_new(token).unwrap())).await
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Runs the binary against this server.
    async fn run(&self, args: &[&str]) -> Ended {
        let mut command = command(args);
        command.env("LEASEHOLD_URL", self.url());
        run(command).await
    }

    /// As [`Self::run`], with JSON.
    async fn json(&self, args: &[&str]) -> Value {
        self.run(&[args, &["--json"]].concat()).await.json()
    }

    /// As [`Self::run`], with the refusal as JSON.
    async fn refused(&self, args: &[&str]) -> Value {
        self.run(&[args, &["--json"]].concat()).await.refusal()
    }

    async fn submit(&self, args: &[&str]) -> String {
        let told = self.json(&[&["submit"], args].concat()).await;
        told["execution_id"].as_str().unwrap().to_owned()
    }

    async fn state(&self, id: &str) -> Value {
        self.json(&["inspect", id]).await["execution"]["public_state"].clone()
    }

    /// Every execution there is.
    async fn all(&self) -> Vec<Value> {
        self.json(&["list", "--limit", "1000"]).await["executions"].as_array().unwrap().clone()
    }
}
