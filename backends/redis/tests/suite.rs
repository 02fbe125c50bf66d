//! What every store must do, on each server.

mod support;

/// The suite under prefixes of their own on a server.
macro_rules! suite_on {
    ($module:ident: $server:ident) => {
        mod $module {
            use crate::support::{self, Server};
            use leasehold_backend::ManualClock;
            use leasehold_backend_suite::Place;
            use leasehold_redis::{RedisBackend, RedisOptions};
            use std::sync::Arc;

            struct Prefix(RedisOptions);

            impl Place for Prefix {
                type Store = RedisBackend;

                fn fresh() -> Self {
                    Self(support::options(Server::$server))
                }

                async fn open(&self, clock: &Arc<ManualClock>) -> Arc<RedisBackend> {
                    Arc::new(support::open(self.0.clone(), clock).await.unwrap())
                }
            }

            leasehold_backend_suite::every_store!(Prefix);
        }
    };
}

suite_on!(redis7: Redis);
suite_on!(valkey: Valkey);
suite_on!(valkey_cluster: ValkeyCluster);
