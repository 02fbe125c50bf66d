//! The store is killed (`SIGKILL`) under load and started again.

use super::account::Account;
use super::play::Play;
use super::server::Server;
use super::spec::{Class, NOTICED_MS};
use super::{Case, Scene, nothing};
use crate::kills::Fallible;
use leasehold_services::Flavour;
use rand::Rng;

/// With `appendfsync everysec` a server that finds its last synchronisation
/// still under way answers before it has written to its file, for two seconds
/// at most: the end of the process then takes along what was answered since.
const EVERYSEC_MS: i64 = 2_000;

/// All of them.
pub const CASES: &[Case] = &[
    Case {
        fault: "store killed",
        target: "postgres",
        promise: "durable: nothing acknowledged is lost",
        obstacle: nothing,
        scene: || Ok(Box::new(Killed { server: Server::postgres(None)?, lossy: false })),
    },
    Case {
        fault: "store killed",
        target: "valkey everysec",
        promise: "class acknowledged, appendfsync everysec: what was answered within two seconds before the kill, \
                  while the disk was slow, may be lost",
        obstacle: nothing,
        scene: || {
            Ok(Box::new(Killed {
                server: Server::redis(Flavour::Valkey, "everysec", Class::Acknowledged)?,
                lossy: true,
            }))
        },
    },
    Case {
        fault: "store killed",
        target: "valkey fsynced",
        promise: "class fsynced: nothing acknowledged is lost",
        obstacle: nothing,
        scene: || {
            Ok(Box::new(Killed { server: Server::redis(Flavour::Valkey, "everysec", Class::Fsynced)?, lossy: false }))
        },
    },
    Case {
        fault: "store killed",
        target: "redis always",
        promise: "class fsynced, appendfsync always: nothing acknowledged is lost",
        obstacle: nothing,
        scene: || {
            Ok(Box::new(Killed { server: Server::redis(Flavour::Redis, "always", Class::Fsynced)?, lossy: false }))
        },
    },
];

struct Killed {
    server: Server,
    lossy: bool,
}

impl Scene for Killed {
    fn round(&mut self, seed: u64) -> Fallible<Account> {
        let store = self.server.store();
        let mut play = Play::begin(seed, &store)?;
        for _ in 0..play.rng.random_range(1..=2) {
            let until = play.draw(0, 400);
            play.pass(until)?;
            let killed = play.now();
            self.server.kill()?;
            // At times it is gone for longer than the node's lease runs.
            let gone = if play.rng.random_ratio(1, 4) { play.draw(3_000, 4_500) } else { play.draw(0, 800) };
            play.pass(gone)?;
            self.server.restart()?;
            if self.lossy {
                play.loosen(killed - EVERYSEC_MS, play.now() + NOTICED_MS);
            }
            play.count("kills of the store", 1);
            play.served_again()?;
        }
        play.settle(&store)
    }
}
