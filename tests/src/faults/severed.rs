//! Connections to the store break: torn in the middle of a request, without
//! the answer, at any moment, and so that a commit lands after whoever sent it
//! gave up.

use super::account::Account;
use super::play::Play;
use super::proxy::{Mode, Proxy};
use super::server::Server;
use super::spec::Class;
use super::{Case, Scene, nothing};
use crate::kills::Fallible;
use leasehold_services::Flavour;
use rand::Rng;

/// All of them.
pub const CASES: &[Case] = &[
    Case {
        fault: "connections cut",
        target: "postgres",
        promise: PROMISE,
        obstacle: nothing,
        scene: || Ok(Box::new(Severed { server: Server::postgres(None)?, late: false })),
    },
    Case {
        fault: "connections cut",
        target: "valkey",
        promise: PROMISE,
        obstacle: nothing,
        scene: || Ok(Box::new(Severed { server: valkey()?, late: false })),
    },
    Case {
        fault: "commit lands late",
        target: "postgres",
        promise: PROMISE,
        obstacle: nothing,
        scene: || Ok(Box::new(Severed { server: Server::postgres(None)?, late: true })),
    },
    Case {
        fault: "commit lands late",
        target: "valkey",
        promise: PROMISE,
        obstacle: nothing,
        scene: || Ok(Box::new(Severed { server: valkey()?, late: true })),
    },
];

const PROMISE: &str = "the server goes on: nothing acknowledged is lost";

fn valkey() -> Fallible<Server> {
    Server::redis(Flavour::Valkey, "everysec", Class::Acknowledged)
}

struct Severed {
    server: Server,
    late: bool,
}

impl Scene for Severed {
    fn round(&mut self, seed: u64) -> Fallible<Account> {
        let direct = self.server.store();
        let proxy = Proxy::to(self.server.port())?;
        let mut play = Play::begin(seed, &direct.through(proxy.port()))?;
        if self.late {
            hold(&mut play, &proxy)?;
        } else {
            sever(&mut play, &proxy)?;
        }
        play.served_again()?;
        let done = proxy.done();
        play.count("requests torn", done.torn);
        play.count("answers swallowed", done.swallowed);
        play.count("requests delivered after their sender gave up", done.late);
        play.settle(&direct)
    }
}

fn sever(play: &mut Play, proxy: &Proxy) -> Fallible {
    for _ in 0..play.rng.random_range(6..=12) {
        match play.rng.random_range(0..3) {
            0 => {
                proxy.cut();
                play.count("cuts of all connections", 1);
            }
            1 => proxy.set(Mode::Tear),
            _ => proxy.set(Mode::Swallow),
        }
        let broken = play.draw(5, 60);
        play.pass(broken)?;
        proxy.set(Mode::Pass);
        let whole = play.draw(20, 300);
        play.pass(whole)?;
    }
    Ok(())
}

fn hold(play: &mut Play, proxy: &Proxy) -> Fallible {
    for _ in 0..2 {
        proxy.set(Mode::Hold);
        // Shorter and longer than a node waits for an answer.
        let held = play.draw(900, 2_600);
        play.pass(held)?;
        proxy.set(Mode::Pass);
        let whole = play.draw(100, 500);
        play.pass(whole)?;
    }
    Ok(())
}
