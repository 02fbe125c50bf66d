//! Waiting for what another process does and tells nobody about.

use std::thread;
use std::time::{Duration, Instant};

/// How often to look.
const EVERY: Duration = Duration::from_millis(5);

/// Looks until there is something to see, or the time is over.
///
/// # Errors
///
/// Those of looking.
#[expect(
    clippy::disallowed_methods,
    reason = "a foreign process starts and ends in real time and signals nothing that could be waited for"
)]
pub fn wait_for<T, E>(limit: Duration, mut look: impl FnMut() -> Result<Option<T>, E>) -> Result<Option<T>, E> {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look()? {
            return Ok(Some(seen));
        }
        if begun.elapsed() >= limit {
            return Ok(None);
        }
        thread::sleep(EVERY); // tidy: sleep because nothing tells what a foreign process does
    }
}
