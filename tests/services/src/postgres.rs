//! A PostgreSQL server of one's own.

use crate::error::{During, ServiceError, ServiceResult};
use crate::guard::{self, Guard, Guarded, send, wait_until_gone};
use crate::install::Kind;
use crate::place::{self, User};
use crate::ports;
use crate::wait::wait_for;
use rustix::process::Signal;
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The superuser, who is trusted unless a password is set.
pub const SUPERUSER: &str = "postgres";

/// How long a server may take to start, recovery included, and to end in order.
const LIMIT: Duration = Duration::from_secs(60);

/// Whatever the use: reachable on one port and nowhere else, with room for many tests at once.
const ALWAYS: &[(&str, &str)] = &[
    ("listen_addresses", "'127.0.0.1'"),
    ("unix_socket_directories", "''"),
    ("max_connections", "300"),
    ("max_locks_per_transaction", "256"),
    ("logging_collector", "off"),
    ("timezone", "'UTC'"),
];

/// For data that nobody misses when the machine stops.
const FLEETING: &[(&str, &str)] = &[
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("shared_buffers", "64MB"),
];

/// What a server is started with.
#[derive(Debug, Clone, Default)]
pub struct PostgresConfig {
    /// The product's durability; otherwise nothing is synced.
    pub durable: bool,
    /// More settings, as they stand in `postgresql.conf`. They win over all others.
    pub settings: Vec<(String, String)>,
    /// The superuser's password. Without one everybody on this machine is trusted.
    pub password: Option<String>,
    /// In which folder the server's own is made.
    pub base: Option<PathBuf>,
}

/// A running server, or one that was killed and can be started again. It ends with this
/// value, and with the process that holds it.
#[derive(Debug)]
pub struct Postgres {
    guard: Guard,
    port: u16,
    password: Option<String>,
}

impl Postgres {
    /// Makes a cluster and starts its server.
    ///
    /// # Errors
    ///
    /// When the programs are missing, or the server does not come to serve.
    pub fn start(config: &PostgresConfig) -> ServiceResult<Self> {
        Self::start_at(config, ports::free(None))
    }

