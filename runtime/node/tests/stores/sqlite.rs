//! SQLite files.

use crate::{Configured, assert_found};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn configured(dir: &TempDir) -> Configured {
    Configured::on("sqlite", &[("STORE__PATH", dir.path().join("work.db").to_str().unwrap())])
}

/// Every file of a folder with what is in it, but for the lock of a store,
/// which names whoever took it last.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let contents = |path: &PathBuf| {
        if path.ends_with("work.db.lock") { Vec::new() } else { std::fs::read(path).unwrap() }
    };
    paths.map(|path| (path.clone(), contents(&path))).collect()
}

/// Writes a number of the header, which says what the file is.
fn stamp(path: &Path, at: usize, number: u32) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("work.db");
    let store = configured(&dir);
    std::fs::write(&path, "Dear all,").unwrap();
    let before = files(dir.path());
    store.refused(&["another program"]).await;
    assert!(files(dir.path()) == before, "it is as it was");

    std::fs::remove_file(&path).unwrap();
    store.done(&["migrate"]).await;
    let before = files(dir.path());
    store.with("PARTITIONS__FLOW", "8").refused(&["4/32/32", "8/32/32"]).await;
    assert!(files(dir.path()) == before, "it is as it was");

    let sound = std::fs::read(&path).unwrap();
    // The schema's version.
    stamp(&path, 60, 99);
    let before = files(dir.path());
    store.refused(&["schema version 99", "newer version"]).await;
    assert!(files(dir.path()) == before, "it is as it was");

    std::fs::write(&path, sound).unwrap();
    // Whose it is.
    stamp(&path, 68, 7);
    let before = files(dir.path());
    store.refused(&["another program"]).await;
    assert!(files(dir.path()) == before, "it is as it was");
}

#[tokio::test]
async fn a_folder_that_is_missing_is_refused_and_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let store = Configured::on("sqlite", &[("STORE__PATH", dir.path().join("none/work.db").to_str().unwrap())]);
    store.refused(&["none"]).await;
    assert!(files(dir.path()).is_empty());
}

#[tokio::test]
async fn a_file_is_brought_up_to_date_once_and_told_beforehand() {
    let dir = tempfile::tempdir().unwrap();
    let store = configured(&dir);
    assert_eq!(store.steps(&["migrate", "--dry-run"]).await, [(None, 3, true)]);
    assert!(files(dir.path()).is_empty(), "it was only told");
    assert_eq!(store.steps(&["migrate"]).await, [(None, 3, true)]);
    let before = files(dir.path());
    assert_eq!(store.steps(&["migrate", "--dry-run"]).await, [(Some(3), 3, false)]);
    assert_found(&store.diagnosis("store", &[]).await, "ok", "schema version 3, 4 flow, 32 budget");
    assert!(files(dir.path()) == before, "it is as it was");

    let server = store.serve().await;
    store.refused_while_open().await;
    assert_found(&store.diagnosis("store", &[]).await, "ok", "open in another process (pid ");
    drop(server);
}

impl Configured {
    async fn refused_while_open(&self) {
        for args in [&["migrate"][..], &["migrate", "--dry-run"]] {
            let ended = self.run(args).await;
            assert_eq!(ended.code, Some(1), "{args:?}");
            assert!(ended.notes.contains("is in use (pid "), "{args:?}: {}", ended.notes);
        }
    }
}

#[tokio::test]
async fn a_store_in_memory_has_nothing_to_bring_up_to_date() {
    let store = Configured::on("memory", &[]);
    assert_eq!(store.steps(&["migrate"]).await, []);
    assert_found(&store.diagnosis("keys", &["--keys"]).await, "warning", "only a Valkey or Redis store");
}
