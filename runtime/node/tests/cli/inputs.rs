//! Bad input: the typed error of the engine, exit code 1, and nothing changed.

use crate::{Server, command, run};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_id_is_invalid_input() {
    let server = Server::start().await;
    for id in ["", "x", "{fp:0}:xyz", "{fp:00}:00000000-0000-0000-0000-000000000001", "a/b"] {
        for args in [&["inspect", id][..], &["cancel", id], &["replay", id], &["priority", id, "1"]] {
            let refusal = server.refused(args).await;
            assert_eq!(refusal["code"], "invalid_input", "{args:?}");
            let error = refusal["error"].as_str().unwrap();
            assert!(error.starts_with("invalid_input: execution_id: "), "{args:?}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_that_cannot_be_changes_nothing() {
    let server = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let large = dir.path().join("large");
    let many = vec!["--tag".to_owned(); 65].into_iter().enumerate();
    let many: Vec<String> = many.flat_map(|(number, tag)| [tag, format!("app.n{number}=x")]).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let long = format!("app.a={}", "x".repeat(1025));
    std::fs::write(&large, vec![0; (1 << 20) + 1]).unwrap();
    for (args, code, error) in [
        (&["--tag", "app.a"][..], "invalid_input", "invalid_input: tag: app.a"),
        (&["--tag", "app.a=1", "--tag", "app.a=2"], "invalid_input", "invalid_input: tag: app.a is given twice"),
        (&["--tag", "Bad=1"], "invalid_tag_key", "invalid_tag_key: Bad"),
        (&["--tag", &long], "invalid_input", "invalid_input: the value of tag app.a has 1025 bytes"),
        (&many, "invalid_input", "invalid_input: 65 tags"),
        (&["--policy", "{"], "invalid_policy_json", "invalid_policy_json: malformed"),
        (&["--policy", "[]"], "invalid_policy_json", "invalid_policy_json: malformed"),
        (&["--policy", r#"{"retry_policy": 5}"#], "invalid_policy_json", "invalid_policy_json: malformed"),
        (
            &["--policy", r#"{"routing_requirements": {"required_capabilities": ["a b"]}}"#],
            "invalid_capabilities",
            "invalid_capabilities: ",
        ),
        (&["--payload-file", large.to_str().unwrap()], "invalid_input", "invalid_input: payload over 1048576 bytes"),
        (&["--lane", "a\nlane"], "invalid_input", "invalid_input: lane_id: "),
        (&["--namespace", ""], "invalid_input", "invalid_input: namespace: "),
    ] {
        let refusal = server.refused(&[&["submit", "mail"], args].concat()).await;
        assert_eq!(refusal["code"], code, "{refusal}");
        assert!(refusal["error"].as_str().unwrap().starts_with(error), "{error}: {refusal}");
    }
    assert_eq!(server.all().await, Vec::<serde_json::Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_of_just_the_largest_size_is_taken() {
    let server = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("payload");
    std::fs::write(&file, vec![b'x'; 1 << 20]).unwrap();
    let id = server.submit(&["mail", "--payload-file", file.to_str().unwrap()]).await;
    assert_eq!(server.state(&id).await, "waiting");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_servers_limit_is_told_with_the_limit() {
    let server = Server::with(|options| options.limits.create = 2000).await;
    let refusal = server.refused(&["submit", "mail", "--payload", &"x".repeat(3000)]).await;
    assert_eq!(refusal, json!({"error": "payload_too_large", "limit_bytes": 2000, "route": "/v1/executions"}));
    assert_eq!(server.all().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_cursor_or_partition_is_invalid_input() {
    let server = Server::start().await;
    let elsewhere = "{fp:9}:00000000-0000-0000-0000-000000000001";
    for args in [
        &["list", "--cursor", "x"][..],
        &["list", "--cursor", elsewhere],
        &["list", "--partition", "0", "--cursor", elsewhere],
        &["list", "--partition", "8"],
    ] {
        let refusal = server.refused(args).await;
        assert_eq!(refusal["code"], "invalid_input", "{args:?}: {refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_ends_with_2() {
    for args in [
        &["frobnicate"][..],
        &[],
        &["submit"],
        &["list", "--partition", "some"],
        &["list", "--limit", "0"],
        &["priority", "x", "high"],
        &["submit", "mail", "--payload", "x", "--payload-file", "y"],
    ] {
        let ended = run(command(args)).await;
        assert_eq!((ended.code, ended.data.as_str()), (Some(2), ""), "{args:?}: {}", ended.notes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_the_address_is_told_as_such() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let ended = run(command(&["list", "--url", &url])).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.notes.contains(&format!("{url} cannot be reached")), "{}", ended.notes);
    let ended = run(command(&["list", "--url", "https://localhost"])).await;
    assert!(ended.notes.contains("https is not spoken here"), "{}", ended.notes);
    let ended = run(command(&["submit", "x", "--payload-file", "/none/at/all"])).await;
    assert!(ended.notes.starts_with("error: /none/at/all cannot be read"), "{}", ended.notes);
}
