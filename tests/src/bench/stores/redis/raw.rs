//! What the server gives without an engine: calls of a trivial function, one
//! hash write and one sorted-set write of a few bytes each, none of them
//! pipelined.

use crate::bench::BenchResult;
use crate::bench::rig::{self, ms};
use crate::bench::stores::RawCommits;
use async_trait::async_trait;
use leasehold_backend::{Clock, SystemClock};
use redis::aio::MultiplexedConnection;

/// Tasks that call at the same time, each on a connection of its own.
const TASKS: usize = 16;

/// Calls each of them makes.
const CALLS_EACH: usize = 1500;

/// The function. Keys: the hash, the sorted set. Arguments: the field, which
/// is also the member, and the value, which is also the score.
const LIBRARY: &str = "#!lua name=leasehold_bench
redis.register_function('leasehold_bench_touch', function(keys, args)
  redis.call('HSET', keys[1], args[1], args[2])
  redis.call('ZADD', keys[2], args[2], args[1])
  return 1
end)
";

/// What the calls write to.
const HASH: &str = "raw:{raw}:hash";
const SORTED_SET: &str = "raw:{raw}:set";

async fn prepare(connection: &mut MultiplexedConnection) -> BenchResult<()> {
    redis::cmd("FUNCTION").arg("LOAD").arg("REPLACE").arg(LIBRARY).exec_async(connection).await?;
    redis::cmd("DEL").arg(HASH).arg(SORTED_SET).exec_async(connection).await?;
    Ok(())
}

async fn touch(connection: &mut MultiplexedConnection, number: usize) -> BenchResult<()> {
    let mut call = redis::cmd("FCALL");
    call.arg("leasehold_bench_touch").arg(2).arg(HASH).arg(SORTED_SET);
    call.arg(format!("field-{number:010}")).arg(number);
    let answer: i64 = call.query_async(connection).await?;
    if answer != 1 {
        return Err(format!("the function answered {answer}").into());
    }
    Ok(())
}

/// Calls from sixteen tasks; per second.
///
/// # Errors
///
/// What the server refuses.
pub(super) async fn calls_per_second(client: &redis::Client) -> BenchResult<f64> {
    let clock = SystemClock::default();
    let mut connections = Vec::with_capacity(TASKS);
    for _ in 0..TASKS {
        connections.push(client.get_multiplexed_async_connection().await?);
    }
    prepare(&mut connections[0]).await?;
    let began = clock.monotonic();
    let tasks = connections.into_iter().enumerate().map(|(task, mut connection)| {
        tokio::spawn(async move {
            for call in 0..CALLS_EACH {
                touch(&mut connection, task * CALLS_EACH + call).await?;
            }
            Ok::<_, crate::bench::BenchError>(())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await??;
    }
    Ok(rig::rate(TASKS * CALLS_EACH, clock.monotonic().saturating_sub(began)))
}

/// One connection.
pub(super) struct Singles {
    connection: MultiplexedConnection,
    clock: SystemClock,
    next: usize,
}

impl Singles {
    /// # Errors
    ///
    /// What the server refuses.
    pub(super) async fn open(client: &redis::Client) -> BenchResult<Self> {
        let mut connection = client.get_multiplexed_async_connection().await?;
        prepare(&mut connection).await?;
        Ok(Self { connection, clock: SystemClock::default(), next: 0 })
    }
}

#[async_trait]
impl RawCommits for Singles {
    async fn times(&mut self, count: usize) -> BenchResult<Vec<f64>> {
        let mut took = Vec::with_capacity(count);
        for _ in 0..count {
            let began = self.clock.monotonic();
            touch(&mut self.connection, self.next).await?;
            took.push(ms(self.clock.monotonic().saturating_sub(began)));
            self.next += 1;
        }
        Ok(took)
    }

    async fn close(self: Box<Self>) -> BenchResult<()> {
        Ok(())
    }
}
