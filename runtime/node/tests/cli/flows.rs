//! Flows from the command line.

use crate::{Server, command};
use leasehold::Payload;
use serde_json::json;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;

const FLOW: &str = "11111111-2222-4333-8444-555555555555";

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000001";

/// A declaration: two after one, and a join that needs both.
fn declaration() -> String {
    json!({
        "flow_kind": "deploy",
        "members": [
            {"name": "build", "execution_kind": "shout", "payload": "go"},
            {"name": "unit", "execution_kind": "shout", "payload": "go", "after": ["build"]},
            {"name": "lint", "execution_kind": "shout", "payload": "go", "after": ["build"]},
            {"name": "ship", "execution_kind": "shout", "payload": "go", "after": ["unit", "lint"]},
        ],
    })
    .to_string()
}

/// Runs the binary with a file on its standard input.
async fn with_input(server: &Server, args: &[&str], input: &str) -> crate::Ended {
    let mut command = command(args);
    command.env("LEASEHOLD_URL", server.url()).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let output = tokio::time::timeout(crate::PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    crate::Ended {
        code: output.status.code(),
        data: String::from_utf8(output.stdout).unwrap(),
        notes: String::from_utf8(output.stderr).unwrap(),
    }
}

async fn shout(Payload(text): Payload<String>) -> String {
    text.to_uppercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_from_a_file_is_drawn_as_a_tree_and_runs_to_its_end() {
    let server = Server::start().await;
    let submit = ["flow", "submit", "-", "--flow-id", FLOW];
    let told = with_input(&server, &submit, &declaration()).await;
    assert_eq!((told.code, told.data.as_str()), (Some(0), format!("{FLOW}\n").as_str()), "{}", told.notes);
    assert!(told.notes.contains("submitted: 4 members, 4 dependencies"), "{}", told.notes);
    let again = with_input(&server, &submit, &declaration()).await;
    assert!(again.notes.contains("already submitted"), "{}", again.notes);

    let tree = server.run(&["flow", "show", FLOW]).await.data;
    for line in
        ["build  waiting", "├─ unit  waiting_children", "│  └─ ship  waiting_children  [2, 0 done]  also after lint"]
    {
        assert!(tree.contains(line), "{line}: {tree}");
    }
    server.node.worker("shouter").on("shout", shout).start().await.unwrap();
    let shown = server.json(&["flow", "show", FLOW]).await;
    let last = shown["members"][3]["execution_id"].as_str().unwrap().parse().unwrap();
    server.node.client().wait(last, crate::PATIENCE).await.unwrap();
    let listed = server.json(&["flow", "list"]).await;
    assert_eq!(listed["flows"][0]["flow_id"], FLOW);
    assert_eq!(listed["flows"][0]["status"], "Completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declaration_that_is_none_is_refused() {
    let server = Server::start().await;
    for (input, error) in [
        ("x", "file: no JSON"),
        (
            r#"{"flow_kind": "x", "members": [{"name": "a", "execution_kind": "k", "after": ["b"]}]}"#,
            "there is no node b",
        ),
    ] {
        let ended = with_input(&server, &["flow", "submit", "-"], input).await;
        assert_eq!(ended.code, Some(1));
        assert!(ended.notes.contains(error), "{}", ended.notes);
    }
    assert_eq!(server.json(&["flow", "list"]).await["flows"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_is_built_step_by_step_and_cancelled() {
    let server = Server::start().await;
    let created = server.json(&["flow", "create", "deploy", "--flow-id", FLOW]).await;
    assert_eq!(created["Created"]["flow_id"], FLOW);
    let flow: leasehold_core::ids::FlowId = FLOW.parse().unwrap();
    let home = leasehold_core::partition::crc16(flow.as_uuid().as_bytes()) % crate::PARTITIONS;
    let mut members = Vec::new();
    while members.len() < 2 {
        // Only what lives where the flow does can join it.
        let id = server.submit(&["mail"]).await;
        let id: leasehold_core::ids::ExecutionId = id.parse().unwrap();
        if id.partition() == home {
            let added = server.json(&["flow", "add", FLOW, &id.to_string()]).await;
            assert_eq!(added["Added"]["new_node_count"], members.len() + 1);
            members.push(id.to_string());
        }
    }
    let (first, second) = (members[0].as_str(), members[1].as_str());
    let policy = server.json(&["flow", "policy", FLOW, second, "any_of", "--on-satisfied", "let_run"]).await;
    assert_eq!(policy, json!("Set"));
    let staged = server.json(&["flow", "stage", FLOW, first, second, "--revision", "2"]).await;
    let edge = staged["Staged"]["edge_id"].as_str().unwrap().to_owned();
    let apply = ["flow", "apply", FLOW, first, second, "--revision", "3", "--edge-id", &edge];
    assert_eq!(server.json(&apply).await, json!({"Applied": {"unsatisfied_count": 1}}));
    assert_eq!(server.json(&["flow", "eligibility", second]).await["status"], "blocked_by_dependencies");
    assert_eq!(server.json(&["flow", "of", second]).await["flow_id"], FLOW);
    assert_eq!(server.json(&["flow", "edges", FLOW, second]).await["edges"][0]["edge_id"], edge.as_str());
    assert_eq!(server.json(&["flow", "edge", FLOW, &edge]).await["upstream_execution_id"], first);
    server.json(&["flow", "tag", FLOW, "team.owner", "mail"]).await;
    assert_eq!(server.json(&["flow", "tag", FLOW, "team.owner"]).await["value"], "mail");
    let people = server.run(&["flow", "stage", FLOW, first, second, "--revision", "2"]).await;
    assert_eq!(people.code, Some(1));
    assert!(people.notes.contains("stale_graph_revision"), "{}", people.notes);

    let cancelled = server.run(&["flow", "cancel", FLOW, "--reason", "enough", "--wait"]).await;
    assert_eq!((cancelled.code, cancelled.data.as_str()), (Some(0), "cancelled, 2 members\n"), "{}", cancelled.notes);
    assert_eq!(server.state(second).await, "cancelled");
    assert!(server.run(&["flow", "show", FLOW]).await.data.contains("cancel_all because: enough"));
    assert_eq!(server.refused(&["flow", "cancel", UNKNOWN]).await["code"], "flow_not_found");
    assert_eq!(server.refused(&["flow", "show", "x"]).await["code"], "invalid_input");
}
