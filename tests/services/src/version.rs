//! Versions of programs, as the programs tell them.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

/// A version's first two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first.
    pub major: u32,
    /// The second.
    pub minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What a program says its version is; none when it does not run, or is another product under
/// the same name.
pub(crate) fn version_of(program: &Path, product: &str, libraries: Option<&OsStr>) -> Option<Version> {
    if !program.is_file() {
        return None;
    }
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null());
    if let Some(libraries) = libraries {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    let said = String::from_utf8(command.output().ok()?.stdout).ok()?;
    parse(&said, product)
}

/// `postgres (PostgreSQL) 15.18 (Debian ...)`, `Redis server v=7.0.15 sha=...`.
fn parse(said: &str, product: &str) -> Option<Version> {
    if !said.contains(product) {
        return None;
    }
    let numbers = said
        .split_whitespace()
        .map(|word| word.trim_start_matches("v="))
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    let mut parts = numbers.split(|character: char| !character.is_ascii_digit());
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next().and_then(|minor| minor.parse().ok()).unwrap_or(0);
    Some(Version { major, minor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_they_are_told() {
        let version = |major, minor| Some(Version { major, minor });
        assert_eq!(parse("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "PostgreSQL"), version(15, 18));
        assert_eq!(parse("postgres (PostgreSQL) 18beta1", "PostgreSQL"), version(18, 0));
        assert_eq!(parse("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0", "Redis"), version(7, 0));
        assert_eq!(parse("Valkey server v=8.0.1 sha=00000000:0", "Valkey"), version(8, 0));
    }

    #[test]
    fn another_product_under_the_same_name_does_not_count() {
        assert_eq!(parse("Valkey server v=8.0.1 sha=00000000:0", "Redis"), None);
        assert_eq!(parse("Redis server", "Redis"), None);
    }
}
