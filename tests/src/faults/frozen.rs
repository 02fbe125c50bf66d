//! A node is stopped by a signal for longer than its lease runs, another one
//! takes over, and the first goes on as if nothing had been.

use super::account::Account;
use super::play::Play;
use super::server::Server;
use super::spec::{Class, NODE_LEASE};
use super::{Case, Scene, nothing};
use crate::kills::Fallible;
use leasehold_services::Flavour;
use rustix::process::Signal;
use std::time::Duration;

/// All of them.
pub const CASES: &[Case] = &[
    Case {
        fault: "node frozen",
        target: "postgres",
        promise: PROMISE,
        obstacle: nothing,
        scene: || Ok(Box::new(Frozen { server: Server::postgres(None)? })),
    },
    Case {
        fault: "node frozen",
        target: "valkey",
        promise: PROMISE,
        obstacle: nothing,
        scene: || Ok(Box::new(Frozen { server: Server::redis(Flavour::Valkey, "everysec", Class::Acknowledged)? })),
    },
];

const PROMISE: &str = "the node that wakes up gets nothing through: nothing acknowledged is lost";

struct Frozen {
    server: Server,
}

impl Scene for Frozen {
    fn round(&mut self, seed: u64) -> Fallible<Account> {
        let store = self.server.store();
        let mut play = Play::begin(seed, &store)?;
        let heir = play.start_node(&store, &[])?;
        let until = play.draw(0, 300);
        play.pass(until)?;
        play.signal(0, Signal::STOP)?;
        // Its client hangs for a while before it asks elsewhere.
        let hanging = play.draw(0, 1_000);
        play.pass(hanging)?;
        play.direct(0, heir)?;
        let frozen = NODE_LEASE.saturating_sub(hanging) + Duration::from_millis(100);
        play.pass(frozen)?;
        play.served_again()?;
        let longer = play.draw(0, 1_000);
        play.pass(longer)?;
        play.signal(0, Signal::CONT)?;
        // What was on its way to the frozen node is now carried out there, or
        // rather is not.
        let both = play.draw(500, 2_000);
        play.pass(both)?;
        play.served_again()?;
        play.end_node(0)?;
        play.settle(&store)
    }
}
