//! Checks before the first use: servers, function library, and what the store
//! was set up for. Everything is looked at before anything is written.

use crate::RedisBackend;
use crate::inspect::{self, Contents, FIELDS, SCHEMA_VERSION};
use crate::keys::SYSTEM_TAG;
use crate::library::Function;
use crate::server;
use crate::wire::{Call, How, Lane};
use leasehold_backend::{Entropy, Obstacle, StoreError, StoreIdentity, StoreResult, SystemEntropy};
use leasehold_core::partition::PartitionConfig;
use uuid::Uuid;

/// Brings the library up to date and checks that the store belongs to this
/// configuration.
pub(crate) async fn prepare(store: &RedisBackend, config: &PartitionConfig) -> StoreResult<StoreIdentity> {
    config.validate().map_err(|error| StoreError::refused(format!("The partition counts are unusable: {error}.")))?;
    let primaries = store.wire.topology().primaries.clone();
    let mut wait = None;
    for primary in &primaries {
        let server = server::ask(primary).await?;
        refuse(server.obstacle(store.options.durability))?;
        wait = server::wait_for(store.options.durability, &server, store.options.durability_timeout.as_millis());
        refuse(inspect::functions(primary).await?.obstacle())?;
    }
    let known = described(store, config).await?;
    for primary in &primaries {
        if let Some(error) = store.wire.load_library(primary).await.map_err(|cut| server::of_cut(&cut))? {
            return Err(server::refusal(&primary.address, &error));
        }
    }
    let store_id = match known {
        Some(store_id) => store_id,
        None => set_up(store, config).await?,
    };
    store.set_prepared(*config, wait);
    Ok(StoreIdentity { store_id, schema_version: SCHEMA_VERSION })
}

fn refuse(obstacle: Option<Obstacle>) -> StoreResult<()> {
    obstacle.map_or(Ok(()), |obstacle| Err(obstacle.into()))
}

/// What the store says of itself, checked; none when it is empty.
async fn described(store: &RedisBackend, config: &PartitionConfig) -> StoreResult<Option<Uuid>> {
    let contents = inspect::contents(store, config).await?;
    refuse(contents.obstacle(&store.options.prefix, config))?;
    Ok(match contents {
        Contents::Store { store_id, .. } => Some(store_id),
        _ => None,
    })
}

async fn set_up(store: &RedisBackend, config: &PartitionConfig) -> StoreResult<Uuid> {
    let store_id = SystemEntropy::default().uuid();
    let values = [
        SCHEMA_VERSION.to_string(),
        store_id.to_string(),
        config.num_flow_partitions.to_string(),
        config.num_budget_partitions.to_string(),
        config.num_quota_partitions.to_string(),
    ];
    let mut call = Function::Setup.call(&[&store.keys.meta()]);
    for (field, value) in FIELDS.iter().zip(&values) {
        call.arg(field).arg(value);
    }
    let how = How { lane: Lane::Ownership, repeatable: true, wait: None };
    store.wire.call(&how, Call::new(SYSTEM_TAG, vec![call])).await.read()?;
    // Another node may have been faster: what stands there counts.
    described(store, config).await?.ok_or_else(|| StoreError::busy("the store's description is not there yet"))
}
