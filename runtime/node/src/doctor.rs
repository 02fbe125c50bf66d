//! The part of `leasehold doctor` that looks at the configuration and at the
//! store, whether a file or a server.

use crate::config::{Config, DEFAULT_FILE, StoreKind};
use crate::serve::{postgres_options, redis_options, variables};
use leasehold_backend::{Backend, Clock, StoreError, SystemClock};
use leasehold_cli::DoctorArgs;
use leasehold_cli::doctor::{self, Finding};
use leasehold_postgres::PostgresBackend;
use leasehold_redis::RedisBackend;
use leasehold_sqlite::{FileKind, FileReport, inspect};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

/// How far the store's clock may be off without a word, in ms.
const STORE_CLOCK_OFF_MS: u128 = 2_000;

/// Looks at the files and at the store's server, then lets the server be asked.
pub async fn run(mut args: DoctorArgs) -> ExitCode {
    let mut findings = Vec::new();
    match Config::load(args.config.as_deref(), variables()) {
        Ok(config) => {
            let file = args.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
            let from = if file.exists() { file.display().to_string() } else { "the defaults".to_owned() };
            findings.push(Finding::ok("config", from));
            findings.extend(store(&config).await);
            findings.extend(listener(&config));
            args.url = args.url.or_else(|| Some(url(config.http.listen)));
            args.token = args.token.or_else(|| Some(config.http.token.0).filter(|token| !token.is_empty()));
        }
        Err(error) => {
            let remedy = "mend it; cluster.toml of the distribution has every key with its default";
            findings.push(Finding::failure("config", error.to_string(), remedy));
        }
    }
    doctor::run(&args, findings).await
}

/// How a listener is reached from the same machine.
fn url(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, listen.port()))
}

fn listener(config: &Config) -> Option<Finding> {
    if !config.http.token.0.is_empty() || config.http.listen.ip().to_canonical().is_loopback() {
        return None;
    }
    let detail = format!("{} can be reached from other machines and no token is set", config.http.listen);
    let remedy = "set http.token, or listen on 127.0.0.1";
    Some(if config.http.allow_insecure {
        Finding::warning("listener", detail, remedy)
    } else {
        Finding::failure("listener", format!("{detail}; the server refuses to start"), remedy)
    })
}

async fn store(config: &Config) -> Vec<Finding> {
    match config.store.kind {
        StoreKind::Sqlite => vec![file(&config.store.path)],
        StoreKind::Memory => {
            let remedy = "set store.kind to \"sqlite\"";
            vec![Finding::warning("store", "in memory: nothing outlives the server", remedy)]
        }
        StoreKind::Postgres => match postgres_options(config) {
            None => vec![no_address("postgres")],
            Some(options) => match PostgresBackend::open(options).await {
                Ok(store) => server(&store).await,
                Err(error) => vec![unreachable("store.postgres.url", &error)],
            },
        },
        StoreKind::Redis => match redis_options(config) {
            None => vec![no_address("redis")],
            Some(options) => match RedisBackend::open(options).await {
                Ok(store) => server(&store).await,
                Err(error) => vec![unreachable("store.redis.url", &error)],
            },
        },
    }
}

fn no_address(kind: &str) -> Finding {
    let detail = format!("store.kind is \"{kind}\" and store.{kind}.url is empty");
    Finding::failure("store", detail, format!("set store.{kind}.url"))
}

fn unreachable(key: &str, error: &StoreError) -> Finding {
    let remedy = format!("let the server run and take connections, or mend {key}");
    Finding::failure("store", error.to_string(), remedy)
}

/// What a server that keeps the store says; nothing is altered.
async fn server(store: &dyn Backend) -> Vec<Finding> {
    let clock = SystemClock::default();
    let before = clock.now();
    let told = store.now().await;
    let after = clock.now();
    store.close().await;
    match told {
        Err(error) => vec![unreachable("the store's address", &error)],
        Ok(now) => {
            let reached = Finding::ok("store", format!("{} answers", store.tag().as_str()));
            // Between the question and the answer any time is right.
            let off = if now < before { -i128::from(before.since(now)) } else { i128::from(now.since(after)) };
            let clock = if off.unsigned_abs() <= STORE_CLOCK_OFF_MS {
                Finding::ok("store clock", format!("within {STORE_CLOCK_OFF_MS} ms of this machine's"))
            } else {
                let remedy = "the engine follows the store's clock; let both machines follow the same time";
                Finding::warning("store clock", format!("off by {off} ms"), remedy)
            };
            vec![reached, clock]
        }
    }
}

fn file(path: &Path) -> Finding {
    match inspect(path) {
        Ok(report) => judge(path, &report),
        Err(error) => {
            Finding::failure("store", format!("{}: {error}", path.display()), "let the server's user read and write it")
        }
    }
}

fn judge(path: &Path, report: &FileReport) -> Finding {
    let shown = path.display();
    let owner = match &report.owner {
        Some(owner) => format!("open in another process ({owner})"),
        None => "not open in any process".to_owned(),
    };
    let known = report.known_version;
    match report.kind {
        FileKind::Missing => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if folder.is_dir() {
                return Finding::ok("store", format!("{shown} will be made"));
            }
            let detail = format!("{shown}: the folder {} is missing", folder.display());
            Finding::failure("store", detail, "make the folder, or set store.path")
        }
        FileKind::Foreign => {
            Finding::failure("store", format!("{shown} is no store of leasehold"), "set store.path to another file")
        }
        FileKind::Store(version) if version > known => Finding::failure(
            "store",
            format!("{shown} has schema version {version}, this program knows up to {known}"),
            "run the newer program that made it",
        ),
        FileKind::Store(version) => {
            let schema = match version {
                0 => "schema still in the log".to_owned(),
                version if version < known => format!("schema version {version}, raised to {known} at the next start"),
                version => format!("schema version {version}"),
            };
            Finding::ok("store", format!("{shown}: {schema}, {owner}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_cli::doctor::Verdict;

    #[test]
    fn a_listener_on_all_addresses_is_reached_by_loopback() {
        assert_eq!(url("0.0.0.0:1".parse().unwrap()), "http://127.0.0.1:1");
        assert_eq!(url("[::]:1".parse().unwrap()), "http://[::1]:1");
        assert_eq!(url("10.1.2.3:1".parse().unwrap()), "http://10.1.2.3:1");
    }

    #[test]
    fn each_state_of_the_file_is_judged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("work.db");
        for (kind, verdict, told) in [
            (FileKind::Missing, Verdict::Ok, "will be made"),
            (FileKind::Foreign, Verdict::Failure, "no store"),
            (FileKind::Store(3), Verdict::Failure, "knows up to 2"),
            (FileKind::Store(2), Verdict::Ok, "schema version 2, open in another process (pid 7)"),
            (FileKind::Store(1), Verdict::Ok, "raised to 2"),
            (FileKind::Store(0), Verdict::Ok, "in the log"),
        ] {
            let finding = judge(&path, &FileReport { kind, owner: Some("pid 7".to_owned()), known_version: 2 });
            assert_eq!(finding.verdict, verdict, "{finding:?}");
            assert!(finding.detail.contains(told), "{finding:?}");
        }
        let nowhere = dir.path().join("none/work.db");
        let report = FileReport { kind: FileKind::Missing, owner: None, known_version: 1 };
        assert_eq!(judge(&nowhere, &report).verdict, Verdict::Failure);
    }
}
