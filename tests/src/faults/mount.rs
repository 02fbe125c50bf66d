//! A small file system in memory, where the machine lets this process make
//! one.

use crate::kills::Fallible;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// What is written at once to fill it.
const BLOCK: usize = 4096;

/// A file system of a bounded size. It is gone with this value.
#[derive(Debug)]
pub struct Mount {
    folder: TempDir,
}

impl Mount {
    /// Makes one of so many KiB.
    ///
    /// # Errors
    ///
    /// When the machine does not allow it.
    pub fn new(kib: u64) -> Fallible<Self> {
        // Below a folder that every user may pass: servers may run as one of
        // their own.
        let folder = tempfile::Builder::new().prefix("leasehold-full-").tempdir_in("/var/tmp")?;
        let size = format!("size={kib}k,mode=755");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()))?;
        Ok(Self { folder })
    }

    /// Why none can be made, if none can.
    pub fn obstacle() -> Option<String> {
        Self::new(64).err().map(|error| format!("no tmpfs can be mounted ({error})"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Fills it until nothing fits.
    ///
    /// # Errors
    ///
    /// What the system says, other than that it is full.
    pub fn fill(&self) -> Fallible {
        let mut file = File::options().create(true).append(true).open(self.ballast())?;
        loop {
            match file.write_all(&[1; BLOCK]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes back what [`Self::fill`] has written.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn free(&self) -> Fallible {
        Ok(fs::remove_file(self.ballast())?)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a server that is just ending may still have files open.
        drop(run(Command::new("umount").arg("--lazy").arg(self.folder.path())));
    }
}

/// Runs a command that says nothing when it succeeds.
pub fn run(command: &mut Command) -> Fallible {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {}", command.get_program().to_string_lossy(), said.trim()).into())
}
