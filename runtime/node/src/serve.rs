//! `leasehold serve`: configuration, store, engine, HTTP; then, when told to
//! stop, the same in reverse order. Told a second time, it ends at once.

use crate::config::{Config, ConfigError, Durability, Http, StoreKind, Synchronous, Waitpoints};
use leasehold::{
    EngineOptions, Node, NodeBuilder, PostgresOptions, RedisOptions, SqliteOptions, WaitpointKey, health_check,
};
use leasehold_backend::SystemEntropy;
use leasehold_cli::{ServeArgs, output};
use leasehold_contract::{EngineError, Maintenance};
use leasehold_core::partition::PartitionConfig;
use leasehold_core::token::SecretHex;
use leasehold_http::{
    BodyLimits, Cors, CorsError, HttpOptions, InsecureListener, Secret, SecretError, check_listener, router,
};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Why a server does not start, or ends.
#[derive(Debug, Error)]
enum ServeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Log(String),
    #[error("http.token: {0}")]
    Token(#[from] SecretError),
    #[error("http.cors_origins: {0}")]
    Cors(#[from] CorsError),
    #[error("http.listen: {0} (http.token, http.allow_insecure)")]
    Insecure(#[from] InsecureListener),
    #[error("http.listen: {0}: {1}")]
    Listen(SocketAddr, io::Error),
    #[error(transparent)]
    NoAddress(#[from] NoAddress),
    #[error("{}", words(.0))]
    Engine(#[from] EngineError),
    #[error("signals cannot be received: {0}")]
    Signals(io::Error),
    #[error("the server has ended: {0}")]
    Http(io::Error),
    #[error("told twice to stop, and stopped before everything under way had ended")]
    Impatient,
}

/// A store on a server whose address is not configured.
#[derive(Debug, Error)]
#[error("store.{store}.url: empty, while store.kind is \"{store}\"; set it to the server's address, as {example}")]
pub struct NoAddress {
    store: &'static str,
    example: &'static str,
}

/// The words of a store stand for themselves; what kind of error they are is
/// for programs.
fn words(error: &EngineError) -> String {
    match error {
        EngineError::Transport { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

/// Serves until told to stop.
pub async fn run(args: ServeArgs) -> ExitCode {
    match serve(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The variables of this process that are text.
pub fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

async fn serve(args: &ServeArgs) -> Result<(), ServeError> {
    let config = Config::load(args.config.as_deref(), variables())?;
    crate::log::init(&config.log.filter).map_err(ServeError::Log)?;
    // Everything that can be refused is, before the store is touched.
    let token = token(&config.http)?;
    let cors = Cors::parse(config.http.cors_origins.iter().map(String::as_str))?;
    check_listener(config.http.listen, token.as_ref(), config.http.allow_insecure)?;
    if token.is_none() && !config.http.listen.ip().to_canonical().is_loopback() {
        tracing::warn!(listen = %config.http.listen, "other machines can reach this server and no token is set");
    }
    // A signal that comes while the store is opened is not lost.
    let builder = builder(&config)?;
    let mut stop = Stop::new().map_err(ServeError::Signals)?;
    let refused = |error| ServeError::Listen(config.http.listen, error);
    let listener = TcpListener::bind(config.http.listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let node = builder.open().await?;
    let options = HttpOptions {
        token,
        cors,
        limits: limits(&config.http),
        hmac_grace_ms: config.http.hmac_grace_ms,
        health: health_check(node.engine().clone()),
        ..HttpOptions::new(partitions(&config), Arc::new(SystemEntropy::default()))
    };
    let router = router(Arc::new(node.engine().clone()), options);
    tell(args, address);
    let (tell_server, told) = oneshot::channel();
    let signals = tokio::spawn(async move {
        stop.told().await;
        if tell_server.send(()).is_err() {
            tracing::debug!("the server has ended before it was told to");
        }
        stop.told().await;
    });
    let work = async {
        let stopped = async move { drop(told.await) };
        let served = leasehold_http::serve(listener, router, stopped).await;
        end(&node, ms(config.node.shutdown_ms)).await;
        served
    };
    tokio::select! {
        served = work => served.map_err(ServeError::Http),
        // A crash is what the store outlives anyway.
        _ = signals => Err(ServeError::Impatient),
    }
}

/// Says where the server listens, which a program that started it with port 0
/// cannot know.
fn tell(args: &ServeArgs, address: SocketAddr) {
    let url = format!("http://{address}");
    if args.json {
        output::json(&serde_json::json!({ "url": url }));
    } else {
        output::data(&format!("listening on {url}"));
    }
}

/// Lets what is under way end, and ends the node.
async fn end(node: &Node, grace: Duration) {
    tracing::info!("stopping");
    if let Err(error) = node.engine().shutdown_prepare(grace).await {
        tracing::warn!(%error, "not everything under way has ended");
    }
    node.shutdown().await;
    tracing::info!("stopped");
}

/// Whoever tells the server to stop.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn told(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn token(http: &Http) -> Result<Option<Secret>, SecretError> {
    if http.token.0.is_empty() { Ok(None) } else { Secret::try_new(http.token.0.clone()).map(Some) }
}

fn limits(http: &Http) -> BodyLimits {
    BodyLimits {
        create: size(http.limits.create_bytes),
        bulk: size(http.limits.bulk_bytes),
        complete: size(http.limits.complete_bytes),
        signal: size(http.limits.signal_bytes),
        flow: size(http.limits.flow_bytes),
        other: size(http.limits.other_bytes),
    }
}

/// The partitions a configuration asks for.
pub fn partitions(config: &Config) -> PartitionConfig {
    PartitionConfig {
        num_flow_partitions: config.partitions.flow.get(),
        num_budget_partitions: config.partitions.budget.get(),
        num_quota_partitions: config.partitions.quota.get(),
    }
}

fn builder(config: &Config) -> Result<NodeBuilder, ServeError> {
    let builder = Node::builder().options(engine_options(config));
    Ok(match config.store.kind {
        StoreKind::Sqlite => builder.sqlite_with(sqlite_options(config)),
        StoreKind::Postgres => builder.postgres(postgres_options(config)?),
        StoreKind::Redis => builder.redis(redis_options(config)?),
        StoreKind::Memory => {
            tracing::warn!("the store is in memory: nothing outlives this process");
            builder.memory()
        }
    })
}

/// How the PostgreSQL store is opened.
pub fn postgres_options(config: &Config) -> Result<PostgresOptions, NoAddress> {
    let store = &config.store.postgres;
    let url = Some(store.url.0.trim()).filter(|url| !url.is_empty());
    let url = url.ok_or(NoAddress { store: "postgres", example: "postgres://role:password@host:5432/database" })?;
    Ok(PostgresOptions {
        schema: store.schema.clone(),
        pooler: store.pooler,
        readers: store.readers.get(),
        ..PostgresOptions::new(url)
    })
}

/// How the Valkey or Redis store is opened.
pub fn redis_options(config: &Config) -> Result<RedisOptions, NoAddress> {
    let store = &config.store.redis;
    let mut urls = store.url.0.split(',').map(str::trim).filter(|url| !url.is_empty()).map(str::to_owned);
    let first = urls.next().ok_or(NoAddress { store: "redis", example: "redis://host:6379" })?;
    let mut options = RedisOptions {
        prefix: store.prefix.clone(),
        durability: match store.durability {
            Durability::Acknowledged => leasehold::Durability::Acknowledged,
            Durability::Fsynced => leasehold::Durability::Fsynced,
            Durability::Replicated => leasehold::Durability::Replicated(store.replicas.get()),
        },
        readers: size(store.readers),
        ..RedisOptions::new(first)
    };
    options.urls.extend(urls);
    Ok(options)
}

/// Pages of 4 KiB with their headers that fit into a MiB of the log, about.
const PAGES_PER_MIB: u32 = 250;

/// How the SQLite store is opened.
pub fn sqlite_options(config: &Config) -> SqliteOptions {
    let store = &config.store;
    let defaults = SqliteOptions::new(&store.path);
    // Beside the commits, long before one of them has to copy it.
    let half_the_limit = (store.wal_limit_mib.get() / 2).saturating_mul(PAGES_PER_MIB);
    SqliteOptions {
        checkpoint_pages: defaults.checkpoint_pages.min(half_the_limit),
        synchronous: match store.synchronous {
            Synchronous::Full => leasehold::Synchronous::Full,
            Synchronous::Normal => leasehold::Synchronous::Normal,
        },
        readers: store.readers.get(),
        writer_cache_kib: store.writer_cache_kib.get(),
        reader_cache_kib: store.reader_cache_kib.get(),
        wal_reserve_bytes: u64::from(store.wal_reserve_mib) << 20,
        wal_limit_bytes: u64::from(store.wal_limit_mib.get()) << 20,
        ..defaults
    }
}

fn engine_options(config: &Config) -> EngineOptions {
    let node = &config.node;
    EngineOptions {
        partitions: partitions(config),
        node_lease: ms(node.lease_ms),
        heartbeat_every: ms(node.heartbeat_ms),
        cache_bytes: size(node.cache_mib) << 20,
        ready_window: size(node.ready_window),
        due_window: size(node.due_window),
        permits_partition: size(node.permits_partition),
        permits_holders: size(node.permits_holders),
        permits_node: size(node.permits_node),
        permits_namespace: size(node.permits_namespace),
        permit_wait: ms(node.permit_wait_ms),
        command_deadline: ms(node.command_deadline_ms),
        claim_batch: node.claim_batch.get(),
        commit_rows: size(node.commit_rows),
        commit_parts: size(node.commit_parts),
        event_buffer: size(node.event_buffer),
        waitpoint_key: waitpoint_key(&config.waitpoints),
        ..EngineOptions::default()
    }
}

fn waitpoint_key(waitpoints: &Waitpoints) -> WaitpointKey {
    if waitpoints.secret_hex.0.is_empty() {
        return WaitpointKey::Generated;
    }
    let secret_hex = SecretHex::new(waitpoints.secret_hex.0.clone());
    WaitpointKey::Configured { kid: waitpoints.kid.clone(), secret_hex }
}

fn ms(ms: NonZeroU32) -> Duration {
    Duration::from_millis(u64::from(ms.get()))
}

fn size(number: NonZeroU32) -> usize {
    number.get() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_the_configuration_are_the_engines() {
        let config = Config::default();
        assert_eq!(format!("{:?}", engine_options(&config)), format!("{:?}", EngineOptions::default()));
        assert_eq!(format!("{:?}", sqlite_options(&config)), format!("{:?}", SqliteOptions::new("leasehold.db")));
        assert_eq!(limits(&config.http), BodyLimits::default());
        assert!(postgres_options(&config).is_err() && redis_options(&config).is_err());
        let mut config = config;
        config.store.postgres.url.0 = "postgres://x/y".to_owned();
        config.store.redis.url.0 = "redis://x".to_owned();
        let postgres = PostgresOptions::new("postgres://x/y");
        assert_eq!(format!("{:?}", postgres_options(&config).unwrap()), format!("{postgres:?}"));
        assert_eq!(format!("{:?}", redis_options(&config).unwrap()), format!("{:?}", RedisOptions::new("redis://x")));
    }

    #[test]
    fn several_addresses_are_separated_by_commas() {
        let mut config = Config::default();
        config.store.redis.url.0 = "redis://a:1, redis://b:2,".to_owned();
        assert_eq!(redis_options(&config).unwrap().urls, ["redis://a:1", "redis://b:2"]);
    }
}
