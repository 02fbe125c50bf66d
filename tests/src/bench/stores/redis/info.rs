//! What a server tells of itself.

use crate::bench::BenchResult;
use redis::aio::MultiplexedConnection;

/// Everything `INFO` tells at one moment.
#[derive(Clone, Debug)]
pub(super) struct Info(String);

impl Info {
    /// # Errors
    ///
    /// A server that does not answer.
    pub(super) async fn read(connection: &mut MultiplexedConnection) -> BenchResult<Self> {
        Ok(Self(redis::cmd("INFO").arg("everything").query_async(connection).await?))
    }

    fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.lines().filter_map(|line| line.trim_end().split_once(':'))
    }

    /// A field as it stands.
    ///
    /// # Errors
    ///
    /// A server that does not tell it.
    pub(super) fn text(&self, name: &str) -> BenchResult<&str> {
        Ok(self.lines().find(|(field, _)| *field == name).ok_or_else(|| format!("INFO without {name}"))?.1)
    }

    /// A field that is a number.
    ///
    /// # Errors
    ///
    /// A server that does not tell it.
    pub(super) fn number(&self, name: &str) -> BenchResult<f64> {
        Ok(self.text(name)?.parse()?)
    }

    /// How often commands of some names were called, those called inside
    /// functions included.
    ///
    /// # Errors
    ///
    /// A count that is no number.
    pub(super) fn calls(&self, counted: impl Fn(&str) -> bool) -> BenchResult<f64> {
        let mut calls = 0.0;
        for (field, value) in self.lines() {
            let Some(command) = field.strip_prefix("cmdstat_") else { continue };
            if counted(command) {
                let count = value.strip_prefix("calls=").and_then(|rest| rest.split(',').next());
                calls += count.ok_or_else(|| format!("no calls of {command}"))?.parse::<f64>()?;
            }
        }
        Ok(calls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_calls_are_read() {
        let info = Info(
            "# Server\r\nvalkey_version:8.0.1\r\ncmdstat_fcall:calls=12,usec=3\r\ncmdstat_fcall_ro:calls=3,usec=1\r\n\
             cmdstat_config|get:calls=5,usec=1\r\naof_current_size:77\r\n"
                .into(),
        );
        assert_eq!(info.text("valkey_version").unwrap(), "8.0.1");
        assert_eq!(info.number("aof_current_size").unwrap().to_string(), "77");
        assert_eq!(info.calls(|name| name.starts_with("fcall")).unwrap().to_string(), "15");
        assert_eq!(info.calls(|_| true).unwrap().to_string(), "20");
        assert!(info.number("nothing").is_err());
    }
}
