//! A server that speaks Redis' protocol just long enough to say which version
//! it is, and that notes what it was asked.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A server of a version that cannot be had any more.
pub struct Impostor {
    pub url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Impostor {
    /// Listens until the process ends, and answers `INFO` with these lines.
    pub fn start(info: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let notes = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, notes) = (stream.unwrap(), Arc::clone(&notes));
                // A connection that breaks off is the client's affair.
                thread::spawn(move || drop(answer(&stream, info, &notes)));
            }
        });
        Self { url, asked }
    }

    /// The commands it was sent, without their arguments.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(mut stream: &TcpStream, info: &str, notes: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut requests = BufReader::new(stream);
    loop {
        let mut words = Vec::new();
        for _ in 0..number(&mut requests)? {
            let length = number(&mut requests)?;
            let mut word = vec![0; length + 2];
            requests.read_exact(&mut word)?;
            words.push(String::from_utf8_lossy(&word[..length]).to_uppercase());
        }
        let command = words.first().cloned().unwrap_or_default();
        let reply = match command.as_str() {
            "INFO" => format!("${}\r\n{info}\r\n", info.len()),
            "CLIENT" => "+OK\r\n".to_owned(),
            "TIME" => "*2\r\n$1\r\n1\r\n$1\r\n0\r\n".to_owned(),
            "HMGET" => "*5\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n".to_owned(),
            "EXISTS" => ":0\r\n".to_owned(),
            other => format!("-ERR unknown command '{other}'\r\n"),
        };
        notes.lock().unwrap().push(command);
        stream.write_all(reply.as_bytes())?;
    }
}

/// The number behind the mark of a line.
fn number(from: &mut impl BufRead) -> io::Result<usize> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let digits = line.trim_end().get(1..).unwrap_or_default();
    digits.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, line))
}
