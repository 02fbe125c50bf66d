//! Starts one server of each kind, prints process and folder of each as a line, and holds
//! them until its input ends. For tests of what becomes of servers whose owner is killed.

#![expect(clippy::print_stdout, reason = "the lines are what this program is for")]

use leasehold_services::{Flavour, Postgres, PostgresConfig, Redis, RedisConfig, ServiceResult};
use std::io::{self, Read};

fn main() -> ServiceResult {
    let postgres = Postgres::start(&PostgresConfig::default())?;
    println!("{} {}", postgres.pid(), postgres.data().display());
    let mut servers = Vec::new();
    for flavour in [Flavour::Redis, Flavour::Valkey] {
        let server = Redis::start(&RedisConfig { flavour, ..RedisConfig::default() })?;
        println!("{} {}", server.pid(), server.data().display());
        servers.push(server);
    }
    println!("held");
    let mut rest = Vec::new();
    io::stdin()
        .read_to_end(&mut rest)
        .map(drop)
        .map_err(|source| leasehold_services::ServiceError::Io { what: "reading".to_owned(), source })
}
