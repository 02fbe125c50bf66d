//! The renewals: one loop renews every lease of the fleet.
//!
//! Nothing is renewed for executions shorter than a third of their lease. A
//! renewal that is not answered holds up no other.

use super::lease::Lease;
use super::pool::Pool;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use leasehold_core::command::RenewLease;
use std::sync::Arc;
use std::time::Duration;

/// Rounds within the third of a lease after which it is renewed.
const ROUNDS: u64 = 2;

/// Runs until it is ended with its fleet.
pub(super) async fn run(pool: Arc<Pool>) {
    let ttl_ms = pool.options.lease_ttl_ms();
    let round_ms = (ttl_ms / 3 / ROUNDS).max(1);
    let mut answers = FuturesUnordered::new();
    loop {
        if answers.is_empty() && pool.is_idle() {
            pool.busy.notified().await;
        }
        let mut round = pool.engine.env().clock.sleep(Duration::from_millis(round_ms));
        loop {
            tokio::select! {
                biased;
                () = &mut round => break,
                Some(()) = answers.next(), if !answers.is_empty() => {}
            }
        }
        let now = pool.now();
        // What would fall due before the next round is renewed in this one.
        for lease in pool.to_renew(now, now.plus(round_ms)) {
            answers.push(renew(&pool, lease, ttl_ms));
        }
    }
}

async fn renew(pool: &Pool, lease: Arc<Lease>, ttl_ms: u64) {
    let args = RenewLease {
        execution_id: lease.claimed.execution_id,
        attempt_index: lease.claimed.attempt_index,
        fence: lease.claimed.fence().into(),
        lease_ttl_ms: ttl_ms,
    };
    let sent = pool.now();
    match pool.engine.router().submit(args).await {
        Ok(renewed) => lease.renewed(renewed.expires_at, sent.plus(ttl_ms / 3)),
        Err(error) => {
            lease.renewal_failed();
            lease.learn(&error);
            if !lease.is_lost() {
                tracing::warn!(execution = %lease.claimed.execution_id, %error, "a lease was not renewed");
            }
        }
    }
}
