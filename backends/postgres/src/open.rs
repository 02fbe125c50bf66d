//! Connecting to the server for the first time.

use crate::errors;
use crate::options::{PostgresOptions, without_password};
use crate::pool::Pool;
use crate::stats::Counters;
use crate::watch::{Ear, Watch};
use crate::wire::Manner;
use leasehold_backend::{StoreError, StoreResult, SystemClock};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use std::str::FromStr;
use std::sync::Arc;

/// The connections by what they are for.
pub(crate) struct Pools {
    pub(crate) commits: Pool,
    pub(crate) ownership: Pool,
    pub(crate) readers: Pool,
    pub(crate) watch: Watch,
}

/// Connects once, to find out whether the server can be had at all.
///
/// # Errors
///
/// `Refused` for a URL that cannot be read and for what only a person can
/// mend; `Busy` for a server that is starting or has no connection left.
pub(crate) async fn open(options: &PostgresOptions, counters: &Arc<Counters>) -> StoreResult<Pools> {
    let settings = settings(options);
    let begin = if options.pooler {
        settings.iter().fold("BEGIN ISOLATION LEVEL READ COMMITTED".to_owned(), |begin, (name, value)| {
            begin + &format!("; SET LOCAL {name} = '{value}'")
        })
    } else {
        "BEGIN".to_owned()
    };
    let manner = Arc::new(Manner {
        pooler: options.pooler,
        begin: begin.into(),
        trip: options.timeouts.trip(),
        counters: Arc::clone(counters),
    });
    let connect = connect_options(options)?;
    let times = options.timeouts;
    let pool = |name, size| Pool::new(name, size, connect.clone(), Arc::clone(&manner), times.connect, times.acquire);
    let ear = (options.listen && !options.pooler).then(|| Ear {
        connect_options: connect.clone(),
        channel: options.schema.clone(),
        connect: times.connect,
        trip: times.trip(),
        counters: Arc::clone(counters),
        clock: SystemClock::default(),
    });
    let pools = Pools {
        commits: pool("commits", 1),
        ownership: pool("ownership", 1),
        readers: pool("reads", options.readers),
        watch: Watch::new(ear),
    };
    match pools.commits.warm().await {
        Ok(()) => Ok(pools),
        Err(error) => Err(cannot(&options.url, &error)),
    }
}

/// How every connection of the store is made.
///
/// # Errors
///
/// `Refused` for a URL that cannot be read.
pub(crate) fn connect_options(options: &PostgresOptions) -> StoreResult<PgConnectOptions> {
    let connect = server(options)?;
    if options.pooler {
        // A pooler refuses settings at connect that it does not know.
        return Ok(connect.statement_cache_capacity(0).extra_float_digits(None));
    }
    Ok(connect.statement_cache_capacity(1024).options(settings(options)).options([
        ("default_transaction_isolation", "read committed"),
        // A server whose client is gone lets go of its locks.
        ("tcp_keepalives_idle", "10"),
        ("tcp_keepalives_interval", "3"),
        ("tcp_keepalives_count", "3"),
    ]))
}

fn server(options: &PostgresOptions) -> StoreResult<PgConnectOptions> {
    let scheme = options.url.split("://").next().unwrap_or_default();
    if !["postgres", "postgresql"].contains(&scheme) || !options.url.contains("://") {
        return Err(StoreError::refused(
            "The store's URL is none of a PostgreSQL server. It must look like \
             postgres://role:password@host:5432/database.",
        ));
    }
    let connect = PgConnectOptions::from_str(&options.url).map_err(|error| {
        StoreError::refused(format!(
            "The store's URL {} cannot be read: {error}. It must look like \
             postgres://role:password@host:5432/database.",
            without_password(&options.url)
        ))
    })?;
    let named = connect.get_application_name().is_some();
    let connect = if named { connect } else { connect.application_name("leasehold") };
    Ok(connect.disable_statement_logging())
}

/// What every transaction runs under. Plans are made once for any number of
/// rows and never visit a whole table: the tables grow faster than their
/// statistics.
fn settings(options: &PostgresOptions) -> Vec<(&'static str, String)> {
    let ms = |time: std::time::Duration| time.as_millis().max(1).to_string();
    vec![
        ("statement_timeout", ms(options.timeouts.statement)),
        ("lock_timeout", ms(options.timeouts.lock)),
        ("idle_in_transaction_session_timeout", ms(options.timeouts.statement)),
        ("plan_cache_mode", "force_generic_plan".to_owned()),
        ("enable_seqscan", "off".to_owned()),
        ("jit", "off".to_owned()),
    ]
}

fn cannot(url: &str, error: &sqlx::Error) -> StoreError {
    let code = errors::code_of(error);
    let code = code.as_deref().unwrap_or_default();
    let text = errors::text_of(error);
    // Starting, stopping or without a connection left.
    if code.starts_with("57") || code.starts_with("53") {
        return StoreError::busy(text);
    }
    let mend = match code {
        "28P01" | "28000" => "Check the role, its password and the server's pg_hba.conf",
        "3D000" => "Make the database first, or name another one",
        "08P01" | "42704" | "22023" => "If a pooler stands before the server, set `pooler` in the store's options",
        _ => "Check the host, the port and the TLS mode, and that the server is running",
    };
    StoreError::refused(format!("The PostgreSQL server {} cannot be used: {text}. {mend}.", without_password(url)))
}
