//! As much of the Redis protocol as it takes to look after a server.

use crate::error::{ServiceError, ServiceResult};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server may take to accept, to read or to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A status or a string; bytes that are no text are replaced.
    Text(String),
    /// A number.
    Integer(i64),
    /// Nothing there.
    Nil,
    /// Several answers.
    List(Vec<Reply>),
    /// A refusal.
    Refused(String),
}

/// Sends one command over a connection of its own.
pub(crate) fn ask(port: u16, words: &[&str]) -> ServiceResult<Reply> {
    let failed = |reason: String| ServiceError::Command { command: words.join(" "), reason };
    match exchange(port, words).map_err(|error| failed(error.to_string()))? {
        Reply::Refused(reason) => Err(failed(reason)),
        reply => Ok(reply),
    }
}

fn exchange(port: u16, words: &[&str]) -> io::Result<Reply> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(&encode(words))?;
    read(&mut BufReader::new(stream))
}

fn encode(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
    }
    bytes
}

fn read(from: &mut impl BufRead) -> io::Result<Reply> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let line = line.trim_end();
    let Some((kind, rest)) = line.split_at_checked(1) else {
        return Err(strange("nothing"));
    };
    let number = || rest.parse::<i64>().map_err(|_| strange(line));
    Ok(match kind {
        "+" => Reply::Text(rest.to_owned()),
        "-" => Reply::Refused(rest.to_owned()),
        ":" => Reply::Integer(number()?),
        "$" => match usize::try_from(number()?) {
            Err(_) => Reply::Nil,
            Ok(length) => {
                let mut bytes = Vec::new();
                from.take(length as u64 + 2).read_to_end(&mut bytes)?;
                bytes.truncate(length);
                Reply::Text(String::from_utf8_lossy(&bytes).into_owned())
            }
        },
        "*" => match usize::try_from(number()?) {
            Err(_) => Reply::Nil,
            Ok(count) => Reply::List((0..count).map(|_| read(from)).collect::<io::Result<_>>()?),
        },
        _ => return Err(strange(line)),
    })
}

fn strange(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("answered {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(bytes: &str) -> io::Result<Reply> {
        read(&mut bytes.as_bytes())
    }

    #[test]
    fn answers_are_read() {
        assert_eq!(parsed("+PONG\r\n").unwrap(), Reply::Text("PONG".into()));
        assert_eq!(parsed("$4\r\na\r\nb\r\n").unwrap(), Reply::Text("a\r\nb".into()));
        assert_eq!(parsed("$-1\r\n").unwrap(), Reply::Nil);
        assert_eq!(parsed("-ERR no\r\n").unwrap(), Reply::Refused("ERR no".into()));
        let list = Reply::List(vec![Reply::Integer(-3), Reply::Text("x".into())]);
        assert_eq!(parsed("*2\r\n:-3\r\n$1\r\nx\r\n").unwrap(), list);
        assert!(parsed("").is_err());
        assert!(parsed("?\r\n").is_err());
    }

    #[test]
    fn a_command_is_a_list_of_strings() {
        assert_eq!(encode(&["GET", "ä"]), "*2\r\n$3\r\nGET\r\n$2\r\nä\r\n".as_bytes());
    }
}
