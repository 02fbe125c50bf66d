//! The part of `leasehold doctor` that looks at the configuration and at the
//! store, whether a file or a server. Nothing is altered.

mod ownership;
mod postgres;
mod redis;
mod sqlite;

use crate::config::{Config, DEFAULT_FILE, StoreKind};
use crate::serve::{NoAddress, partitions, postgres_options, redis_options, variables};
use leasehold_backend::{ClockReading, Obstacle, StoreError};
use leasehold_cli::DoctorArgs;
use leasehold_cli::doctor::{self, Finding};
use leasehold_cli::output::printable;
use leasehold_core::partition::PartitionConfig;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

/// How far the store's clock may be off without a word, in ms.
const STORE_CLOCK_OFF_MS: u64 = 2_000;

/// Looks at the configuration and at the store, then lets the server be asked.
pub async fn run(mut args: DoctorArgs) -> ExitCode {
    let mut findings = Vec::new();
    match Config::load(args.config.as_deref(), variables()) {
        Ok(config) => {
            let file = args.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
            let from = if file.exists() { file.display().to_string() } else { "the defaults".to_owned() };
            findings.push(Finding::ok("config", from));
            findings.extend(store(&config, args.keys).await);
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

async fn store(config: &Config, keys: bool) -> Vec<Finding> {
    let partitions = partitions(config);
    let mut findings = match config.store.kind {
        StoreKind::Sqlite => match leasehold_sqlite::inspect(&config.store.path).await {
            Ok(report) => vec![sqlite::finding(&report, &partitions)],
            Err(error) => vec![unusable("store.path", &error)],
        },
        StoreKind::Memory => {
            let remedy = "set store.kind to \"sqlite\", \"postgres\" or \"redis\"";
            vec![Finding::warning("store", "in memory: nothing outlives the server", remedy)]
        }
        StoreKind::Postgres => match postgres_options(config) {
            Err(error) => vec![no_address(&error)],
            Ok(options) => match leasehold_postgres::inspect::inspect(options).await {
                Ok(report) => postgres::findings(&report, &partitions),
                Err(error) => vec![unusable("store.postgres.url", &error)],
            },
        },
        StoreKind::Redis => match redis_options(config) {
            Err(error) => vec![no_address(&error)],
            Ok(options) => match leasehold_redis::inspect::inspect(options, &partitions, keys).await {
                Ok(report) => redis::findings(&report, &partitions),
                Err(error) => vec![unusable("store.redis.url", &error)],
            },
        },
    };
    if keys && config.store.kind != StoreKind::Redis {
        findings.push(Finding::warning("keys", "only a Valkey or Redis store has keys", "leave --keys away"));
    }
    findings
}

fn no_address(error: &NoAddress) -> Finding {
    Finding::failure("store", error.to_string(), "set it, in the file or in the environment")
}

fn unusable(key: &str, error: &StoreError) -> Finding {
    let remedy = format!("let it run, take connections and answer, or mend {key}");
    Finding::failure("store", printable(&error.to_string()), remedy)
}

/// What the engine refuses to run on.
fn of_obstacle(check: &'static str, obstacle: &Obstacle) -> Finding {
    Finding::failure(check, printable(&obstacle.what), obstacle.mend.as_str())
}

fn clock(reading: ClockReading) -> Finding {
    let ahead = reading.ahead_ms();
    if ahead.unsigned_abs() <= STORE_CLOCK_OFF_MS {
        return Finding::ok("store clock", format!("within {STORE_CLOCK_OFF_MS} ms of this machine's"));
    }
    let remedy = "the engine follows the store's clock; let both machines follow the same time";
    let how = if ahead > 0 { "ahead of" } else { "behind" };
    Finding::warning("store clock", format!("{} ms {how} this machine's", ahead.unsigned_abs()), remedy)
}

/// Partition counts as the configuration orders them.
fn counts(of: PartitionConfig) -> String {
    format!(
        "{} flow, {} budget and {} quota partitions",
        of.num_flow_partitions, of.num_budget_partitions, of.num_quota_partitions
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_cli::doctor::Verdict;
    use leasehold_core::time::TimestampMs;

    #[test]
    fn a_listener_on_all_addresses_is_reached_by_loopback() {
        assert_eq!(url("0.0.0.0:1".parse().unwrap()), "http://127.0.0.1:1");
        assert_eq!(url("[::]:1".parse().unwrap()), "http://[::1]:1");
        assert_eq!(url("10.1.2.3:1".parse().unwrap()), "http://10.1.2.3:1");
    }

    #[test]
    fn a_clock_is_judged_by_what_it_is_off_at_least() {
        for (store, verdict, told) in [
            (0, Verdict::Ok, "within 2000 ms"),
            (2_100, Verdict::Ok, "within 2000 ms"),
            (2_101, Verdict::Warning, "2001 ms ahead of"),
            (-2_001, Verdict::Warning, "2001 ms behind"),
        ] {
            let of = |ms: i64| TimestampMs(1_000_000 + ms);
            let found = clock(ClockReading { before: of(0), store: of(store), after: of(100) });
            assert_eq!(found.verdict, verdict, "{found:?}");
            assert!(found.detail.contains(told), "{found:?}");
        }
    }
}
