//! There is no room: on the disk of SQLite and of PostgreSQL, and in the
//! memory of Valkey. Creates must be refused with the error that says so, and
//! everything must go on once there is room again.

use super::account::Account;
use super::caller::{is_create_open, is_create_refused_for_room, is_fresh_create, is_work_going_on};
use super::mount::{Mount, run};
use super::play::Play;
use super::server::{Running, Server};
use super::spec::{Class, StoreSpec};
use super::{Case, Scene, nothing};
use crate::kills::{Fallible, runtime};
use leasehold_services::Flavour;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::os::unix::fs::{MetadataExt, chown};
use std::process::Command;
use std::time::Duration;

/// All of them.
pub const CASES: &[Case] = &[
    Case {
        fault: "disk full",
        target: "sqlite, tmpfs",
        promise: PROMISE,
        obstacle: Mount::obstacle,
        scene: || Ok(Box::new(SqliteDisk)),
    },
    Case {
        fault: "disk full",
        target: "sqlite, file-size limit",
        promise: "creates are refused or in doubt; nothing acknowledged is lost",
        obstacle: nothing,
        scene: || Ok(Box::new(SqliteFile)),
    },
    Case {
        fault: "disk full",
        target: "postgres, tablespace on tmpfs",
        promise: PROMISE,
        obstacle: Mount::obstacle,
        scene: || Ok(Box::new(PostgresDisk::new()?)),
    },
    Case {
        fault: "disk full",
        target: "postgres, all of it on tmpfs",
        promise: PROMISE,
        obstacle: Mount::obstacle,
        scene: || Ok(Box::new(PostgresWhole::new()?)),
    },
    Case {
        fault: "memory full",
        target: "valkey",
        promise: MEMORY,
        obstacle: nothing,
        scene: || Ok(Box::new(Memory { server: Server::redis(Flavour::Valkey, "everysec", Class::Acknowledged)? })),
    },
    Case {
        fault: "memory full",
        target: "redis",
        promise: MEMORY,
        obstacle: nothing,
        scene: || Ok(Box::new(Memory { server: Server::redis(Flavour::Redis, "everysec", Class::Acknowledged)? })),
    },
];

const PROMISE: &str = "creates are refused with resource_exhausted; nothing acknowledged is lost";
const MEMORY: &str =
    "creates are refused with resource_exhausted, what runs goes on and ends; nothing acknowledged is lost";

/// How long it may take until somebody is told that there is no room.
const TOLD_MAX: Duration = Duration::from_secs(20);

/// Waits until a create is refused for want of room, and longer for a while.
fn starve(play: &mut Play) -> Fallible {
    let since = play.now();
    play.until("a create refused because there is no room", TOLD_MAX, |play| {
        let now = play.now();
        Ok(play.answered(since, now, is_create_refused_for_room)? > 0)
    })?;
    // At times for longer than the node's lease runs.
    let starving = play.draw(200, 4_000);
    play.pass(starving)?;
    let refused = play.answered(since, play.now(), is_create_refused_for_room)?;
    play.count("creates refused for want of room", refused);
    Ok(())
}

/// The node's file is on a file system that somebody else fills.
struct SqliteDisk;

impl Scene for SqliteDisk {
    fn round(&mut self, seed: u64) -> Fallible<Account> {
        let mount = Mount::new(32 * 1024)?;
        let store = StoreSpec::Sqlite { path: mount.path().join("store.db") };
        let mut play = Play::begin(seed, &store)?;
        mount.fill()?;
        starve(&mut play)?;
        mount.free()?;
        play.served_again()?;
        play.settle(&store)
    }
}

/// The node's process may not write files beyond a size. Writes then fail with
/// another error than on a full disk, and SQLite cannot tell what it is.
struct SqliteFile;

/// How large a file may be, in the shell's blocks of 512 bytes: 4 MiB, beyond
/// which the log beside the database grows within seconds.
const BLOCKS: &str = "8192";

