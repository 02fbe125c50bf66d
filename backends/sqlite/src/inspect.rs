//! Looking at a store's file without changing it, for people in search of what
//! is wrong, and before it is opened for writing.
//!
//! The first bytes of the file say whether it is a store at all. What is still
//! in the log is seen by a reading connection; where the log is empty, that
//! connection takes the file as it stands, so that it leaves nothing beside it.

use crate::lock;
use crate::prepare::{self, APPLICATION_ID, MIGRATIONS};
use crate::read::Column;
use crate::{errors, open};
use leasehold_backend::{Obstacle, StoreError, StoreResult};
use leasehold_core::partition::PartitionConfig;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Connection, Executor};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What begins every SQLite database.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Where the header of a SQLite database has its user version.
const VERSION_AT: usize = 60;

/// Where it has its application id.
const APPLICATION_AT: usize = 68;

/// What follows the header when the schema is empty: the mark of a leaf of a
/// table's tree, the first free block, and how many cells there are.
const SCHEMA_AT: usize = 100;
const EMPTY_SCHEMA: [u8; 5] = [0x0d, 0, 0, 0, 0];

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// There is none.
    Missing,
    /// Nothing is in it yet.
    Empty,
    /// It is a store of this schema version.
    Store(u32),
    /// It is something else.
    Foreign,
}

/// How a store's file stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// What kind of file it is.
    pub kind: FileKind,
    /// What the store was set up for; none unless it is one whose schema this
    /// program knows.
    pub partitions: Option<PartitionConfig>,
    /// Who has it open, as the lock beside it says; none when nobody has.
    pub owner: Option<String>,
    /// The newest schema version this program knows.
    pub known_version: u32,
}

impl FileReport {
    /// Why the engine must not run on this file with these partition counts,
    /// if it must not. A file that another process has open is none: that
    /// passes.
    pub fn obstacle(&self, config: &PartitionConfig) -> Option<Obstacle> {
        let shown = self.path.display();
        match (self.kind, self.partitions) {
            (FileKind::Missing, _) => missing_folder(&self.path),
            (FileKind::Foreign, _) => Some(foreign(&self.path)),
            (FileKind::Store(version), _) if version > self.known_version => {
                Some(Obstacle::newer_schema(shown, version, self.known_version))
            }
            (FileKind::Store(_), Some(stored)) if stored != *config => {
                Some(Obstacle::other_partitions(shown, stored, *config, "file"))
            }
            (FileKind::Empty | FileKind::Store(_), _) => None,
        }
    }
}

/// The file would be made, its folder would not.
fn missing_folder(path: &Path) -> Option<Obstacle> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty())?;
    let what = format!("The folder {} of the SQLite database is missing", folder.display());
    (!folder.is_dir()).then(|| Obstacle::new(what, "Make it, or name another file"))
}

/// A file that is no store.
pub(crate) fn foreign(path: &Path) -> Obstacle {
    let what = format!("{} is no store of the engine: another program has made it", path.display());
    Obstacle::new(what, "Give the engine a file of its own")
}

/// Looks at a store's file. Nothing is made or changed, so that it may be done
/// while a node works on the file.
///
/// # Errors
///
/// `Refused` for what the operating system refuses; what a file that is
/// damaged or locked answers with.
pub async fn inspect(path: &Path) -> StoreResult<FileReport> {
    let known_version = MIGRATIONS.len() as u32;
    let report = |kind| FileReport { path: path.to_owned(), kind, partitions: None, owner: None, known_version };
    let cannot = |error: io::Error| {
        StoreError::refused(format!(
            "The file {} cannot be looked at: {error}. Let the server's user read and write it.",
            path.display()
        ))
    };
    let resolved = match path.canonicalize() {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(report(FileKind::Missing)),
        Err(error) => return Err(cannot(error)),
    };
    let mut report = report(header(&resolved).map_err(cannot)?);
    report.path.clone_from(&resolved);
    report.owner = lock::owner(&resolved).map_err(cannot)?;
    if let FileKind::Empty | FileKind::Store(_) = report.kind {
        (report.kind, report.partitions) = contents(&resolved).await?;
    }
    Ok(report)
}

/// What a file is by its first bytes, which are as old as the last time its log
/// was copied into it.
pub(crate) fn header(path: &Path) -> io::Result<FileKind> {
    let mut header = Vec::new();
    File::open(path)?.take((SCHEMA_AT + EMPTY_SCHEMA.len()) as u64).read_to_end(&mut header)?;
    Ok(kind(&header))
}

