//! Where a server may listen.

use crate::secret::Secret;
use std::net::SocketAddr;
use thiserror::Error;

/// A listener that anybody on the network could use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0} can be reached from other machines and no token is set; set one, or allow this explicitly")]
pub struct InsecureListener(pub SocketAddr);

/// Refuses an address that other machines can reach when no token is set,
/// unless the operator allows it in so many words.
///
/// # Errors
///
/// [`InsecureListener`].
pub fn check_listener(addr: SocketAddr, token: Option<&Secret>, allow_insecure: bool) -> Result<(), InsecureListener> {
    if token.is_some() || allow_insecure || addr.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    Err(InsecureListener(addr))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_goes_without_a_token() {
        let token = Secret::try_new("t").unwrap();
        for (addr, token, allow, fine) in [
            ("127.0.0.1:9090", None, false, true),
            ("127.8.9.1:1", None, false, true),
            ("[::1]:9090", None, false, true),
            ("[::ffff:127.0.0.1]:9090", None, false, true),
            ("0.0.0.0:9090", None, false, false),
            ("[::]:9090", None, false, false),
            ("192.168.1.7:80", None, false, false),
            ("0.0.0.0:9090", Some(&token), false, true),
            ("0.0.0.0:9090", None, true, true),
        ] {
            let addr: SocketAddr = addr.parse().unwrap();
            assert_eq!(check_listener(addr, token, allow).is_ok(), fine, "{addr}");
        }
    }

    #[test]
    fn the_refusal_names_the_address() {
        let error = check_listener("0.0.0.0:9090".parse().unwrap(), None, false).unwrap_err();
        assert!(error.to_string().starts_with("0.0.0.0:9090 can be reached"));
    }
}
