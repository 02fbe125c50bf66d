//! What is to be said about a store on Valkey or Redis servers.

use super::{clock, counts, of_obstacle, ownership};
use leasehold::Durability;
use leasehold_cli::doctor::Finding;
use leasehold_cli::output::printable;
use leasehold_core::partition::PartitionConfig;
use leasehold_redis::inspect::{Contents, Functions, Own, Report};
use leasehold_redis::{Keyspace, Server};

pub fn findings(report: &Report, config: &PartitionConfig) -> Vec<Finding> {
    let kind = if report.clustered { "a Cluster" } else { "one server" };
    let mut findings = vec![Finding::ok("store", format!("{kind} answers at {}", report.addresses.join(", ")))];
    for server in &report.servers {
        findings.extend(of_server(server, report.durability));
    }
    findings.extend(report.functions.iter().map(functions));
    findings.push(schema(report, config));
    findings.push(clock(report.clock));
    let now = report.clock.store;
    findings.extend(report.holdings.iter().flat_map(|holdings| ownership::findings(holdings, now)));
    findings.extend(report.keys.iter().flat_map(keys));
    findings
}

fn of_server(server: &Server, durability: Durability) -> Vec<Finding> {
    let obstacles = server.obstacles(durability);
    let mut findings: Vec<Finding> = obstacles.iter().map(|obstacle| of_obstacle("server", obstacle)).collect();
    let Server { address, product, version, replicas, .. } = server;
    if findings.is_empty() {
        findings.push(Finding::ok("server", format!("{product} {version} at {address}, {replicas} replicas")));
    }
    findings.push(memory(server));
    findings.push(persistence(server, durability));
    findings
}

fn memory(server: &Server) -> Finding {
    const CHECK: &str = "memory";
    let Server { address, policy, used_bytes, max_bytes, .. } = server;
    let mib = |bytes: u64| bytes >> 20;
    if *max_bytes == 0 {
        let detail =
            format!("{address} uses {} MiB and has no maxmemory: it grows until the system ends it", mib(*used_bytes));
        return Finding::warning(CHECK, detail, "set maxmemory below what the machine has");
    }
    let detail = format!("{address} uses {} of {} MiB, policy {policy}", mib(*used_bytes), mib(*max_bytes));
    if server.is_full() {
        let remedy = "raise maxmemory, or delete what is no longer needed; what runs can still end";
        return Finding::failure(CHECK, format!("{detail}: creates are refused"), remedy);
    }
    Finding::ok(CHECK, detail)
}

fn persistence(server: &Server, durability: Durability) -> Finding {
    const CHECK: &str = "persistence";
    let class = match durability {
        Durability::Acknowledged => "acknowledged".to_owned(),
        Durability::Fsynced => "fsynced".to_owned(),
        Durability::Replicated(replicas) => format!("replicated({replicas})"),
    };
    let address = &server.address;
    if !server.aof {
        let detail = format!(
            "{address} keeps no append-only file, class {class}: what was written since its last snapshot is gone when \
             it ends"
        );
        let remedy = "set `appendonly yes`, in the server's configuration file too";
        return Finding::warning(CHECK, detail, remedy);
    }
    let Some(appendfsync) = &server.appendfsync else {
        return Finding::ok(CHECK, format!("{address} keeps an append-only file and does not tell when it syncs it"));
    };
    let detail = format!("{address} has appendfsync {appendfsync}, class {class}");
    match (appendfsync.as_str(), durability) {
        ("no", _) => Finding::warning(
            CHECK,
            format!("{detail}: the operating system decides when anything is on the disk"),
            "set `appendfsync everysec` or `always`",
        ),
        ("everysec", Durability::Acknowledged) => {
            Finding::ok(CHECK, format!("{detail}: up to two seconds may be gone after a loss of power"))
        }
        _ => Finding::ok(CHECK, detail),
    }
}

fn functions(functions: &Functions) -> Finding {
    const CHECK: &str = "functions";
    if let Some(obstacle) = functions.obstacle() {
        return of_obstacle(CHECK, &obstacle);
    }
    let Functions { address, own, others, known_version } = functions;
    let own = match own {
        Own::Missing => format!("version {known_version} is loaded at the next start or by `leasehold migrate`"),
        Own::Loaded | Own::Altered => format!("version {known_version} is loaded"),
    };
    let others: Vec<String> = others.iter().map(u32::to_string).collect();
    let others = match others.as_slice() {
        [] => String::new(),
        _ => format!("; of other versions of the program there: {}", others.join(", ")),
    };
    Finding::ok(CHECK, format!("{address}: {own}{others}"))
}

fn schema(report: &Report, config: &PartitionConfig) -> Finding {
    const CHECK: &str = "schema";
    if let Some(obstacle) = report.contents.obstacle(&report.prefix, config) {
        return of_obstacle(CHECK, &obstacle);
    }
    let prefix = &report.prefix;
    Finding::ok(
        CHECK,
        match &report.contents {
            Contents::Empty => {
                format!("nothing under `{prefix}:`; it is set up at the next start or by `leasehold migrate`")
            }
            Contents::Store { version, partitions, store_id } => {
                format!("`{prefix}:` has version {version}, {}, identity {store_id}", counts(*partitions))
            }
            // Both have been obstacles.
            Contents::Foreign(_) | Contents::Newer(_) => format!("`{prefix}:` cannot be used"),
        },
    )
}

fn keys(keys: &Keyspace) -> Vec<Finding> {
    const CHECK: &str = "keys";
    let mut findings: Vec<Finding> = keys
        .counts
        .iter()
        .map(|count| {
            let detail = format!(
                "{}, {}, {}: {} keys, {} entries",
                count.name, count.shape, count.content, count.keys, count.entries
            );
            Finding::ok(CHECK, detail)
        })
        .collect();
    if keys.strays > 0 {
        let names: Vec<String> = keys.stray_names.iter().map(|name| printable(name)).collect();
        let detail = format!("{} keys are none of these, such as {}", keys.strays, names.join(", "));
        let remedy = "another program writes under the same prefix; give one of the two another one";
        findings.push(Finding::warning(CHECK, detail, remedy));
    }
    if !keys.complete {
        let detail = "the servers hold more keys than are looked at, so that these numbers are too low";
        findings.push(Finding::warning(CHECK, detail, "count with `redis-cli --scan --pattern` where it matters"));
    }
    findings
}
