//! What is to be said about a store on a PostgreSQL server.

use super::{clock, counts, of_obstacle, ownership};
use leasehold_cli::doctor::Finding;
use leasehold_core::partition::PartitionConfig;
use leasehold_postgres::inspect::{Contents, Report, Server};

pub fn findings(report: &Report, config: &PartitionConfig) -> Vec<Finding> {
    let mut findings = vec![match report.server.obstacle() {
        Some(obstacle) => of_obstacle("store", &obstacle),
        None => Finding::ok("store", format!("PostgreSQL {} answers at {}", report.server.version, report.url)),
    }];
    findings.extend(durability(&report.server));
    findings.push(schema(report, config));
    findings.push(clock(report.clock));
    let now = report.server.time;
    findings.extend(report.holdings.iter().flat_map(|holdings| ownership::findings(holdings, now)));
    findings
}

/// What a commit that was confirmed survives.
fn durability(server: &Server) -> Vec<Finding> {
    const CHECK: &str = "durability";
    let mut findings = Vec::new();
    if !server.fsync {
        let detail = "fsync is off: after a loss of power the whole database may be unreadable";
        findings.push(Finding::failure(CHECK, detail, "set fsync = on in postgresql.conf and reload the server"));
    }
    if !server.full_page_writes {
        let detail = "full_page_writes is off: a page that was half written at a loss of power stays damaged";
        let remedy = "set full_page_writes = on, unless the file system writes pages as a whole";
        findings.push(Finding::warning(CHECK, detail, remedy));
    }
    if server.synchronous_commit == "off" {
        let detail = "synchronous_commit is off: what was acknowledged in the last moments before a crash may be gone";
        let remedy = "set synchronous_commit = on for the server, the database and the role";
        findings.push(Finding::warning(CHECK, detail, remedy));
    }
    if findings.is_empty() {
        let detail = format!("fsync and full_page_writes are on, synchronous_commit is {}", server.synchronous_commit);
        findings.push(Finding::ok(CHECK, detail));
    }
    findings
}

fn schema(report: &Report, config: &PartitionConfig) -> Finding {
    const CHECK: &str = "schema";
    if let Some(obstacle) = report.contents.obstacle(&report.schema, config) {
        return of_obstacle(CHECK, &obstacle);
    }
    let (name, known) = (&report.schema, report.known_version);
    let later = "at the next start or by `leasehold migrate`";
    Finding::ok(
        CHECK,
        match &report.contents {
            Contents::Missing => format!("{name} is missing and is made {later}"),
            Contents::Empty => format!("{name} is empty and is set up {later}"),
            Contents::Store { version, partitions, .. } if *version < known => {
                format!("{name} has version {version}, raised to {known} {later}, {}", counts(*partitions))
            }
            Contents::Store { version, partitions, store_id } => {
                format!("{name} has version {version}, {}, identity {store_id}", counts(*partitions))
            }
            // Both have been obstacles.
            Contents::Foreign | Contents::Newer(_) => format!("{name} cannot be used"),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_backend::{ClockReading, Holdings};
    use leasehold_cli::doctor::Verdict;
    use leasehold_core::time::TimestampMs;

    const TIME: TimestampMs = TimestampMs(0);

    fn report() -> Report {
        Report {
            url: "postgres://role@host/db".to_owned(),
            schema: "leasehold".to_owned(),
            server: Server {
                version: "15.18".to_owned(),
                version_number: 150_018,
                read_only: false,
                fsync: true,
                full_page_writes: true,
                synchronous_commit: "on".to_owned(),
                time: TIME,
            },
            contents: Contents::Store {
                version: 2,
                store_id: "00000000-0000-4000-8000-000000000007".parse().unwrap(),
                partitions: PartitionConfig::default(),
            },
            known_version: 2,
            clock: ClockReading { before: TIME, store: TIME, after: TIME },
            holdings: Some(Holdings::default()),
        }
    }

    fn judged(report: &Report) -> Vec<(&'static str, Verdict, String)> {
        let findings = findings(report, &PartitionConfig::default());
        findings.into_iter().map(|found| (found.check, found.verdict, found.detail)).collect()
    }

    #[test]
    fn a_sound_store_is_told_with_what_it_is() {
        let judged = judged(&report());
        for (check, told) in [
            ("store", "PostgreSQL 15.18 answers at postgres://role@host/db"),
            ("durability", "synchronous_commit is on"),
            ("schema", "version 2, 256 flow, 32 budget and 32 quota partitions, identity 00000000"),
            ("store clock", "within"),
        ] {
            let (_, verdict, detail) = judged.iter().find(|found| found.0 == check).unwrap();
            assert!(*verdict == Verdict::Ok && detail.contains(told), "{check}: {detail}");
        }
        assert_eq!(judged.iter().map(|found| found.0).skip(4).collect::<Vec<_>>(), ["nodes", "partitions"]);
    }

    #[test]
    fn each_setting_that_loses_data_is_told_by_itself() {
        let mut report = report();
        report.server.fsync = false;
        report.server.full_page_writes = false;
        "off".clone_into(&mut report.server.synchronous_commit);
        let judged = judged(&report);
        let durability: Vec<_> = judged.iter().filter(|found| found.0 == "durability").collect();
        assert_eq!(durability.len(), 3);
        for ((_, verdict, detail), (expected, told)) in durability.into_iter().zip([
            (Verdict::Failure, "fsync is off"),
            (Verdict::Warning, "full_page_writes is off"),
            (Verdict::Warning, "synchronous_commit is off"),
        ]) {
            assert!(*verdict == expected && detail.starts_with(told), "{verdict:?} {detail}");
        }
    }

    #[test]
    fn each_state_of_the_schema_is_judged() {
        let store = |version| Contents::Store {
            version,
            store_id: "00000000-0000-4000-8000-000000000007".parse().unwrap(),
            partitions: PartitionConfig::default(),
        };
        for (contents, verdict, told) in [
            (Contents::Missing, Verdict::Ok, "is made at the next start"),
            (Contents::Empty, Verdict::Ok, "is set up"),
            (store(1), Verdict::Ok, "raised to 2"),
            (Contents::Newer(3), Verdict::Failure, "schema version 3"),
            (Contents::Foreign, Verdict::Failure, "another program"),
        ] {
            let found = schema(&Report { contents, ..report() }, &PartitionConfig::default());
            assert!(found.verdict == verdict && found.detail.contains(told), "{found:?}");
        }
        let other = PartitionConfig { num_flow_partitions: 4, ..PartitionConfig::default() };
        assert_eq!(schema(&report(), &other).verdict, Verdict::Failure);
    }

    #[test]
    fn a_server_that_is_too_old_is_a_failure() {
        let mut report = report();
        report.server.version_number = 130_014;
        assert_eq!(judged(&report)[0].1, Verdict::Failure);
    }
}