    /// As [`Postgres::start`], trying this port first.
    pub(crate) fn start_at(config: &PostgresConfig, mut port: u16) -> ServiceResult<Self> {
        let programs = Kind::Postgres.programs()?;
        let user = User::for_postgres()?;
        let folder = place::folder("postgres", config.durable, config.base.as_deref(), user)?;
        let data = folder.join("data");
        let mut command = user.map(User::become_words).unwrap_or_default();
        command.extend([programs.program("postgres"), "-D".into(), data.clone().into_os_string()]);
        // An immediate shutdown: nobody reads the data any more, but what the server has
        // allocated outside its folder is to be given back.
        let guarded = Guarded { command, libraries: programs.libraries.clone(), ending: "QUIT" };
        let mut postgres = Self { guard: Guard::new(guarded, folder)?, port, password: config.password.clone() };
        postgres.initialize(&programs.program("initdb"), programs.libraries.as_deref(), user)?;
        let mut settings: Vec<(&str, &str)> = ALWAYS.to_vec();
        if !config.durable {
            settings.extend(FLEETING);
        }
        settings.extend(config.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        postgres.configure(&settings)?;
        for _ in 0..ports::TRIES {
            postgres.port = port;
            postgres.configure(&[("port", &port.to_string())])?;
            let said_before = postgres.guard.said().len();
            match postgres.begin() {
                Ok(()) => return Ok(postgres),
                Err(_) if postgres.guard.said()[said_before..].contains("Address already in use") => {
                    port = ports::free(None);
                }
                Err(error) => return Err(error),
            }
        }
        Err(postgres.failed("no port stays free"))
    }

    /// The superuser's URL to the maintenance database.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The superuser's URL to a database.
    pub fn url_of(&self, database: &str) -> String {
        let password = self.password.as_ref().map(|password| format!(":{password}")).unwrap_or_default();
        format!("postgres://{SUPERUSER}{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// The port it listens on, in all its lives.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process of its postmaster.
    pub fn pid(&self) -> u32 {
        self.guard.pid()
    }

    /// The postmaster and all its children.
    pub fn pids(&self) -> Vec<u32> {
        let pid = self.pid();
        let mut pids = vec![pid];
        pids.extend(guard::children(pid));
        pids
    }

    /// Whether its postmaster runs.
    pub fn is_alive(&self) -> bool {
        self.guard.is_alive()
    }

    /// The cluster's data directory.
    pub fn data(&self) -> PathBuf {
        self.guard.directory().join("data")
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        self.guard.said()
    }

    /// Adds settings, as they stand in `postgresql.conf`. They take effect at the next start,
    /// and those that can at the next [`Postgres::reload`].
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn configure(&self, settings: &[(&str, &str)]) -> ServiceResult {
        let path = self.data().join("postgresql.conf");
        let mut file = OpenOptions::new().append(true).open(&path).at(&path)?;
        settings.iter().try_for_each(|(name, value)| writeln!(file, "{name} = {value}")).at(&path)
    }

    /// Lets the server read its settings again.
    ///
    /// # Errors
    ///
    /// When the server does not run.
    pub fn reload(&self) -> ServiceResult {
        send(self.pid(), Signal::HUP)
    }

    /// Kills the postmaster and everything it has started, as the end of a machine would
    /// without its disk's cache.
    ///
    /// # Errors
    ///
    /// When something survives.
    pub fn kill(&mut self) -> ServiceResult {
        let pids = self.pids();
        self.guard.end(Signal::KILL, LIMIT)?;
        // Children notice the end of their postmaster by themselves, but not at once.
        for pid in pids.into_iter().skip(1).filter(|pid| guard::is_alive(*pid)) {
            if let Err(error) = send(pid, Signal::KILL)
                && guard::is_alive(pid)
            {
                return Err(error);
            }
            wait_until_gone(pid, LIMIT)?;
        }
        Ok(())
    }

    /// Ends the server in order, cutting connections.
    ///
    /// # Errors
    ///
    /// When it goes on.
    pub fn stop(&mut self) -> ServiceResult {
        self.guard.end(Signal::INT, LIMIT)
    }

    /// Starts the server again with its data and on its port, ending it in order before if it
    /// runs.
    ///
    /// # Errors
    ///
    /// When it does not come to serve.
    pub fn restart(&mut self) -> ServiceResult {
        self.stop()?;
        self.begin()
    }

    /// Freezes the server and all its sessions.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn pause(&self) -> ServiceResult {
        // The postmaster first, so that no session escapes.
        send(self.pid(), Signal::STOP)?;
        guard::children(self.pid()).into_iter().try_for_each(|pid| send(pid, Signal::STOP))
    }

    /// Lets a frozen server go on.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn resume(&self) -> ServiceResult {
        guard::children(self.pid()).into_iter().try_for_each(|pid| send(pid, Signal::CONT))?;
        send(self.pid(), Signal::CONT)
    }

    /// Closes the pipe to the guard; the server is ended beside whatever happens here.
    pub(crate) fn release(&mut self) {
        self.guard.release();
    }

    fn initialize(&self, initdb: &OsString, libraries: Option<&OsStr>, user: Option<User>) -> ServiceResult {
        let mut words = user.map(User::become_words).unwrap_or_default();
        words.push(initdb.clone());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("-D").arg(self.data()).current_dir("/").env("LC_ALL", "C");
        command.args(["-U", SUPERUSER, "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]);
        if let Some(libraries) = libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        let secret = self.guard.directory().join("password");
        match &self.password {
            None => command.arg("--auth=trust"),
            Some(password) => {
                fs::write(&secret, password).at(&secret)?;
                if let Some(user) = user {
                    user.own(&secret)?;
                }
                command.arg("--auth=scram-sha-256").arg("--pwfile").arg(&secret)
            }
        };
        let output = command.output().during("starting initdb")?;
        if output.status.success() {
            return Ok(());
        }
        Err(self.failed(&format!("initdb: {}", String::from_utf8_lossy(&output.stderr).trim())))
    }

    /// Starts the server and waits until it takes connections.
    fn begin(&mut self) -> ServiceResult {
        let pid = self.guard.start()?;
        let note = self.data().join("postmaster.pid");
        let serves = wait_for(LIMIT, || {
            if !self.guard.is_alive() {
                return Err(self.failed(&self.guard.last_words()));
            }
            let text = fs::read_to_string(&note).unwrap_or_default();
            Ok(is_ready(&text, pid).then_some(()))
        })?;
        serves.ok_or_else(|| self.failed(&format!("not within {LIMIT:?}\n{}", self.guard.last_words())))
    }

    fn failed(&self, reason: &str) -> ServiceError {
        ServiceError::Start { what: "PostgreSQL", reason: reason.to_owned() }
    }
}

/// What the postmaster's note says: its process in the first line, its state in the eighth. A
/// note of an earlier life names another process.
fn is_ready(note: &str, pid: u32) -> bool {
    let mut lines = note.lines();
    lines.next().is_some_and(|line| line.trim() == pid.to_string())
        && lines.nth(6).is_some_and(|line| line.trim() == "ready")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    #[test]
    fn a_note_of_an_earlier_life_does_not_count() {
        let note = "17\n/data\n1700000000\n5432\n\n127.0.0.1\n  5 6\nready   \n";
        assert!(is_ready(note, 17));
        assert!(!is_ready(note, 18));
        assert!(!is_ready(&note.replace("ready", "starting"), 17));
        assert!(!is_ready("17\n", 17));
    }

    #[test]
    fn a_port_that_somebody_took_is_given_up() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let postgres = Postgres::start_at(&PostgresConfig::default(), port).unwrap();
        assert_ne!(postgres.port(), port);
        assert!(postgres.log().contains("Address already in use"));
    }
}
