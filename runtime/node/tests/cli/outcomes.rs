//! What each subcommand does and shows.

use crate::{PARTITIONS, Server, command, run};
use leasehold::Payload;
use serde_json::json;
use std::collections::BTreeSet;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;

const UNKNOWN: &str = "{fp:0}:00000000-0000-0000-0000-000000000001";

async fn shout(Payload(text): Payload<String>) -> String {
    text.to_uppercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_submitted_with_everything_is_inspected_with_everything() {
    let server = Server::start().await;
    let id = server
        .submit(&[
            "mail",
            "--payload",
            "hello",
            "--lane",
            "bulk",
            "--namespace",
            "tenant",
            "--priority",
            "7",
            "--tag",
            "app.user=42",
            "--tag",
            "app.note=a=b",
            "--policy",
            r#"{"retry_policy": {"max_retries": 2}}"#,
        ])
        .await;
    let shown = server.json(&["inspect", &id]).await;
    let execution = &shown["execution"];
    assert_eq!(execution["execution_id"], id);
    assert_eq!(execution["execution_kind"], "mail");
    assert_eq!(execution["lane_id"], "bulk");
    assert_eq!(execution["namespace"], "tenant");
    assert_eq!(execution["priority"], 7);
    assert_eq!(execution["public_state"], "waiting");
    assert_eq!(shown["snapshot"]["tags"], json!({"app.user": "42", "app.note": "a=b"}));
    assert_eq!((&shown["attempts"], &shown["result"]), (&json!([]), &json!(null)));

    let people = server.run(&["inspect", &id]).await;
    assert_eq!((people.code, people.notes.as_str()), (Some(0), ""));
    for text in [id.as_str(), "waiting", "bulk", "app.user=42"] {
        assert!(people.data.contains(text), "{text}: {}", people.data);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_waits_for_its_result() {
    let server = Server::start().await;
    server.node.worker("shouter").on("shout", shout).start().await.unwrap();
    let told = server.json(&["submit", "shout", "--payload", "\"hello\"", "--wait"]).await;
    assert_eq!((&told["outcome"], &told["public_state"]), (&json!("created"), &json!("completed")));
    assert_eq!(told["result_text"], "HELLO");
    let id = told["execution_id"].as_str().unwrap();
    let shown = server.json(&["inspect", id]).await;
    assert_eq!(shown["attempts"].as_array().unwrap().len(), 1);
    let people = server.run(&["inspect", id]).await;
    assert!(people.data.contains("HELLO") && people.data.contains("ATTEMPT"), "{}", people.data);
    let people = server.run(&["submit", "shout", "--payload", "\"hello\"", "--wait"]).await;
    assert_eq!((people.code, people.data.as_str()), (Some(0), "HELLO\n"), "{}", people.notes);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_what_fails_ends_with_1() {
    let server = Server::start().await;
    server.node.worker("shouter").on("shout", shout).start().await.unwrap();
    let ended = server.run(&["submit", "shout", "--payload", "not json", "--wait"]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.notes);
    assert!(ended.notes.contains("ended as failed"), "{}", ended.notes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_comes_from_a_file_or_the_standard_input() {
    let server = Server::start().await;
    server.node.worker("shouter").on("shout", shout).start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("payload");
    std::fs::write(&file, "\"from a file\"").unwrap();
    let told = server.json(&["submit", "shout", "--payload-file", file.to_str().unwrap(), "--wait"]).await;
    assert_eq!(told["result_text"], "FROM A FILE");

    let mut piped = command(&["submit", "shout", "--payload-file", "-", "--wait", "--url", &server.url()]);
    let mut child = piped.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"\"piped\"").await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "PIPED\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_finds_the_first_submission() {
    let server = Server::start().await;
    let first = server.json(&["submit", "mail", "--idempotency-key", "once"]).await;
    let second = server.json(&["submit", "mail", "--idempotency-key", "once"]).await;
    assert_eq!((&first["outcome"], &second["outcome"]), (&json!("created"), &json!("duplicate")));
    assert_eq!(first["execution_id"], second["execution_id"]);
    assert_eq!(server.all().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_submission_rests() {
    let server = Server::start().await;
    let id = server.submit(&["mail", "--delay-ms", "3600000"]).await;
    assert_eq!(server.state(&id).await, "delayed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_where_the_page_before_ended() {
    let server = Server::start().await;
    let mut submitted = BTreeSet::new();
    for _ in 0..12 {
        submitted.insert(server.submit(&["mail"]).await);
    }
    let mut listed = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut args = vec!["list", "--limit", "5"];
        args.extend(cursor.as_deref().into_iter().flat_map(|cursor| ["--cursor", cursor]));
        let page = server.json(&args).await;
        let executions = page["executions"].as_array().unwrap();
        assert!(executions.len() <= 5);
        listed.extend(executions.iter().map(|execution| execution["execution_id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(listed.len(), 12, "each once");
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), submitted);

    let mut by_partition = Vec::new();
    for partition in 0..PARTITIONS {
        let page = server.json(&["list", "--partition", &partition.to_string()]).await;
        assert_eq!(page["next_cursor"], json!(null));
        let executions = page["executions"].as_array().unwrap().clone();
        by_partition.extend(executions.iter().map(|execution| execution["execution_id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(by_partition, listed);
    let people = server.run(&["list", "--limit", "3"]).await;
    assert_eq!(people.data.lines().count(), 4, "{}", people.data);
    assert!(people.notes.contains("--cursor"), "{}", people.notes);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_is_moved_cancelled_and_run_once_more() {
    let server = Server::start().await;
    let id = server.submit(&["mail"]).await;
    assert_eq!(server.json(&["priority", &id, "10000"]).await, json!({"execution_id": id, "priority": 9000}));
    assert_eq!(server.json(&["priority", &id, "-3"]).await["priority"], 0);
    let cancelled = server.json(&["cancel", &id, "--reason", "no longer wanted"]).await;
    assert_eq!(cancelled, json!({"execution_id": id, "public_state": "cancelled"}));
    let replayed = server.json(&["replay", &id, "--reason", "wanted after all"]).await;
    assert_eq!(replayed, json!({"execution_id": id, "public_state": "waiting"}));
    let people = server.run(&["cancel", &id]).await;
    assert_eq!(people.data, format!("{id}  cancelled\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_against_it_is_told() {
    let server = Server::start().await;
    let id = server.submit(&["mail"]).await;
    let refusal = server.refused(&["replay", &id]).await;
    assert_eq!(refusal["error"], "execution_not_terminal");
    server.json(&["cancel", &id]).await;
    assert_eq!(server.refused(&["priority", &id, "1"]).await["error"], "execution_not_eligible");
    for args in [&["inspect"][..], &["cancel"], &["replay"]] {
        let refusal = server.refused(&[args, &[UNKNOWN]].concat()).await;
        assert_eq!(refusal["error"], "execution_not_found", "{args:?}");
    }
    let people = server.run(&["inspect", UNKNOWN]).await;
    assert_eq!((people.code, people.data.as_str()), (Some(1), ""));
    assert_eq!(people.notes, "error: execution_not_found: no such execution\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_token_asks_for_it() {
    let server = Server::with_token("hunter2").await;
    let ended = server.run(&["list"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.notes.contains("--token"), "{}", ended.notes);
    assert_eq!(server.run(&["list", "--token", "hunter2"]).await.code, Some(0));
    let mut by_variable = command(&["list", "--url", &server.url()]);
    by_variable.env("LEASEHOLD_TOKEN", "hunter2");
    assert_eq!(run(by_variable).await.code, Some(0));
}