fn kind(header: &[u8]) -> FileKind {
    // A store whose log has not been copied yet may be empty.
    if header.is_empty() {
        return FileKind::Empty;
    }
    let number = |at: usize| header.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes);
    match (header.starts_with(MAGIC), number(APPLICATION_AT), number(VERSION_AT)) {
        (true, Some(application), Some(version)) if i64::from(application) == APPLICATION_ID => {
            FileKind::Store(version)
        }
        (true, Some(0), Some(0)) if header.get(SCHEMA_AT..) == Some(&EMPTY_SCHEMA) => FileKind::Empty,
        _ => FileKind::Foreign,
    }
}

/// What is in the file and in its log.
async fn contents(path: &Path) -> StoreResult<(FileKind, Option<PartitionConfig>)> {
    let log = open::beside(path, "-wal");
    let log_is_empty = log.metadata().map_or(true, |found| found.len() == 0);
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(log_is_empty);
    let mut connection = options.disable_statement_logging().connect().await.map_err(errors::of_read)?;
    let found = contents_of(&mut connection).await;
    connection.close().await.map_err(errors::of_read)?;
    found
}

async fn contents_of(connection: &mut SqliteConnection) -> StoreResult<(FileKind, Option<PartitionConfig>)> {
    let row = row_of(connection, prepare::KIND).await?;
    let version = match prepare::version_of(&Column::of(&row, "pragma", &"kind"))? {
        None => return Ok((FileKind::Foreign, None)),
        Some(0) => return Ok((FileKind::Empty, None)),
        Some(version) => version as u32,
    };
    if version as usize > MIGRATIONS.len() {
        return Ok((FileKind::Store(version), None));
    }
    let row = row_of(connection, prepare::META).await?;
    let stored = prepare::counts_of(&Column::of(&row, "meta", &"store"))?;
    Ok((FileKind::Store(version), Some(stored)))
}

async fn row_of(connection: &mut SqliteConnection, sql: &'static str) -> StoreResult<SqliteRow> {
    connection.fetch_one(sql).await.map_err(errors::of_read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SqliteBackend, SqliteOptions};
    use leasehold_backend::{Backend, SystemClock};
    use std::sync::Arc;

    #[tokio::test]
    async fn a_file_says_what_it_is_and_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("work.db");
        let report = inspect(&path).await.unwrap();
        assert_eq!((report.kind, report.owner), (FileKind::Missing, None));
        assert!(!path.exists(), "looking makes nothing");

        let config = PartitionConfig { num_flow_partitions: 4, ..PartitionConfig::default() };
        let store = SqliteBackend::open(
            SqliteOptions { wal_reserve_bytes: 0, ..SqliteOptions::new(&path) },
            Arc::new(SystemClock::default()),
        )
        .await
        .unwrap();
        store.prepare(&config).await.unwrap();
        let open = inspect(&path).await.unwrap();
        // Everything is in the log by now, and nothing in the file.
        assert_eq!((open.kind, open.partitions), (FileKind::Store(open.known_version), Some(config)));
        assert_eq!(open.owner, Some(format!("pid {}", std::process::id())));
        store.close().await;

        let bytes = std::fs::read(&path).unwrap();
        let closed = inspect(&path).await.unwrap();
        assert_eq!(closed, FileReport { owner: None, ..open });
        assert_eq!(closed.obstacle(&config), None);
        let told = closed.obstacle(&PartitionConfig::default()).unwrap();
        assert!(told.what.contains("4/32/32"), "{told}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        let mut left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["work.db", "work.db.lock"], "looking leaves nothing");
    }

    #[tokio::test]
    async fn other_files_are_foreign() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letter.txt");
        std::fs::write(&path, "Dear all,").unwrap();
        let report = inspect(&path).await.unwrap();
        assert_eq!(report.kind, FileKind::Foreign);
        assert!(report.obstacle(&PartitionConfig::default()).unwrap().what.contains("another program"));
    }

    #[test]
    fn a_database_is_judged_by_its_first_bytes() {
        let mut header = vec![0; SCHEMA_AT];
        header[..16].copy_from_slice(MAGIC);
        header.extend(EMPTY_SCHEMA);
        assert_eq!(kind(&header), FileKind::Empty);
        header[SCHEMA_AT + 4] = 1;
        assert_eq!(kind(&header), FileKind::Foreign, "tables without our mark");
        header[APPLICATION_AT..APPLICATION_AT + 4].copy_from_slice(&0x4c73_4864_u32.to_be_bytes());
        header[VERSION_AT + 3] = 7;
        assert_eq!(kind(&header), FileKind::Store(7));
    }
}
