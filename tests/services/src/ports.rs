//! Free ports on the loopback address.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, TcpListener};

/// Below the range from which the kernel takes ports for outgoing connections: such a one
/// would keep a server from coming back on its port.
const FIRST: u16 = 12_000;
const PAST: u16 = 32_000;

/// How far the port of a cluster's bus lies above the one for clients.
pub(crate) const BUS: u16 = 10_000;

/// How often to try another port when somebody was faster.
pub(crate) const TRIES: usize = 20;

/// A port on which nobody listens, nor on the one `beside` above it. Somebody may take it
/// before it is used: whoever asks must be ready to try again.
pub(crate) fn free(beside: Option<u16>) -> u16 {
    loop {
        let port = any();
        if is_free(port) && beside.is_none_or(|offset| is_free(port + offset)) {
            return port;
        }
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A port of the range; which one is random, so that processes rarely meet.
fn any() -> u16 {
    let random = RandomState::new().hash_one(0);
    FIRST + u16::try_from(random % u64::from(PAST - FIRST)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_not_free() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(taken.local_addr().unwrap().port()));
    }

    #[test]
    fn ports_lie_in_the_range_and_leave_room_for_the_bus() {
        let port = free(Some(BUS));
        assert!((FIRST..PAST).contains(&port));
        assert!(port < 55_536);
    }
}
