//! Debian packages, downloaded and unpacked beside the system.

use crate::error::{During, ServiceError, ServiceResult};
use crate::install::remove;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const MIRROR: &str = "http://deb.debian.org/debian";

/// `apt-get` with package lists, sources and archives in a folder of ours. It knows from the
/// system's package database what need not be downloaded.
pub(crate) struct Apt {
    folder: PathBuf,
    /// For whom, in messages.
    what: &'static str,
}

impl Apt {
    /// Lays out the folder and copies the system's sources into it.
    pub fn new(folder: PathBuf, what: &'static str) -> ServiceResult<Self> {
        let apt = Self { folder, what };
        for folder in ["lists/partial", "cache/archives/partial", "sources"] {
            let folder = apt.folder.join(folder);
            fs::create_dir_all(&folder).at(&folder)?;
        }
        apt.copy_sources()?;
        Ok(apt)
    }

    /// Unpacks packages, and those they need and the system lacks, into a new folder.
    pub fn unpack(&self, packages: &[&str], root: &Path) -> ServiceResult {
        say(&format!("fetching {} ({}) into {}", self.what, packages.join(" "), root.display()));
        if self.has_lists()? {
            // Old lists name packages that the mirror may have replaced.
            if self.download(packages).is_err() {
                self.update()?;
                self.download(packages)?;
            }
        } else {
            self.update()?;
            self.download(packages)?;
        }
        let archives = self.archives()?;
        if archives.is_empty() {
            return Err(self.failed("the system counts it as installed, but its programs are missing".to_owned()));
        }
        for archive in archives {
            let mut command = Command::new("dpkg");
            command.arg("-x").arg(&archive).arg(root);
            self.succeed(&mut command)?;
        }
        Ok(())
    }

    fn copy_sources(&self) -> ServiceResult {
        let copies = self.folder.join("sources");
        remove(&copies)?;
        fs::create_dir_all(&copies).at(&copies)?;
        let mut known = fs::read_to_string("/etc/apt/sources.list").unwrap_or_default();
        let system = Path::new("/etc/apt/sources.list.d");
        if system.is_dir() {
            for entry in fs::read_dir(system).at(system)? {
                let path = entry.at(system)?.path();
                let Some(name) = path.file_name().filter(|_| is_source(&path)) else {
                    continue;
                };
                let text = fs::read_to_string(&path).at(&path)?;
                known.push_str(&text);
                let copy = copies.join(name);
                fs::write(&copy, text).at(&copy)?;
            }
        }
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        if let Some(line) = backports(&release, &known) {
            let path = copies.join("leasehold-backports.list");
            fs::write(&path, line).at(&path)?;
        }
        Ok(())
    }

    fn has_lists(&self) -> ServiceResult<bool> {
        let lists = self.folder.join("lists");
        let mut entries = fs::read_dir(&lists).at(&lists)?;
        Ok(entries.any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().contains("_Packages"))))
    }

    fn update(&self) -> ServiceResult {
        self.succeed(self.apt_get().arg("update"))
    }

    fn download(&self, packages: &[&str]) -> ServiceResult {
        for archive in self.archives()? {
            fs::remove_file(&archive).at(&archive)?;
        }
        let mut command = self.apt_get();
        command.args(["install", "--yes", "--no-install-recommends", "--download-only"]).args(packages);
        self.succeed(&mut command)
    }

    fn archives(&self) -> ServiceResult<Vec<PathBuf>> {
        let folder = self.folder.join("cache/archives");
        let mut archives = Vec::new();
        for entry in fs::read_dir(&folder).at(&folder)? {
            let path = entry.at(&folder)?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                archives.push(path);
            }
        }
        Ok(archives)
    }

    fn apt_get(&self) -> Command {
        let option = |name: &str, path: &str| {
            let mut option = OsString::from(format!("{name}="));
            option.push(self.folder.join(path));
            option
        };
        let mut command = Command::new("apt-get");
        command.args(["--quiet=2", "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1"]);
        command.arg("-o").arg(option("Dir::State::Lists", "lists"));
        command.arg("-o").arg(option("Dir::Cache", "cache"));
        command.arg("-o").arg(option("Dir::Etc::SourceParts", "sources"));
        command.env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    fn succeed(&self, command: &mut Command) -> ServiceResult {
        let program = command.get_program().to_string_lossy().into_owned();
        let Output { status, stdout, stderr } =
            command.output().map_err(|error| self.failed(format!("{program} does not run: {error}")))?;
        if status.success() {
            return Ok(());
        }
        let said = [stdout, stderr].concat();
        Err(self.failed(format!("{program} ended with {status}:\n{}", String::from_utf8_lossy(&said).trim())))
    }

    fn failed(&self, reason: String) -> ServiceError {
        ServiceError::Install { what: self.what, reason }
    }
}

/// Whether apt would read it: others lie there to be ignored.
fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "list" || extension == "sources")
}

/// The line that adds the backports of Debian 12, unless they are among the known sources.
fn backports(release: &str, known: &str) -> Option<String> {
    let is_bookworm = release.lines().any(|line| line == "VERSION_CODENAME=bookworm");
    let wanted = is_bookworm && !known.contains("bookworm-backports");
    wanted.then(|| format!("deb {MIRROR} bookworm-backports main\n"))
}

#[expect(clippy::print_stderr, reason = "downloading takes a while, and whoever waits wants to know for what")]
fn say(text: &str) {
    eprintln!("== {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOKWORM: &str = "ID=debian\nVERSION_CODENAME=bookworm\n";

    #[test]
    fn backports_are_added_where_they_are_missing() {
        assert!(backports(BOOKWORM, "Suites: bookworm bookworm-updates").is_some());
        assert_eq!(backports(BOOKWORM, "Suites: bookworm-backports"), None);
        assert_eq!(backports("VERSION_CODENAME=trixie\n", ""), None);
    }

    #[test]
    fn disabled_sources_stay_disabled() {
        assert!(is_source(Path::new("a/debian.sources")));
        assert!(is_source(Path::new("b.list")));
        assert!(!is_source(Path::new("b.list.disabled")));
    }
}
