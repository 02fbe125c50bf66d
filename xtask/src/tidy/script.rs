//! Rules for SQL and Lua: each file opens with a comment that says what it does, and
//! migrations are named `NNNN_what.sql`, each number once.

use std::collections::BTreeMap;

use super::Finding;

/// Checks one file.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.starts_with("--") {
        findings.push(Finding::file("does not open with a comment (`--`)"));
    }
    if let Some((_, name)) = migration(path)
        && number(name).is_none()
    {
        findings.push(Finding::file("a migration is named NNNN_what.sql"));
    }
    findings
}

/// The migrations that share their number with an earlier one of the same folder.
pub fn shared_migration_numbers<'a>(paths: &[&'a str]) -> Vec<(&'a str, Finding)> {
    let mut first = BTreeMap::new();
    let mut findings = Vec::new();
    for path in paths {
        let Some((folder, name)) = migration(path) else {
            continue;
        };
        let Some(number) = number(name) else {
            continue;
        };
        if let Some(other) = first.insert((folder, number), *path) {
            findings.push((*path, Finding::file(format!("has the number of {other}"))));
        }
    }
    findings
}

/// The folder and the file name, for an SQL file below a folder `migrations`.
fn migration(path: &str) -> Option<(&str, &str)> {
    let (folder, name) = path.rsplit_once('/')?;
    let below = folder.split('/').any(|part| part == "migrations");
    (below && path.rsplit('.').next() == Some("sql")).then_some((folder, name))
}

fn number(name: &str) -> Option<&str> {
    let (number, what) = name.strip_suffix(".sql")?.split_once('_')?;
    let digits = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (digits && !what.is_empty() && what.bytes().all(plain)).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_opens_with_a_comment() {
        assert!(check("lua/commit.lua", "-- Commits.\n").is_empty());
        assert_eq!(check("lua/commit.lua", "local a\n").len(), 1);
        assert_eq!(check("a/load.sql", "SELECT 1;\n").len(), 1);
    }

    #[test]
    fn migrations_are_numbered() {
        for (name, right) in [
            ("0001_init.sql", true),
            ("0012_add_lanes2.sql", true),
            ("1_init.sql", false),
            ("0001_.sql", false),
            ("0001-init.sql", false),
            ("0001_Init.sql", false),
        ] {
            let found = check(&format!("migrations/sqlite/{name}"), "-- Tables.\n");
            assert_eq!(found.is_empty(), right, "{name}");
            assert!(check(&format!("backends/sqlite/{name}"), "-- Loads.\n").is_empty());
        }
    }

    #[test]
    fn a_number_is_used_once_in_a_folder() {
        let found = shared_migration_numbers(&[
            "migrations/sqlite/0001_a.sql",
            "migrations/postgres/0001_a.sql",
            "migrations/sqlite/0001_b.sql",
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "migrations/sqlite/0001_b.sql");
    }
}
