//! `leasehold migrate`: brings the configured store up to date, or tells what
//! that would mean.
//!
//! It does what `serve` does before it takes a store, by the same call; what it
//! tells beforehand comes from looking at the store without altering it.

use crate::config::{Config, ConfigError, StoreKind};
use crate::serve::{NoAddress, partitions, postgres_options, redis_options, sqlite_options, variables};
use leasehold::{PostgresOptions, RedisOptions, SqliteOptions};
use leasehold_backend::{Backend, Obstacle, StoreError, StoreResult, SystemClock};
use leasehold_cli::{MigrateArgs, output};
use leasehold_core::partition::PartitionConfig;
use leasehold_postgres::{PostgresBackend, inspect as postgres};
use leasehold_redis::{RedisBackend, inspect as redis};
use leasehold_sqlite::{FileKind, FileReport, SqliteBackend};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::Arc;
use thiserror::Error;

/// Why a store is not brought up to date.
#[derive(Debug, Error)]
enum MigrateError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    NoAddress(#[from] NoAddress),
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// One thing that has a version.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    what: String,
    /// None where it does not exist yet.
    from: Option<u32>,
    to: u32,
}

impl Step {
    fn changes(&self) -> bool {
        self.from != Some(self.to)
    }

    fn told(&self, dry_run: bool) -> String {
        let Self { what, from, to } = self;
        let done = if dry_run { "would be" } else { "was" };
        match from {
            None => format!("{what}: {done} set up with version {to}"),
            Some(from) if from == to => format!("{what}: version {to}, up to date"),
            Some(from) => format!("{what}: {done} brought from version {from} to {to}"),
        }
    }

    fn json(&self) -> Value {
        json!({ "what": self.what, "from": self.from, "to": self.to, "changes": self.changes() })
    }
}

/// Brings the configured store up to date.
pub async fn run(args: MigrateArgs) -> ExitCode {
    match migrate(&args).await {
        Ok(steps) => {
            tell(&args, &steps);
            ExitCode::SUCCESS
        }
        Err(error) => {
            output::note(&format!("error: {}", output::printable(&error.to_string())));
            ExitCode::FAILURE
        }
    }
}

fn tell(args: &MigrateArgs, steps: &[Step]) {
    if args.json {
        let steps: Vec<Value> = steps.iter().map(Step::json).collect();
        output::json(&json!({ "dry_run": args.dry_run, "steps": steps }));
    } else if steps.is_empty() {
        output::data("the store is in memory and made anew at each start");
    } else {
        for step in steps {
            output::data(&step.told(args.dry_run));
        }
    }
}

async fn migrate(args: &MigrateArgs) -> Result<Vec<Step>, MigrateError> {
    let config = Config::load(args.config.as_deref(), variables())?;
    let counts = partitions(&config);
    let Some(target) = Target::of(&config)? else { return Ok(Vec::new()) };
    let (steps, obstacle) = target.look(&counts).await?;
    if let Some(obstacle) = obstacle {
        return Err(StoreError::from(obstacle).into());
    }
    if !args.dry_run {
        let store = target.open().await?;
        let prepared = store.prepare(&counts).await;
        store.close().await;
        prepared?;
    }
    Ok(steps)
}

/// A store that keeps something.
enum Target {
    Sqlite(SqliteOptions),
    Postgres(PostgresOptions),
    Redis(RedisOptions),
}

impl Target {
    /// The configured one; none in memory.
    fn of(config: &Config) -> Result<Option<Self>, NoAddress> {
        Ok(match config.store.kind {
            StoreKind::Sqlite => Some(Self::Sqlite(sqlite_options(config))),
            StoreKind::Postgres => Some(Self::Postgres(postgres_options(config)?)),
            StoreKind::Redis => Some(Self::Redis(redis_options(config)?)),
            StoreKind::Memory => None,
        })
    }

    /// What there is to do, and why it is not to be done, if it is not.
    async fn look(&self, counts: &PartitionConfig) -> StoreResult<(Vec<Step>, Option<Obstacle>)> {
        Ok(match self {
            Self::Sqlite(options) => {
                let report = leasehold_sqlite::inspect(&options.path).await?;
                (vec![of_sqlite(&report)], report.obstacle(counts).or_else(|| in_use(&report)))
            }
            Self::Postgres(options) => {
                let report = postgres::inspect(options.clone()).await?;
                (vec![of_postgres(&report)], report.obstacle(counts))
            }
            Self::Redis(options) => {
                let report = redis::inspect(options.clone(), counts, false).await?;
                (of_redis(&report), report.obstacle(counts))
            }
        })
    }

    async fn open(self) -> StoreResult<Box<dyn Backend>> {
        Ok(match self {
            Self::Sqlite(options) => Box::new(SqliteBackend::open(options, Arc::new(SystemClock::default())).await?),
            Self::Postgres(options) => Box::new(PostgresBackend::open(options).await?),
            Self::Redis(options) => Box::new(RedisBackend::open(options).await?),
        })
    }
}

fn in_use(report: &FileReport) -> Option<Obstacle> {
    let owner = report.owner.as_ref()?;
    Some(Obstacle::new(
        format!("The database {} is in use ({owner})", report.path.display()),
        "Stop that process first; it brings its file up to date by itself when it starts",
    ))
}

fn of_sqlite(report: &FileReport) -> Step {
    let from = match report.kind {
        FileKind::Store(version) => Some(version),
        FileKind::Missing | FileKind::Empty | FileKind::Foreign => None,
    };
    Step { what: format!("schema of {}", report.path.display()), from, to: report.known_version }
}

fn of_postgres(report: &postgres::Report) -> Step {
    let from = match report.contents {
        postgres::Contents::Store { version, .. } => Some(version),
        _ => None,
    };
    Step { what: format!("schema {} of {}", report.schema, report.url), from, to: report.known_version }
}

fn of_redis(report: &redis::Report) -> Vec<Step> {
    let from = match report.contents {
        redis::Contents::Store { version, .. } => Some(version),
        _ => None,
    };
    let what = format!("keys under `{}:` at {}", report.prefix, report.addresses.join(", "));
    let keys = Step { what, from, to: redis::SCHEMA_VERSION };
    let libraries = report.functions.iter().map(|found| Step {
        what: format!("function library of {}", found.address),
        from: match found.own {
            redis::Own::Loaded => Some(found.known_version),
            // An older one stays where it is, for the programs that use it.
            _ => found.others.iter().copied().filter(|other| *other < found.known_version).max(),
        },
        to: found.known_version,
    });
    libraries.chain([keys]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_tells_from_where_to_where() {
        let step = |from| Step { what: "schema s".to_owned(), from, to: 2 };
        for (from, dry_run, told) in [
            (None, false, "schema s: was set up with version 2"),
            (None, true, "schema s: would be set up with version 2"),
            (Some(1), false, "schema s: was brought from version 1 to 2"),
            (Some(1), true, "schema s: would be brought from version 1 to 2"),
            (Some(2), false, "schema s: version 2, up to date"),
            (Some(2), true, "schema s: version 2, up to date"),
        ] {
            assert_eq!(step(from).told(dry_run), told);
        }
    }
}
