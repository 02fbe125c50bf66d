//! Embedded nodes: several in one process, and one after another on a file.

use leasehold::{Client, Node, Payload, TaskInfo};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

async fn answer(client: &Client, kind: &'static str, payload: &str) -> String {
    let id = client.submit(kind, payload.to_owned()).await.unwrap().execution_id;
    let outcome = client.wait(id, PATIENCE).await.unwrap();
    String::from_utf8(outcome.result.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn several_nodes_fit_in_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut nodes = Vec::new();
    for name in ["one", "two"] {
        let on_disk = Node::builder().sqlite(dir.path().join(name)).open().await.unwrap();
        let in_memory = Node::builder().memory().open().await.unwrap();
        for node in [on_disk, in_memory] {
            let number = nodes.len();
            let say = move || async move { number.to_string() };
            node.worker("same name").on("say", say).start().await.unwrap();
            nodes.push(node);
        }
    }
    for (number, node) in nodes.iter().enumerate() {
        assert_eq!(answer(&node.client(), "say", "").await, number.to_string());
    }
    for node in nodes {
        node.drain(PATIENCE).await.unwrap();
        node.shutdown().await;
    }
}

#[tokio::test]
async fn work_that_was_under_way_goes_on_when_the_file_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("work.db");
    let node = Node::builder().sqlite(&path).open().await.unwrap();
    let (began, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let hang = move || {
        began.send(()).unwrap();
        std::future::pending::<()>()
    };
    node.worker("first").on("work", hang).start().await.unwrap();
    let client = node.client();
    let running = client.submit("work", "7").await.unwrap().execution_id;
    begins.recv().await.unwrap();
    let waiting = client.submit("work", "8").lane("later").await.unwrap().execution_id;

    let busy = Node::builder().sqlite(&path).open().await.unwrap_err();
    assert_eq!(busy.code(), "transport");
    // No drain: as if the process had been told to go at once.
    node.shutdown().await;

    let node = Node::builder().sqlite(&path).open().await.unwrap();
    let double = |Payload(number): Payload<u64>, info: TaskInfo| async move {
        format!("{} at attempt {}", number * 2, info.claimed.attempt_index)
    };
    node.worker("second").lanes(["default", "later"]).on("work", double).start().await.unwrap();
    let client = node.client();
    for (id, result) in [(running, "14 at attempt 1"), (waiting, "16 at attempt 0")] {
        let outcome = client.wait(id, PATIENCE).await.unwrap();
        assert_eq!(outcome.result.as_deref(), Some(result.as_bytes()));
    }
    node.drain(PATIENCE).await.unwrap();
    node.shutdown().await;
}

#[tokio::test]
async fn a_node_needs_a_store_it_can_open() {
    assert_eq!(Node::builder().open().await.unwrap_err().code(), "invalid_input");
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("missing").join("work.db");
    assert_eq!(Node::builder().sqlite(nowhere).open().await.unwrap_err().code(), "transport");
}

#[tokio::test]
async fn a_drained_node_takes_nothing_new() {
    let node = Node::builder().memory().open().await.unwrap();
    node.worker("w").on("say", || async { "hi" }).start().await.unwrap();
    let client = node.client();
    assert_eq!(answer(&client, "say", "").await, "hi");
    node.drain(PATIENCE).await.unwrap();
    assert!(node.engine().fleets().is_empty());
    assert_eq!(client.submit("say", "").await.unwrap_err().code(), "partition_unavailable");
    node.shutdown().await;
}
