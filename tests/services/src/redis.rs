//! A Redis or Valkey server of one's own.

use crate::error::{During, ServiceError, ServiceResult};
use crate::guard::{Guard, Guarded, send};
use crate::install::Kind;
use crate::place;
use crate::ports;
use crate::resp::{self, Reply};
use crate::wait::wait_for;
use rustix::process::Signal;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// How long a server may take to start, loading its data included, and to end in order.
const LIMIT: Duration = Duration::from_secs(60);

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Flavour {
    /// Redis.
    Redis,
    /// Valkey.
    #[default]
    Valkey,
}

impl Flavour {
    const fn kind(self) -> Kind {
        match self {
            Self::Redis => Kind::Redis,
            Self::Valkey => Kind::Valkey,
        }
    }

    const fn program(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Valkey => "valkey-server",
        }
    }
}

/// What a server is started with.
#[derive(Debug, Clone, Default)]
pub struct RedisConfig {
    /// Redis or Valkey.
    pub flavour: Flavour,
    /// An append-only file, synced every second; otherwise nothing is kept.
    pub durable: bool,
    /// A node of a cluster.
    pub cluster: bool,
    /// More settings, as they stand in `redis.conf`. They win over all others.
    pub settings: Vec<(String, String)>,
    /// In which folder the server's own is made.
    pub base: Option<PathBuf>,
}

/// A running server, or one that was killed and can be started again. It ends with this
/// value, and with the process that holds it.
#[derive(Debug)]
pub struct Redis {
    guard: Guard,
    flavour: Flavour,
    port: u16,
}

impl Redis {
    /// Starts a server without data.
    ///
    /// # Errors
    ///
    /// When the programs are missing, or the server does not come to serve.
    pub fn start(config: &RedisConfig) -> ServiceResult<Self> {
        Self::start_at(config, free_port(config))
    }

    /// As [`Redis::start`], trying this port first.
    pub(crate) fn start_at(config: &RedisConfig, mut port: u16) -> ServiceResult<Self> {
        let programs = config.flavour.kind().programs()?;
        let folder = place::folder(config.flavour.program(), config.durable, config.base.as_deref(), None)?;
        let file = folder.join("server.conf");
        fs::write(&file, lines(config, &folder)).at(&file)?;
        let command = vec![programs.program(config.flavour.program()), file.into_os_string()];
        // It has nothing outside its folder that an orderly end would give back.
        let guarded = Guarded { command, libraries: programs.libraries, ending: "KILL" };
        let mut redis = Self { guard: Guard::new(guarded, folder)?, flavour: config.flavour, port };
        for _ in 0..ports::TRIES {
            redis.port = port;
            redis.configure(&[("port", &port.to_string())])?;
            let said_before = redis.guard.said().len();
            match redis.begin() {
                Ok(()) => return Ok(redis),
                Err(_) if is_clash(&redis.guard.said()[said_before..]) => port = free_port(config),
                Err(error) => return Err(error),
            }
        }
        Err(redis.failed("no port stays free"))
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port it listens on, in all its lives.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.guard.pid()
    }

    /// Whether it runs.
    pub fn is_alive(&self) -> bool {
        self.guard.is_alive()
    }

    /// The folder with its files.
    pub fn data(&self) -> PathBuf {
        self.guard.directory().to_owned()
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        self.guard.said()
    }

    /// Sends a command over a connection of its own.
    ///
    /// # Errors
    ///
    /// When the server refuses it or does not answer.
    pub fn command(&self, words: &[&str]) -> ServiceResult<Reply> {
        resp::ask(self.port, words)
    }

