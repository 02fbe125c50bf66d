//! Checks before the first use: servers, function library, and what the store
//! was set up for. Everything is looked at before anything is written.

use crate::RedisBackend;
use crate::keys::SYSTEM_TAG;
use crate::library::{self, Function};
use crate::server;
use crate::values::{self, Place};
use crate::wire::{Call, How, Lane, Primary, error_of};
use leasehold_backend::{Entropy, StoreError, StoreIdentity, StoreResult, SystemEntropy};
use leasehold_core::partition::PartitionConfig;
use redis::Value;
use uuid::Uuid;

/// The version of the key layout.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// What the store's description holds.
const FIELDS: [&str; 5] = ["schema", "store_id", "flow_partitions", "budget_partitions", "quota_partitions"];

/// Brings the library up to date and checks that the store belongs to this
/// configuration.
pub(crate) async fn prepare(store: &RedisBackend, config: &PartitionConfig) -> StoreResult<StoreIdentity> {
    config.validate().map_err(|error| StoreError::refused(format!("The partition counts are unusable: {error}.")))?;
    let primaries = store.wire.topology().primaries.clone();
    let mut wait = None;
    for primary in &primaries {
        let facts = server::examine(primary, store.options.durability).await?;
        wait = server::wait_for(store.options.durability, &facts, store.options.durability_timeout.as_millis());
        check_library(primary).await?;
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

/// A library of our name must be ours.
async fn check_library(primary: &Primary) -> StoreResult<()> {
    let list = redis::cmd("FUNCTION").arg("LIST").arg("LIBRARYNAME").arg(library::name()).arg("WITHCODE").clone();
    let answers = primary.send(Lane::Ownership, [&list]).await.map_err(|cut| server::of_cut(&cut))?;
    if let Some(error) = answers.iter().find_map(error_of) {
        return Err(server::refusal(&primary.address, error));
    }
    match answers.first().and_then(code_of) {
        Some(code) if code != library::code() => Err(StoreError::refused(format!(
            "{} holds a function library {} that is not this program's. Another program uses the name, or it was \
             edited; remove it with `FUNCTION DELETE {}` when nothing else uses it.",
            primary.address,
            library::name(),
            library::name()
        ))),
        _ => Ok(()),
    }
}

/// The code in the answer to `FUNCTION LIST`, a list of libraries, each a list
/// of names and values.
fn code_of(answer: &Value) -> Option<String> {
    let Value::Array(libraries) = answer else { return None };
    let Value::Array(pairs) = libraries.first()? else { return None };
    let pair = pairs.chunks(2).find(|pair| values::text(&pair[0]).as_deref() == Some("library_code"))?;
    values::text(pair.get(1)?)
}

/// What the store says of itself, checked; none when it is empty.
async fn described(store: &RedisBackend, config: &PartitionConfig) -> StoreResult<Option<Uuid>> {
    let get = redis::cmd("HMGET").arg(store.keys.meta()).arg(&FIELDS).clone();
    let answer = store.wire.call(&How::READ, Call::new(SYSTEM_TAG, vec![get])).await;
    let values = match answer.read() {
        Ok(values) => values,
        Err(StoreError::Corrupt(error)) => {
            return Err(StoreError::refused(format!(
                "The keys that begin with `{}:` belong to another program ({error}). Give the engine a prefix of its \
                 own.",
                store.options.prefix
            )));
        }
        Err(other) => return Err(other),
    };
    let place = Place::new("meta", &store.options.prefix);
    let values = place.list(values.into_iter().next().unwrap_or(Value::Nil))?;
    let [schema, store_id, flow, budget, quota] =
        <[Value; 5]>::try_from(values).map_err(|values| place.corrupt("meta", format!("{} fields", values.len())))?;
    let Some(schema) = place.maybe_number::<u32>("schema", &schema)? else { return Ok(None) };
    if schema > SCHEMA_VERSION {
        return Err(StoreError::refused(format!(
            "The store under `{}:` has schema version {schema} and this program knows versions up to \
             {SCHEMA_VERSION}. A newer version has worked on it; run that one, or go back to a backup from before.",
            store.options.prefix
        )));
    }
    let count =
        |field, value| place.maybe_number::<u16>(field, value)?.ok_or_else(|| place.corrupt(field, "it is missing"));
    let stored = PartitionConfig {
        num_flow_partitions: count("flow_partitions", &flow)?,
        num_budget_partitions: count("budget_partitions", &budget)?,
        num_quota_partitions: count("quota_partitions", &quota)?,
    };
    if stored != *config {
        return Err(StoreError::refused(format!(
            "The store under `{}:` was set up with {}/{}/{} flow, budget and quota partitions, and the configuration \
             asks for {}/{}/{}. The counts are part of every id and fixed for the life of a store: configure the \
             stored ones, or use another prefix.",
            store.options.prefix,
            stored.num_flow_partitions,
            stored.num_budget_partitions,
            stored.num_quota_partitions,
            config.num_flow_partitions,
            config.num_budget_partitions,
            config.num_quota_partitions,
        )));
    }
    place
        .maybe_number::<Uuid>("store_id", &store_id)?
        .map(Some)
        .ok_or_else(|| place.corrupt("store_id", "it is missing"))
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
