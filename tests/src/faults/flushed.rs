//! Somebody removes every function from the server, again and again.

use super::account::Account;
use super::play::Play;
use super::server::{Running, Server};
use super::spec::Class;
use super::{Case, Scene, nothing};
use crate::kills::Fallible;
use leasehold_services::Flavour;
use rand::Rng;

/// All of them.
pub const CASES: &[Case] = &[
    Case {
        fault: "FUNCTION FLUSH",
        target: "valkey",
        promise: PROMISE,
        obstacle: nothing,
        scene: || Ok(Box::new(Flushed { server: Server::redis(Flavour::Valkey, "everysec", Class::Acknowledged)? })),
    },
    Case {
        fault: "FUNCTION FLUSH",
        target: "redis",
        promise: PROMISE,
        obstacle: nothing,
        scene: || Ok(Box::new(Flushed { server: Server::redis(Flavour::Redis, "everysec", Class::Acknowledged)? })),
    },
];

const PROMISE: &str = "the server goes on: nothing acknowledged is lost";

struct Flushed {
    server: Server,
}

impl Scene for Flushed {
    fn round(&mut self, seed: u64) -> Fallible<Account> {
        let store = self.server.store();
        let Running::Redis(server, _) = self.server.running() else { return Err("not on Redis".into()) };
        let mut play = Play::begin(seed, &store)?;
        for _ in 0..play.rng.random_range(20..=60) {
            server.command(&["FUNCTION", "FLUSH"])?;
            play.count("flushes", 1);
            let whole = play.draw(1, 60);
            play.pass(whole)?;
        }
        play.served_again()?;
        play.settle(&store)
    }
}
