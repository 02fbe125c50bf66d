//! The binary on stores of every kind: what it refuses to run on, what it tells
//! of them, and how it brings them up to date. Each test has servers of its
//! own.

mod impostor;
mod postgres;
mod redis;
mod sqlite;
mod takeover;

use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

const PATIENCE: Duration = Duration::from_secs(60);

/// Every way to take a store, or to ask what taking it would mean.
const TAKING: [&[&str]; 3] = [&["serve"], &["migrate"], &["migrate", "--dry-run"]];

/// How a run of the binary ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    data: String,
    notes: String,
}

/// The binary with a configuration of its own.
#[derive(Clone)]
struct Configured {
    variables: Vec<(String, String)>,
}

impl Configured {
    fn on(kind: &str, keys: &[(&str, &str)]) -> Self {
        let mut variables = vec![
            ("LEASEHOLD_STORE__KIND".to_owned(), kind.to_owned()),
            ("LEASEHOLD_PARTITIONS__FLOW".to_owned(), "4".to_owned()),
            ("LEASEHOLD_HTTP__LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
        ];
        variables.extend(keys.iter().map(|(key, value)| (format!("LEASEHOLD_{key}"), (*value).to_owned())));
        Self { variables }
    }

    fn with(&self, key: &str, value: &str) -> Self {
        let mut changed = self.clone();
        changed.variables.push((format!("LEASEHOLD_{key}"), value.to_owned()));
        changed
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leasehold"));
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("LEASEHOLD_")) {
                command.env_remove(name);
            }
        }
        command.envs(self.variables.clone()).args(args).current_dir("/").kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn run(&self, args: &[&str]) -> Ended {
        let output = tokio::time::timeout(PATIENCE, self.command(args).output()).await.unwrap().unwrap();
        Ended {
            code: output.status.code(),
            data: String::from_utf8(output.stdout).unwrap(),
            notes: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs what must succeed.
    async fn done(&self, args: &[&str]) -> String {
        let ended = self.run(args).await;
        assert_eq!(ended.code, Some(0), "{args:?}: {}{}", ended.data, ended.notes);
        ended.data
    }

    /// The steps of a migration, as (from, to, whether anything changes).
    async fn steps(&self, args: &[&str]) -> Vec<(Option<u64>, u64, bool)> {
        let told: Value = serde_json::from_str(&self.done(&[args, &["--json"]].concat()).await).unwrap();
        assert_eq!(told["dry_run"], args.contains(&"--dry-run"), "{told}");
        let steps = told["steps"].as_array().unwrap().iter();
        let step =
            |step: &Value| (step["from"].as_u64(), step["to"].as_u64().unwrap(), step["changes"].as_bool().unwrap());
        steps.map(step).collect()
    }

    /// Every way to take the store is refused in the same paragraph, with
    /// nothing on the standard output, and the doctor finds a failure that says
    /// so too. What the store is before and after is the caller's to compare.
    async fn refused(&self, told: &[&str]) {
        for args in TAKING {
            let ended = self.run(args).await;
            assert_eq!((ended.code, ended.data.as_str()), (Some(1), ""), "{args:?}: {}", ended.notes);
            let paragraph = ended.notes.strip_prefix("error: ").unwrap_or_else(|| panic!("{args:?}: {}", ended.notes));
            assert_eq!(paragraph.lines().count(), 1, "{args:?}: {paragraph}");
            for part in told {
                assert!(paragraph.contains(part), "{args:?}, {part}: {paragraph}");
            }
        }
        let (code, findings) = self.doctor(&[]).await;
        assert_eq!(code, Some(1), "{findings:?}");
        let failure = findings.iter().filter(|found| found["verdict"] == "failure" && found["check"] != "http");
        let failures: Vec<String> = failure.map(ToString::to_string).collect();
        for part in told {
            let part = Value::from(*part).to_string();
            let part = part.trim_matches('"');
            assert!(failures.iter().any(|failure| failure.contains(part)), "{part}: {findings:#?}");
        }
        for finding in &findings {
            assert_eq!(finding["verdict"] == "ok", finding["remedy"] == "", "{finding}");
        }
    }

    /// What the doctor finds; nobody listens where it asks for a server.
    async fn doctor(&self, args: &[&str]) -> (Option<i32>, Vec<Value>) {
        let ended = self.run(&[&["doctor", "--json", "--url", "http://127.0.0.1:1"], args].concat()).await;
        let told: Value = serde_json::from_str(&ended.data).unwrap_or_else(|_| panic!("{}", ended.notes));
        (ended.code, told["findings"].as_array().unwrap().clone())
    }

    /// What the doctor finds of one thing.
    async fn diagnosis(&self, check: &str, args: &[&str]) -> Vec<(String, String)> {
        let (_, findings) = self.doctor(args).await;
        let found = findings.iter().filter(|found| found["check"] == check);
        let text = |found: &Value, field: &str| found[field].as_str().unwrap().to_owned();
        found.map(|found| (text(found, "verdict"), text(found, "detail"))).collect()
    }

    /// A server, once it listens; it ends with the value.
    async fn serve(&self) -> tokio::process::Child {
        let mut child = self.command(&["serve"]).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        assert!(line.starts_with("listening on "), "{line}");
        child
    }
}

/// One finding of a verdict whose detail holds a text.
fn assert_found(found: &[(String, String)], verdict: &str, part: &str) {
    assert!(found.iter().any(|(found, detail)| found == verdict && detail.contains(part)), "{part}: {found:#?}");
}
