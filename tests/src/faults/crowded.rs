//! Two nodes that both believe they own the partitions.
//!
//! The second one is told that it is alone, which is a lie: it buries the
//! first and takes everything, while the first has a lease that holds by its
//! own clock and a load that goes on.

use super::account::Account;
use super::play::Play;
use super::server::Server;
use super::spec::Class;
use super::{Case, Scene, nothing};
use crate::kills::Fallible;
use leasehold_services::Flavour;

/// All of them.
pub const CASES: &[Case] = &[
    Case {
        fault: "two owners",
        target: "postgres",
        promise: PROMISE,
        obstacle: nothing,
        scene: || Ok(Box::new(Crowded { server: Server::postgres(None)? })),
    },
    Case {
        fault: "two owners",
        target: "valkey",
        promise: PROMISE,
        obstacle: nothing,
        scene: || Ok(Box::new(Crowded { server: Server::redis(Flavour::Valkey, "everysec", Class::Acknowledged)? })),
    },
];

const PROMISE: &str = "one owner at a time gets its commits through: nothing acknowledged is lost";

struct Crowded {
    server: Server,
}

impl Scene for Crowded {
    fn round(&mut self, seed: u64) -> Fallible<Account> {
        let store = self.server.store();
        let mut play = Play::begin(seed, &store)?;
        let usurper = play.start_node(&store.exclusively(), &[])?;
        let late_client = play.start_client(usurper)?;
        // Both are called, and only one can answer.
        let both = play.draw(500, 2_500);
        play.pass(both)?;
        play.direct(0, usurper)?;
        play.served_again()?;
        let mixed = play.draw(100, 800);
        play.pass(mixed)?;
        play.direct(late_client, usurper)?;
        play.end_node(0)?;
        play.settle(&store)
    }
}
