//! The machine: what a folder lies on, and what processes have used.

use super::BenchResult;
use super::options::{BackendName, Common, Sync};
use std::path::{Path, PathBuf};

/// File systems that keep nothing.
const IN_MEMORY: [&str; 3] = ["tmpfs", "ramfs", "devtmpfs"];

/// Makes the folder of a bench and refuses one whose writes are not durable.
///
/// # Errors
///
/// A folder in memory, `synchronous` below full.
pub(super) fn durable_folder(common: &Common) -> BenchResult<PathBuf> {
    if common.synchronous != Sync::Full {
        return Err("synchronous below full: what it measures is no durable write".into());
    }
    // A server that runs as a user of its own must get through to its folder.
    let usual = match common.backend {
        BackendName::Sqlite => "target/bench",
        BackendName::Postgres | BackendName::Redis => "/var/tmp",
    };
    let dir = common.dir.as_deref().unwrap_or(Path::new(usual));
    std::fs::create_dir_all(dir)?;
    let dir = dir.canonicalize()?;
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    let kind = file_system(&mounts, &dir).ok_or("no mount point for the folder")?;
    if IN_MEMORY.contains(&kind) {
        return Err(format!("{} lies on {kind}, which keeps nothing; say --dir", dir.display()).into());
    }
    Ok(dir)
}

/// The type of the file system of the longest mount point above a folder; of
/// two on one point, the later one covers the earlier.
fn file_system<'a>(mounts: &'a str, dir: &Path) -> Option<&'a str> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(1);
        let (Some(point), Some(kind)) = (fields.next(), fields.next()) else { continue };
        let point = point.replace("\\040", " ");
        if dir.starts_with(&point) && best.is_none_or(|(length, _)| point.len() >= length) {
            best = Some((point.len(), kind));
        }
    }
    best.map(|(_, kind)| kind)
}

/// What else runs on the machine: the three averages of `/proc/loadavg`.
pub(super) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Seconds of processor time the threads of this process have used so far,
/// to the nanosecond: what wakes briefly does not fall between two ticks.
///
/// # Errors
///
/// A `/proc` that cannot be read.
pub(super) fn cpu_seconds() -> BenchResult<f64> {
    let mut nanoseconds = 0.0;
    for thread in std::fs::read_dir("/proc/self/task")? {
        // A thread that ends while one looks is gone with its time.
        let Ok(text) = std::fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanoseconds += text.split(' ').next().ok_or("an empty schedstat")?.parse::<f64>()?;
    }
    Ok(nanoseconds / 1e9)
}

/// Ticks per second of the times in `/proc/PID/stat`, the same on every Linux
/// since 2.6.
const TICKS_PER_S: f64 = 100.0;

/// Microseconds of processor time, user and system, that a server has used so
/// far: its process, those it has started, and those of them that have ended.
/// In steps of a tick.
///
/// # Errors
///
/// A server whose process is gone.
pub(super) fn cpu_us_of(server: u32, children: &[u32]) -> BenchResult<f64> {
    let text = std::fs::read_to_string(format!("/proc/{server}/stat"))?;
    let mut ticks: f64 = times(&text)?.iter().sum();
    for child in children {
        // One that has ended meanwhile is among the server's waited-for ones.
        let Ok(text) = std::fs::read_to_string(format!("/proc/{child}/stat")) else { continue };
        let [user, system, ..] = times(&text)?;
        ticks += user + system;
    }
    Ok(ticks * 1e6 / TICKS_PER_S)
}

/// User and system time of a process and of the children it has waited for.
fn times(stat: &str) -> BenchResult<[f64; 4]> {
    // The fields follow the name, which stands in brackets and may hold any
    // character; the first of them is the third.
    let (_, rest) = stat.rsplit_once(')').ok_or("a strange stat")?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut next = || Ok::<f64, super::BenchError>(fields.next().ok_or("a short stat")?.parse()?);
    Ok([next()?, next()?, next()?, next()?])
}

/// Resident memory in MiB.
///
/// # Errors
///
/// A `/proc` that cannot be read.
pub(super) fn resident_mib() -> BenchResult<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    Ok(field(&status, "VmRSS:")? / 1024.0)
}

/// Bytes this process has handed to the file system.
///
/// # Errors
///
/// A `/proc` that cannot be read.
pub(super) fn bytes_written() -> BenchResult<f64> {
    field(&std::fs::read_to_string("/proc/self/io")?, "wchar:")
}

fn field(text: &str, name: &str) -> BenchResult<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("no {name}"))?;
    Ok(line.split_whitespace().next().ok_or("an empty field")?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_mount_point_counts() {
        let mounts = "dev / ext4 rw 0 0\nnone /tmp tmpfs rw 0 0\ndev /tmp/disk ext4 rw 0 0\n";
        assert_eq!(file_system(mounts, Path::new("/home/a")), Some("ext4"));
        assert_eq!(file_system(mounts, Path::new("/tmp/a")), Some("tmpfs"));
        assert_eq!(file_system(mounts, Path::new("/tmp/disk/a")), Some("ext4"));
        assert_eq!(file_system(mounts, Path::new("/tmpfoo")), Some("ext4"));
    }

    #[test]
    fn times_are_those_behind_the_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 5 6 7 8 11 12 13 14 20 0 1";
        assert_eq!(times(stat).unwrap().map(|time| time.to_string()), ["11", "12", "13", "14"]);
        assert!(times("7 (a) S 1").is_err());
    }

    #[test]
    fn the_process_knows_itself() {
        assert!(resident_mib().unwrap() > 0.5);
        assert!(cpu_seconds().unwrap() >= 0.0);
        assert!(bytes_written().unwrap() >= 0.0);
    }
}