    /// Adds settings, as they stand in `redis.conf`, for the next start.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn configure(&self, settings: &[(&str, &str)]) -> ServiceResult {
        let path = self.guard.directory().join("server.conf");
        let mut file = OpenOptions::new().append(true).open(&path).at(&path)?;
        settings.iter().try_for_each(|(name, value)| writeln!(file, "{name} {value}")).at(&path)
    }

    /// Kills the server.
    ///
    /// # Errors
    ///
    /// When it survives.
    pub fn kill(&mut self) -> ServiceResult {
        self.guard.end(Signal::KILL, LIMIT)
    }

    /// Ends the server in order.
    ///
    /// # Errors
    ///
    /// When it goes on.
    pub fn stop(&mut self) -> ServiceResult {
        self.guard.end(Signal::TERM, LIMIT)
    }

    /// Starts the server again with what it has kept and on its port, ending it in order
    /// before if it runs.
    ///
    /// # Errors
    ///
    /// When it does not come to serve.
    pub fn restart(&mut self) -> ServiceResult {
        self.stop()?;
        self.begin()
    }

    /// Freezes the server.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn pause(&self) -> ServiceResult {
        send(self.pid(), Signal::STOP)
    }

    /// Lets a frozen server go on.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn resume(&self) -> ServiceResult {
        send(self.pid(), Signal::CONT)
    }

    /// A field of `INFO`.
    ///
    /// # Errors
    ///
    /// When the server does not answer.
    pub fn info(&self, field: &str) -> ServiceResult<Option<String>> {
        let Reply::Text(text) = self.command(&["INFO"])? else {
            return Ok(None);
        };
        Ok(field_of(&text, field).map(str::to_owned))
    }

    /// Closes the pipe to the guard; the server is ended beside whatever happens here.
    pub(crate) fn release(&mut self) {
        self.guard.release();
    }

    /// Starts the server and waits until it answers, and under this port it and no other.
    fn begin(&mut self) -> ServiceResult {
        let pid = self.guard.start()?.to_string();
        let serves = wait_for(LIMIT, || {
            if !self.guard.is_alive() {
                return Err(self.failed(&self.guard.last_words()));
            }
            // While it loads its data it refuses most commands, but not this one.
            let info = self.info_now();
            let is_it = |text: &String| {
                field_of(text, "process_id") == Some(pid.as_str()) && field_of(text, "loading") == Some("0")
            };
            Ok(info.filter(is_it).map(|_| ()))
        })?;
        serves.ok_or_else(|| self.failed(&format!("not within {LIMIT:?}\n{}", self.guard.last_words())))
    }

    /// Everything `INFO` tells, when the server answers at all.
    fn info_now(&self) -> Option<String> {
        match self.command(&["INFO"]) {
            Ok(Reply::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn failed(&self, reason: &str) -> ServiceError {
        ServiceError::Start { what: self.flavour.kind().name(), reason: reason.to_owned() }
    }
}

/// A field of lines such as `name:value`.
pub(crate) fn field_of<'a>(text: &'a str, field: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
}

fn free_port(config: &RedisConfig) -> u16 {
    ports::free(config.cluster.then_some(ports::BUS))
}

/// Whether a server that ended said that its port, or that of the bus, is not to be had.
fn is_clash(said: &str) -> bool {
    said.contains("Address already in use") || said.contains("Failed listening on port")
}

fn lines(config: &RedisConfig, folder: &std::path::Path) -> String {
    let folder = folder.display();
    let mut lines = format!(
        "bind 127.0.0.1\ndir {folder}\ndaemonize no\nsave \"\"\nmaxmemory-policy noeviction\nenable-debug-command local\n"
    );
    if config.durable {
        lines.push_str("appendonly yes\nappendfsync everysec\n");
    } else {
        lines.push_str("appendonly no\n");
    }
    if config.cluster {
        // A failover is waited for by tests, and a replica may join without delay. Nodes tell
        // of a replica once it has received something, a ping if nothing else.
        lines.push_str("cluster-enabled yes\ncluster-node-timeout 2000\n");
        lines.push_str("repl-diskless-sync-delay 0\nrepl-ping-replica-period 1\n");
    }
    for (name, value) in &config.settings {
        lines.extend([name, " ", value, "\n"]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let info = "loading_start:3\r\nloading:0\r\n";
        assert_eq!(field_of(info, "loading"), Some("0"));
        assert_eq!(field_of(info, "load"), None);
    }

    #[test]
    fn a_port_that_somebody_took_is_given_up() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        for flavour in [Flavour::Redis, Flavour::Valkey] {
            let config = RedisConfig { flavour, ..RedisConfig::default() };
            let redis = Redis::start_at(&config, port).unwrap();
            assert_ne!(redis.port(), port);
            assert!(is_clash(&redis.log()));
        }
    }
}
