//! Finding the servers' programs, and fetching them when the machine has none.
//!
//! Nothing is installed into the system: the packages and those they depend on are downloaded
//! with `apt-get` into a folder of our own and unpacked there, which needs no rights, starts
//! no service, makes no cluster and leaves no configuration behind. Package lists and sources
//! are a private copy too; to it Debian's backports are added, where Valkey is.

use crate::apt::Apt;
use crate::error::{During, ServiceError, ServiceResult};
use crate::place;
use crate::version::{Version, version_of};
use std::env;
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Names the folder that holds what was fetched.
pub const DIRECTORY_VARIABLE: &str = "LEASEHOLD_SERVICES_DIR";

/// Where root keeps what others must be able to run, when the build folder is closed to them.
const OPEN_DIRECTORY: &str = "/var/cache/leasehold-services";

/// A server that can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// PostgreSQL, 14 or later.
    Postgres,
    /// Redis, 7.0 or later.
    Redis,
    /// Valkey, 8.0 or later.
    Valkey,
}

/// Programs of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// The folder they are in.
    pub folder: PathBuf,
    /// Where they find their libraries, when these were fetched with them: what they want as
    /// `LD_LIBRARY_PATH`.
    pub libraries: Option<OsString>,
    /// The version of the server.
    pub version: Version,
}

impl Programs {
    /// A program of the folder.
    pub(crate) fn program(&self, name: &str) -> OsString {
        self.folder.join(name).into_os_string()
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Postgres, Self::Redis, Self::Valkey];

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Redis => "Redis",
            Self::Valkey => "Valkey",
        }
    }

    const fn server(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis-server",
            Self::Valkey => "valkey-server",
        }
    }

    const fn least(self) -> Version {
        match self {
            Self::Postgres => Version { major: 14, minor: 0 },
            Self::Redis => Version { major: 7, minor: 0 },
            Self::Valkey => Version { major: 8, minor: 0 },
        }
    }

    /// The packages of Debian 12.
    const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["postgresql-15"],
            Self::Redis => &["redis-server"],
            Self::Valkey => &["valkey-server"],
        }
    }

    /// The folder's name below the one for all.
    const fn folder(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Valkey => "valkey",
        }
    }

    /// The programs on this machine, or fetches them.
    ///
    /// # Errors
    ///
    /// When there are none and they cannot be fetched.
    pub fn programs(self) -> ServiceResult<Programs> {
        if let Some(found) = self.find_in_system() {
            return Ok(found);
        }
        let directory = directory()?;
        if let Some(found) = self.find_unpacked(&directory.join(self.folder())) {
            return Ok(found);
        }
        self.fetch(&directory)
    }

    fn find_in_system(self) -> Option<Programs> {
        let mut folders = self.folders_of_versions(Path::new("/"));
        folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        folders.push(PathBuf::from("/usr/bin"));
        self.find(folders, None)
    }

    fn find_unpacked(self, root: &Path) -> Option<Programs> {
        let mut folders = self.folders_of_versions(root);
        folders.push(root.join("usr/bin"));
        self.find(folders, libraries(root))
    }

    fn find(self, folders: Vec<PathBuf>, libraries: Option<OsString>) -> Option<Programs> {
        folders.into_iter().find_map(|folder| {
            let version = version_of(&folder.join(self.server()), self.name(), libraries.as_deref())?;
            let complete = self != Self::Postgres || folder.join("initdb").exists();
            let fits = version >= self.least() && complete;
            fits.then(|| Programs { folder, libraries: libraries.clone(), version })
        })
    }

    /// Debian keeps each major version of PostgreSQL in a folder of its own.
    fn folders_of_versions(self, root: &Path) -> Vec<PathBuf> {
        if self != Self::Postgres {
            return Vec::new();
        }
        let Ok(entries) = fs::read_dir(root.join("usr/lib/postgresql")) else {
            return Vec::new();
        };
        let mut majors: Vec<u32> =
            entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        majors.sort_by_key(|major| (*major != 15, std::cmp::Reverse(*major)));
        majors.iter().map(|major| root.join(format!("usr/lib/postgresql/{major}/bin"))).collect()
    }

    /// Fetches the packages, unless another process did so meanwhile.
    fn fetch(self, directory: &Path) -> ServiceResult<Programs> {
        let lock = File::create(directory.join("lock")).at(directory)?;
        lock.lock().at(directory)?;
        let root = directory.join(self.folder());
        if let Some(found) = self.find_unpacked(&root) {
            return Ok(found);
        }
        let unpacked = directory.join(format!("{}.unpacking", self.folder()));
        for folder in [&root, &unpacked] {
            remove(folder)?;
        }
        let apt = Apt::new(directory.join("apt"), self.name())?;
        apt.unpack(self.packages(), &unpacked)?;
        fs::rename(&unpacked, &root).at(&root)?;
        self.find_unpacked(&root).ok_or_else(|| ServiceError::Install {
            what: self.name(),
            reason: format!("{} holds no {} that runs", root.display(), self.server()),
        })
    }
}

/// The folders with libraries below a root of unpacked packages.
fn libraries(root: &Path) -> Option<OsString> {
    let of_machine = format!("{}-linux-gnu", env::consts::ARCH);
    env::join_paths(["usr/lib", "lib"].map(|folder| root.join(folder).join(&of_machine))).ok()
}

/// The folder for what is fetched: the named one, or `services` in the build folder of the
/// sources; for root a folder that others can reach.
fn directory() -> ServiceResult<PathBuf> {
    let of_build = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/services");
    let wanted = env::var_os(DIRECTORY_VARIABLE).map_or_else(of_build, PathBuf::from);
    let made = make(&wanted)?;
    if place::is_root() && !place::is_open_to_all(&made) { make(Path::new(OPEN_DIRECTORY)) } else { Ok(made) }
}

fn make(folder: &Path) -> ServiceResult<PathBuf> {
    fs::create_dir_all(folder).at(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o755)).at(folder)?;
    folder.canonicalize().at(folder)
}

/// Removes a folder that need not exist.
pub(crate) fn remove(folder: &Path) -> ServiceResult {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).at(folder),
        _ => Ok(()),
    }
}
