//! The store is put back to an older state while node and workers go on.
//!
//! What was acknowledged since the backup is gone, as whoever restores has
//! decided. What was acknowledged before it has to be there, and so has what
//! is acknowledged once the node has noticed, which it does with its next
//! heartbeat: until then it may answer a repeated create or a renewal from
//! memory, without asking the store.

use super::account::Account;
use super::mount::run;
use super::play::Play;
use super::server::{Running, Server};
use super::spec::{Class, NOTICED_MS};
use super::{Case, Scene, nothing};
use crate::kills::Fallible;
use leasehold_services::Flavour;
use rand::Rng;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// All of them.
pub const CASES: &[Case] = &[
    Case {
        fault: "older backup restored",
        target: "postgres",
        promise: PROMISE,
        obstacle: nothing,
        scene: || Ok(Box::new(Restored { server: Server::postgres(None)? })),
    },
    Case {
        fault: "older backup restored",
        target: "valkey",
        promise: PROMISE,
        obstacle: nothing,
        scene: || Ok(Box::new(Restored { server: Server::redis(Flavour::Valkey, "everysec", Class::Acknowledged)? })),
    },
];

const PROMISE: &str = "what was acknowledged between the backup and the first heartbeat after the restore may be gone; \
                       nothing from before or after is";

struct Restored {
    server: Server,
}

impl Restored {
    /// The folder that holds the data, and the copy of it.
    fn places(&mut self) -> (PathBuf, PathBuf) {
        let data = match self.server.running() {
            Running::Postgres(server) => server.data(),
            Running::Redis(server, _) => server.data().join("appendonlydir"),
        };
        let copy = data.with_extension("backup");
        (data, copy)
    }

    fn stop(&mut self) -> Fallible {
        match self.server.running() {
            Running::Postgres(server) => server.stop()?,
            Running::Redis(server, _) => server.stop()?,
        }
        Ok(())
    }
}

impl Scene for Restored {
    fn round(&mut self, seed: u64) -> Fallible<Account> {
        let store = self.server.store();
        let (data, copy) = self.places();
        let mut play = Play::begin(seed, &store)?;
        self.stop()?;
        // Noted later than this was what the server answered before its end,
        // and nothing of it is missing in the backup.
        let saved = play.now();
        run(Command::new("cp").arg("-a").arg(&data).arg(&copy))?;
        self.server.restart()?;
        play.served_again()?;
        // Within the node's lease, and beyond it.
        let since = if play.rng.random_ratio(1, 2) { play.draw(200, 1_200) } else { play.draw(3_000, 4_500) };
        play.pass(since)?;
        self.server.kill()?;
        fs::remove_dir_all(&data)?;
        run(Command::new("mv").arg(&copy).arg(&data))?;
        self.server.restart()?;
        play.loosen(saved, play.now() + NOTICED_MS);
        play.count("restores", 1);
        play.served_again()?;
        let whole = play.draw(NOTICED_MS.unsigned_abs(), NOTICED_MS.unsigned_abs() + 1_500);
        play.pass(whole)?;
        play.settle(&store)
    }
}
