//! Looking at a store's file without opening it, for people in search of what
//! is wrong.

use crate::lock;
use crate::prepare::{APPLICATION_ID, MIGRATIONS};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What begins every SQLite database.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Where the header of a SQLite database has its user version.
const VERSION_AT: usize = 60;

/// Where it has its application id.
const APPLICATION_AT: usize = 68;

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// There is none.
    Missing,
    /// It is a store of this schema version, as of the last time its log was
    /// copied into it; 0 when that has not happened yet.
    Store(u32),
    /// It is something else.
    Foreign,
}

/// How a store's file stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// What kind of file it is.
    pub kind: FileKind,
    /// Who has it open, as the lock beside it says; none when nobody has.
    pub owner: Option<String>,
    /// The newest schema version this program knows.
    pub known_version: u32,
}

/// Looks at a store's file. Nothing is made or changed, so that it may be done
/// while a node works on the file.
///
/// # Errors
///
/// What the operating system refuses.
pub fn inspect(path: &Path) -> io::Result<FileReport> {
    let known_version = MIGRATIONS.len() as u32;
    let resolved = match path.canonicalize() {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(FileReport { kind: FileKind::Missing, owner: None, known_version });
        }
        Err(error) => return Err(error),
    };
    let mut header = Vec::new();
    File::open(&resolved)?.take(100).read_to_end(&mut header)?;
    Ok(FileReport { kind: kind(&header), owner: lock::owner(&resolved)?, known_version })
}

fn kind(header: &[u8]) -> FileKind {
    // A store whose log has not been copied yet may be empty.
    if header.is_empty() {
        return FileKind::Store(0);
    }
    let number = |at: usize| header.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes);
    match (header.starts_with(MAGIC), number(APPLICATION_AT), number(VERSION_AT)) {
        (true, Some(application), Some(version)) if i64::from(application) == APPLICATION_ID => {
            FileKind::Store(version)
        }
        (true, Some(0), Some(0)) => FileKind::Store(0),
        _ => FileKind::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SqliteBackend, SqliteOptions};
    use leasehold_backend::{Backend, SystemClock};
    use leasehold_core::partition::PartitionConfig;
    use std::sync::Arc;

    #[tokio::test]
    async fn a_file_says_what_it_is_and_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("work.db");
        let report = inspect(&path).unwrap();
        assert_eq!((report.kind, report.owner), (FileKind::Missing, None));
        assert!(!path.exists(), "looking makes nothing");

        let store = SqliteBackend::open(SqliteOptions::new(&path), Arc::new(SystemClock::default())).await.unwrap();
        store.prepare(&PartitionConfig::default()).await.unwrap();
        let report = inspect(&path).unwrap();
        assert!(matches!(report.kind, FileKind::Store(_)), "{report:?}");
        assert_eq!(report.owner, Some(format!("pid {}", std::process::id())));
        store.close().await;

        let report = inspect(&path).unwrap();
        assert_eq!(report.kind, FileKind::Store(report.known_version));
        assert_eq!(report.owner, None);
    }

    #[test]
    fn other_files_are_foreign() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letter.txt");
        std::fs::write(&path, "Dear all,").unwrap();
        assert_eq!(inspect(&path).unwrap().kind, FileKind::Foreign);
    }
}