impl Scene for SqliteFile {
    fn round(&mut self, seed: u64) -> Fallible<Account> {
        let play = Play::new(seed)?;
        let store = StoreSpec::Sqlite { path: play.folder().join("store.db") };
        // The signal for a file that is too large would end the process.
        let script = format!("trap '' XFSZ; ulimit -S -f {BLOCKS}; exec \"$0\" \"$@\"");
        let mut play = play.with_load(&store, &["sh", "-c", &script])?;
        let since = play.now();
        play.until("a call refused because the file may not grow", TOLD_MAX, |play| {
            let now = play.now();
            Ok(play.answered(since, now, is_create_open)? > 0)
        })?;
        let starving = play.draw(200, 4_000);
        play.pass(starving)?;
        let open = play.answered(since, play.now(), is_create_open)?;
        play.count("creates refused or in doubt meanwhile", open);
        let pid = play.pid(0).ok_or("the node has ended")?.to_string();
        run(Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited:unlimited"]))?;
        play.served_again()?;
        play.settle(&store)
    }
}

/// The tables lie on a small file system, the server's log does not.
struct PostgresDisk {
    server: Server,
    mount: Mount,
}

impl PostgresDisk {
    fn new() -> Fallible<Self> {
        let mut server = Server::postgres(None)?;
        let mount = Mount::new(48 * 1024)?;
        let place = mount.path().join("tables");
        std::fs::create_dir(&place)?;
        let Running::Postgres(postgres) = server.running() else { return Err("not on PostgreSQL".into()) };
        let owner = postgres.data().metadata()?;
        chown(&place, Some(owner.uid()), Some(owner.gid()))?;
        let make = format!("CREATE TABLESPACE small LOCATION '{}'", place.display());
        let url = postgres.url();
        tell(&url, &[&make, "ALTER ROLE postgres SET default_tablespace = small"])?;
        Ok(Self { server, mount })
    }
}

impl Scene for PostgresDisk {
    fn round(&mut self, seed: u64) -> Fallible<Account> {
        let store = self.server.store();
        let StoreSpec::Postgres { url, schema, .. } = &store else { return Err("not on PostgreSQL".into()) };
        let mut play = Play::begin(seed, &store)?;
        self.mount.fill()?;
        starve(&mut play)?;
        self.mount.free()?;
        play.served_again()?;
        let account = play.settle(&store)?;
        tell(url, &[&format!("DROP SCHEMA {schema} CASCADE")])?;
        Ok(account)
    }
}

/// Runs statements on a server.
fn tell(url: &str, statements: &[&str]) -> Fallible {
    runtime()?.block_on(async {
        let mut session = PgConnection::connect(url).await?;
        for statement in statements {
            sqlx::raw_sql(AssertSqlSafe((*statement).to_owned())).execute(&mut session).await?;
        }
        Ok(session.close().await?)
    })
}

/// Everything the server has lies on a small file system, so that it cannot
/// write its log either: it ends by itself, and somebody starts it again.
struct PostgresWhole {
    // Ends before the file system under it does.
    server: Server,
    mount: Mount,
}

impl PostgresWhole {
    fn new() -> Fallible<Self> {
        let mount = Mount::new(192 * 1024)?;
        Ok(Self { server: Server::postgres(Some(mount.path().to_owned()))?, mount })
    }

    fn is_alive(&mut self) -> bool {
        matches!(self.server.running(), Running::Postgres(server) if server.is_alive())
    }
}

impl Scene for PostgresWhole {
    fn round(&mut self, seed: u64) -> Fallible<Account> {
        let store = self.server.store();
        let StoreSpec::Postgres { url, .. } = &store else { return Err("not on PostgreSQL".into()) };
        let mut play = Play::begin(seed, &store)?;
        self.mount.fill()?;
        starve(&mut play)?;
        // A new file of the log is wanted and cannot be had, which no server
        // survives; whether it has time to answer does not matter.
        let answered = tell(url, &["SELECT pg_switch_wal()", "CHECKPOINT"]);
        play.count("changes of the log file refused", u64::from(answered.is_err()));
        let starving = play.draw(200, 2_000);
        play.pass(starving)?;
        let ended = !self.is_alive();
        play.count("servers found to have ended", u64::from(ended));
        self.mount.free()?;
        // One that still tries to recover may end a moment later.
        self.server.restart()?;
        play.served_again()?;
        play.settle(&store)
    }
}

/// The server may not use more memory than it does.
struct Memory {
    server: Server,
}

impl Memory {
    fn limit(&mut self, most: &str) -> Fallible {
        let Running::Redis(server, _) = self.server.running() else { return Err("not on Redis".into()) };
        Ok(server.command(&["CONFIG", "SET", "maxmemory", most]).map(drop)?)
    }
}

impl Scene for Memory {
    fn round(&mut self, seed: u64) -> Fallible<Account> {
        let store = self.server.store();
        let mut play = Play::begin(seed, &store)?;
        self.limit("100kb")?;
        let since = play.now();
        starve(&mut play)?;
        // Something has to be at hand that goes on.
        play.until("work that goes on without room", TOLD_MAX, |play| {
            let now = play.now();
            Ok(play.answered(since, now, is_work_going_on)? >= 3)
        })?;
        // What was answered when the limit was set is noted within this time.
        let begun = since + 300;
        let until = play.now();
        let (created, went_on) =
            (play.answered(begun, until, is_fresh_create)?, play.answered(begun, until, is_work_going_on)?);
        self.limit("0")?;
        play.count("claims, ends and replays without room", went_on);
        play.served_again()?;
        let mut account = play.settle(&store)?;
        if created > 0 {
            account.problems.push(format!("{created} creates went through although memory was full"));
        }
        Ok(account)
    }
}
