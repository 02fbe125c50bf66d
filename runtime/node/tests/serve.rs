//! `leasehold serve` as a process: what it refuses, what it says, how it ends.

use leasehold_cli::http_client::HttpClient;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};

const PATIENCE: Duration = Duration::from_mins(1);

fn serve(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leasehold"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("LEASEHOLD_")) {
            command.env_remove(name);
        }
    }
    // Few partitions: what is tested here does not depend on their number.
    command.env("LEASEHOLD_PARTITIONS__FLOW", "4").env("LEASEHOLD_HTTP__LISTEN", "127.0.0.1:0");
    command.current_dir(dir).args(["serve", "--json"]).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a server that should not start: its code and what it says.
async fn refused(mut command: Command) -> String {
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(1), Vec::new()), "{told}");
    told
}

struct Running {
    child: Child,
    client: HttpClient,
    /// Kept open, so that the server can go on writing.
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    async fn start(mut command: Command, token: Option<&str>) -> Self {
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        let client = HttpClient::new(told["url"].as_str().unwrap(), token).unwrap();
        Self { child, client, _lines: lines }
    }

    /// Sends a signal; the code the server ends with.
    async fn end(mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().await.unwrap();
        assert!(sent.success());
        tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap().code()
    }
}

#[tokio::test]
async fn it_serves_until_told_to_stop_and_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(serve(dir.path()), None).await;
    let health = server.client.get("/healthz").await.unwrap().json().unwrap();
    assert_eq!(health, json!({"status": "ok"}));
    let body = json!({"namespace": "n", "lane_id": "l", "execution_kind": "k"});
    let created = server.client.post("/v1/executions", &body).await.unwrap().json().unwrap();
    let id = created["Created"]["execution_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(server.end("-TERM").await, Some(0));

    let server = Running::start(serve(dir.path()), None).await;
    let path = leasehold_cli::http_client::execution_path(id, "/state");
    assert_eq!(server.client.get(&path).await.unwrap().json().unwrap(), json!("waiting"));
    assert_eq!(server.end("-INT").await, Some(0));
}

#[tokio::test]
async fn it_stops_although_a_caller_waits() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(serve(dir.path()), None).await;
    let body = json!({"namespace": "n", "lane_id": "l", "execution_kind": "k"});
    let created = server.client.post("/v1/executions", &body).await.unwrap().json().unwrap();
    let id = created["Created"]["execution_id"].as_str().unwrap().parse().unwrap();
    let client = server.client.clone();
    let waits = tokio::spawn(async move {
        client.get(&leasehold_cli::http_client::execution_path(id, "/wait?timeout_ms=60000")).await
    });
    assert_eq!(server.end("-TERM").await, Some(0));
    // Whether the wait had begun or not, it is over.
    drop(waits.await.unwrap());
}

#[tokio::test]
async fn told_twice_it_ends_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Running::start(serve(dir.path()), None).await;
    // A request whose body never comes holds the server up for seconds.
    let address = server.client.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /v1/executions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 9\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body, so that the request is under way.
    assert!(stream.read(&mut [0; 64]).await.unwrap() > 0);
    let pid = server.child.id().unwrap().to_string();
    let code = loop {
        // Two signals in one moment may count as one.
        Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
        if let Ok(ended) = tokio::time::timeout(Duration::from_millis(50), server.child.wait()).await {
            break ended.unwrap().code();
        }
    };
    assert_eq!(code, Some(1), "it did not wait for the body");
}

#[tokio::test]
async fn other_machines_are_not_served_without_a_token() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = serve(dir.path());
    command.env("LEASEHOLD_HTTP__LISTEN", "0.0.0.0:0");
    let told = refused(command).await;
    assert!(told.contains("http.listen: 0.0.0.0:0 can be reached from other machines"), "{told}");
    assert!(!dir.path().join("leasehold.db").exists(), "the store is not touched");

    let mut command = serve(dir.path());
    command.env("LEASEHOLD_HTTP__LISTEN", "0.0.0.0:0").env("LEASEHOLD_HTTP__ALLOW_INSECURE", "true");
    assert_eq!(Running::start(command, None).await.end("-TERM").await, Some(0));

    let mut command = serve(dir.path());
    command.env("LEASEHOLD_HTTP__LISTEN", "0.0.0.0:0").env("LEASEHOLD_HTTP__TOKEN", "hunter2");
    let server = Running::start(command, Some("hunter2")).await;
    assert!(server.client.get("/v1/ping").await.is_ok());
    let stranger = HttpClient::new(server.client.url(), None).unwrap();
    assert_eq!(stranger.get("/v1/ping").await.unwrap_err().refusal().unwrap().status.as_u16(), 401);
    assert_eq!(server.end("-TERM").await, Some(0));
}

#[tokio::test]
async fn an_unknown_key_is_named_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("cluster.toml"), "[store]\nkind = \"memory\"\n[http]\nporrt = 1\n").unwrap();
    let told = refused(serve(dir.path())).await;
    assert!(told.starts_with("error: cluster.toml:4: unknown field `porrt`"), "{told}");
}

#[tokio::test]
async fn what_it_cannot_use_is_told() {
    let dir = tempfile::tempdir().unwrap();
    for (variable, value, told) in [
        ("LEASEHOLD_CONFIG", "none.toml", "none.toml: "),
        ("LEASEHOLD_HTTP__TOKEN", "a b", "http.token: "),
        ("LEASEHOLD_HTTP__CORS_ORIGINS", "nowhere", "http.cors_origins: "),
        ("LEASEHOLD_LOG__FILTER", "a=b=c", "log.filter: "),
        ("LEASEHOLD_NODE__LEASE", "5", "LEASEHOLD_NODE__LEASE: unknown key"),
        ("LEASEHOLD_STORE__PATH", "none/work.db", "none"),
        ("LEASEHOLD_HTTP__LISTEN", "192.0.2.1:1", "http.listen: 192.0.2.1:1"),
    ] {
        let mut command = serve(dir.path());
        let refusal = refused({
            command.env(variable, value);
            command
        });
        let refusal = refusal.await;
        assert!(refusal.starts_with("error: ") && refusal.contains(told), "{variable}: {refusal}");
    }
}

#[tokio::test]
async fn a_store_that_is_open_elsewhere_is_refused_with_its_owner() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start(serve(dir.path()), None).await;
    let told = refused(serve(dir.path())).await;
    assert!(told.contains("is in use (pid "), "{told}");
    assert_eq!(server.end("-TERM").await, Some(0));
}
