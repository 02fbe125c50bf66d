//! Where the files of an instance lie, and as whom a server runs that refuses root.

use crate::error::{During, ServiceResult};
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// A user a server runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// Whom to become for a server that refuses root: nobody else when this is not root,
    /// otherwise `postgres`, or `nobody` where there is no such user.
    pub fn for_postgres() -> ServiceResult<Option<Self>> {
        if !is_root() {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").at(Path::new("/etc/passwd"))?;
        Ok(account(&accounts, "postgres").or_else(|| account(&accounts, "nobody")))
    }

    /// Words before a command that make it run as this user.
    pub fn become_words(self) -> Vec<OsString> {
        let Self { uid, gid } = self;
        [
            "setpriv".to_owned(),
            format!("--reuid={uid}"),
            format!("--regid={gid}"),
            "--clear-groups".to_owned(),
            "--".to_owned(),
        ]
        .map(OsString::from)
        .to_vec()
    }

    /// Gives this user a path.
    pub fn own(self, path: &Path) -> ServiceResult {
        chown(path, Some(self.uid), Some(self.gid)).at(path)
    }
}

/// Whether this process may do everything.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn account(accounts: &str, name: &str) -> Option<User> {
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2).map(str::parse);
    Some(User { uid: fields.next()?.ok()?, gid: fields.next()?.ok()? })
}

/// Whether every user may go through all folders down to this one.
pub(crate) fn is_open_to_all(path: &Path) -> bool {
    path.ancestors().all(|folder| fs::metadata(folder).is_ok_and(|found| found.permissions().mode() & 0o001 != 0))
}

/// A new folder for an instance.
///
/// Data that must be durable does not go where the machine may keep temporary files in
/// memory. A server with a user of its own needs a way to its folder, which the temporary
/// folder of root need not offer.
pub(crate) fn folder(kind: &str, durable: bool, base: Option<&Path>, owner: Option<User>) -> ServiceResult<PathBuf> {
    let base = match base {
        Some(base) => base.to_owned(),
        None if durable => PathBuf::from("/var/tmp"),
        None if owner.is_some() && !is_open_to_all(&std::env::temp_dir()) => PathBuf::from("/tmp"),
        None => std::env::temp_dir(),
    };
    let prefix = format!("leasehold-{kind}-");
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix(&prefix).permissions(Permissions::from_mode(0o700));
    let made = builder.tempdir_in(&base).at(&base)?;
    let folder = made.keep();
    if let Some(owner) = owner {
        owner.own(&folder)?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts = "root:x:0:0::/root:/bin/sh\npostgres2:x:7:8::/:/bin/sh\npostgres:x:101:104::/:/bin/sh\n";
        assert_eq!(account(accounts, "postgres"), Some(User { uid: 101, gid: 104 }));
        assert_eq!(account(accounts, "nobody"), None);
    }

    #[test]
    fn a_closed_folder_closes_everything_below_it() {
        let outer = tempfile::tempdir().unwrap();
        fs::set_permissions(outer.path(), Permissions::from_mode(0o700)).unwrap();
        let inner = outer.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::set_permissions(&inner, Permissions::from_mode(0o755)).unwrap();
        assert!(!is_open_to_all(&inner), "the folder above is for its owner only");
        fs::set_permissions(outer.path(), Permissions::from_mode(0o711)).unwrap();
        assert_eq!(is_open_to_all(&inner), is_open_to_all(&std::env::temp_dir()));
    }
}
