//! The part of `leasehold doctor` that looks at files: the configuration and
//! the store.

use crate::config::{Config, DEFAULT_FILE, StoreKind};
use crate::serve::variables;
use leasehold_cli::DoctorArgs;
use leasehold_cli::doctor::{self, Finding};
use leasehold_sqlite::{FileKind, FileReport, inspect};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

/// Looks at the files, then lets the server be asked.
pub async fn run(mut args: DoctorArgs) -> ExitCode {
    let mut findings = Vec::new();
    match Config::load(args.config.as_deref(), variables()) {
        Ok(config) => {
            let file = args.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
            let from = if file.exists() { file.display().to_string() } else { "the defaults".to_owned() };
            findings.push(Finding::ok("config", from));
            findings.push(store(&config));
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

fn store(config: &Config) -> Finding {
    if config.store.kind == StoreKind::Memory {
        return Finding::warning("store", "in memory: nothing outlives the server", "set store.kind to \"sqlite\"");
    }
    let path = &config.store.path;
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
