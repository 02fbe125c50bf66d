//! `leasehold doctor`: what is wrong, and how to mend it.
//!
//! The binary looks at the configuration and at the store, which need the
//! engine, and hands its findings over; this asks the server.

use crate::connection::DEFAULT_URL;
use crate::error::CliError;
use crate::http_client::{ClientError, HttpClient};
use crate::output;
use crate::table::Table;
use clap::Args;
use hyper::StatusCode;
use serde_json::json;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// How far the server's clock may be off without a word, in ms.
const CLOCK_OFF_MS: i64 = 2_000;

/// Find out what is wrong and how to mend it.
#[derive(Args, Clone)]
pub struct DoctorArgs {
    /// The configuration; `cluster.toml` if it is there, otherwise the defaults.
    #[arg(long, env = "LEASEHOLD_CONFIG")]
    pub config: Option<PathBuf>,
    /// The server; otherwise where the configuration lets it listen.
    #[arg(long, env = "LEASEHOLD_URL")]
    pub url: Option<String>,
    /// The server's bearer token; otherwise the configuration's.
    #[arg(long, env = "LEASEHOLD_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Also count the keys of a Valkey or Redis store by kind.
    #[arg(long)]
    pub keys: bool,
    /// Print JSON for programs.
    #[arg(long)]
    pub json: bool,
}

impl fmt::Debug for DoctorArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoctorArgs").field("config", &self.config).field("url", &self.url).finish_non_exhaustive()
    }
}

/// How one thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Well.
    Ok,
    /// It works, and yet somebody should know.
    Warning,
    /// It does not work.
    Failure,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

/// What was found out about one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The thing.
    pub check: &'static str,
    /// How it stands.
    pub verdict: Verdict,
    /// What was seen.
    pub detail: String,
    /// How to mend it; empty when nothing is to be done.
    pub remedy: String,
}

impl Finding {
    /// A thing that is well.
    pub fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, detail: detail.into(), remedy: String::new() }
    }

    /// A thing that works, and yet somebody should know.
    pub fn warning(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warning, detail: detail.into(), remedy: remedy.into() }
    }

    /// A thing that does not work.
    pub fn failure(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Failure, detail: detail.into(), remedy: remedy.into() }
    }
}

/// Adds what the server says to what was found already and shows all of it.
/// Ends with 1 when anything does not work.
pub async fn run(args: &DoctorArgs, mut findings: Vec<Finding>) -> ExitCode {
    findings.extend(server(args).await);
    if args.json {
        let list: Vec<_> = findings
            .iter()
            .map(|found| {
                json!({
                    "check": found.check, "verdict": found.verdict.as_str(),
                    "detail": found.detail, "remedy": found.remedy,
                })
            })
            .collect();
        output::json(&json!({ "findings": list }));
    } else {
        let mut table = Table::new(["CHECK", "VERDICT", "FOUND"]);
        for found in &findings {
            table.row([found.check, found.verdict.as_str(), &found.detail]);
            if !found.remedy.is_empty() {
                table.row(["", "", &format!("→ {}", found.remedy)]);
            }
        }
        output::data(&table.to_string());
    }
    let failed = findings.iter().any(|found| found.verdict == Verdict::Failure);
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What the server says of itself.
async fn server(args: &DoctorArgs) -> Vec<Finding> {
    let url = args.url.as_deref().unwrap_or(DEFAULT_URL);
    let client = match HttpClient::new(url, args.token.as_deref()) {
        Ok(client) => client,
        Err(error) => return vec![Finding::failure("http", error.to_string(), "mend --url or --token")],
    };
    let mut findings = Vec::new();
    match client.get("/healthz").await {
        Ok(_) => {
            findings.push(Finding::ok("http", format!("{url} answers")));
            findings.push(Finding::ok("ownership", "every partition is served and the node's lease holds"));
        }
        Err(error) => match error.refusal() {
            Some(refusal) if refusal.status == StatusCode::SERVICE_UNAVAILABLE => {
                findings.push(Finding::ok("http", format!("{url} answers")));
                let remedy = "a node that starts or loses its store takes a lease's time to recover; if it stays so, \
                              look at the server's log";
                findings.push(Finding::failure("ownership", refusal.error(), remedy));
            }
            Some(refusal) => {
                let remedy = "another program seems to listen there; mend --url or [http] listen";
                findings.push(Finding::failure("http", refusal.to_string(), remedy));
                return findings;
            }
            None => {
                let remedy = "start one with `leasehold serve`, or say where it is with --url";
                findings.push(Finding::failure("http", error.to_string(), remedy));
                return findings;
            }
        },
    }
    findings.push(engine(&client).await);
    findings.push(clock(&client).await);
    findings
}

async fn engine(client: &HttpClient) -> Finding {
    let asked = async { client.get("/v1/capabilities").await?.json() };
    match asked.await {
        Ok(told) => {
            let version = &told["identity"]["version"];
            let number = |name: &str| version[name].as_u64().unwrap_or_default();
            let family = told["identity"]["family"].as_str().unwrap_or("an unknown store");
            let version = format!("{}.{}.{}", number("major"), number("minor"), number("patch"));
            Finding::ok("engine", format!("version {version} on {family}"))
        }
        Err(error) => Finding::failure("engine", error.to_string(), remedy_of(&error)),
    }
}

fn remedy_of(error: &ClientError) -> &'static str {
    match error.refusal() {
        Some(refusal) if refusal.status == StatusCode::UNAUTHORIZED => {
            "give the server's token with --token or LEASEHOLD_TOKEN"
        }
        _ => "look at the server's log",
    }
}

async fn clock(client: &HttpClient) -> Finding {
    let before = wall_ms();
    let asked = async {
        let told = client.get("/v1/time").await?.json()?;
        let ms = told["server_time_ms"].as_i64().ok_or_else(|| ClientError::Garbled(told.to_string()))?;
        Ok::<i64, CliError>(ms)
    };
    let server = match asked.await {
        Ok(ms) => ms,
        Err(CliError::Client(error)) => return Finding::failure("clock", error.to_string(), remedy_of(&error)),
        Err(error) => return Finding::failure("clock", error.to_string(), "look at the server's log"),
    };
    let after = wall_ms();
    // Between the question and the answer any time is right.
    let off = if server < before { server - before } else { (server - after).max(0) };
    if off.abs() <= CLOCK_OFF_MS {
        return Finding::ok("clock", format!("the server's clock is within {CLOCK_OFF_MS} ms of this machine's"));
    }
    let remedy = "delays and deadlines follow the server's clock; let both machines follow the same time";
    Finding::warning("clock", format!("the server's clock is off by {off} ms"), remedy)
}

#[expect(clippy::disallowed_methods, reason = "the check compares the machine's own clock with the server's")]
fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
