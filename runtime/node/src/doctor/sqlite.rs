//! What is to be said about a SQLite file.

use super::{counts, of_obstacle};
use leasehold_cli::doctor::Finding;
use leasehold_core::partition::PartitionConfig;
use leasehold_sqlite::{FileKind, FileReport};

pub fn finding(report: &FileReport, config: &PartitionConfig) -> Finding {
    if let Some(obstacle) = report.obstacle(config) {
        return of_obstacle("store", &obstacle);
    }
    let shown = report.path.display();
    let owner = match &report.owner {
        Some(owner) => format!("open in another process ({owner})"),
        None => "not open in any process".to_owned(),
    };
    match report.kind {
        FileKind::Missing => Finding::ok("store", format!("{shown} will be made")),
        FileKind::Empty => Finding::ok("store", format!("{shown} is empty and will be set up, {owner}")),
        // One that is foreign has been an obstacle.
        FileKind::Store(_) | FileKind::Foreign => {
            let version = match report.kind {
                FileKind::Store(version) if version < report.known_version => {
                    format!(
                        "schema version {version}, raised to {} at the next start or by `leasehold migrate`",
                        report.known_version
                    )
                }
                _ => format!("schema version {}", report.known_version),
            };
            let set_up = report.partitions.map(|stored| format!(", {}", counts(stored))).unwrap_or_default();
            Finding::ok("store", format!("{shown}: {version}{set_up}, {owner}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_cli::doctor::Verdict;

    #[test]
    fn each_state_of_the_file_is_judged() {
        let dir = tempfile::tempdir().unwrap();
        let config = PartitionConfig::default();
        let report = FileReport {
            path: dir.path().join("work.db"),
            kind: FileKind::Missing,
            partitions: Some(config),
            owner: Some("pid 7".to_owned()),
            known_version: 2,
        };
        for (kind, verdict, told) in [
            (FileKind::Missing, Verdict::Ok, "will be made"),
            (FileKind::Empty, Verdict::Ok, "will be set up"),
            (FileKind::Foreign, Verdict::Failure, "no store"),
            (FileKind::Store(3), Verdict::Failure, "versions up to 2"),
            (FileKind::Store(2), Verdict::Ok, "schema version 2, 256 flow"),
            (FileKind::Store(2), Verdict::Ok, "open in another process (pid 7)"),
            (FileKind::Store(1), Verdict::Ok, "raised to 2"),
        ] {
            let found = finding(&FileReport { kind, ..report.clone() }, &config);
            assert_eq!(found.verdict, verdict, "{found:?}");
            assert!(found.detail.contains(told), "{found:?}");
        }
        let other = PartitionConfig { num_flow_partitions: 4, ..config };
        let found = finding(&FileReport { kind: FileKind::Store(2), ..report.clone() }, &other);
        assert!(found.verdict == Verdict::Failure && found.detail.contains("4/32/32"), "{found:?}");
        let nowhere = FileReport { path: dir.path().join("none/work.db"), ..report };
        assert_eq!(finding(&nowhere, &config).verdict, Verdict::Failure);
    }
}
