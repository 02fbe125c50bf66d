//! A TCP proxy between a node and its store that tears, swallows and holds
//! back what goes through it.

use crate::kills::Fallible;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest anything is held back, in case nobody lets it go.
const HOLD_MAX: Duration = Duration::from_secs(20);

/// What becomes of what goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing happens to it.
    Pass,
    /// The next request of a connection is cut in two: the server gets the
    /// first half and then the end.
    Tear,
    /// The server gets requests, and the next answer of a connection is its
    /// end.
    Swallow,
    /// Requests of the connections there are wait until the mode changes, and
    /// are delivered then, whether or not anybody still waits for an answer.
    /// Connections made meanwhile pass.
    Hold,
}

/// What was done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Requests torn.
    pub torn: u64,
    /// Answers swallowed.
    pub swallowed: u64,
    /// Requests delivered after their sender had given up.
    pub late: u64,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    torn: AtomicU64,
    swallowed: AtomicU64,
    late: AtomicU64,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    /// Connections made so far.
    made: u64,
    /// Those with a greater number are not held.
    held_up_to: u64,
    /// Every connection that is open, both ends.
    open: Vec<(u64, TcpStream, TcpStream)>,
    closed: bool,
}

impl Default for State {
    fn default() -> Self {
        Self { mode: Mode::Pass, made: 0, held_up_to: 0, open: Vec::new(), closed: false }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mode(&self, connection: u64) -> Mode {
        let state = self.lock();
        if state.mode == Mode::Hold && connection > state.held_up_to { Mode::Pass } else { state.mode }
    }

    fn wait_while_held(&self) {
        let state = self.lock();
        let held = |state: &mut State| state.mode == Mode::Hold && !state.closed;
        // Whoever waited too long goes on as if it had been let go.
        drop(self.changed.wait_timeout_while(state, HOLD_MAX, held));
    }

    fn forget(&self, connection: u64) {
        self.lock().open.retain(|(number, _, _)| *number != connection);
    }
}

/// A proxy to a port of this machine. It ends with this value.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Listens on a port of the system's choice.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn to(target: u16) -> Fallible<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::<Shared>::default();
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.lock().closed {
                    return;
                }
                // A server that does not listen shows itself to the client as
                // a connection that ends.
                if let Ok(client) = client
                    && let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target))
                {
                    drop(join(&accepting, client, server));
                }
            }
        });
        Ok(Self { port, shared })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes what becomes of what goes through.
    pub fn set(&self, mode: Mode) {
        let mut state = self.shared.lock();
        state.mode = mode;
        state.held_up_to = state.made;
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Ends every connection at once, on both sides.
    pub fn cut(&self) {
        cut(&mut self.shared.lock());
    }

    /// What was done so far.
    pub fn done(&self) -> Done {
        let Shared { torn, swallowed, late, .. } = &*self.shared;
        Done { torn: torn.load(Relaxed), swallowed: swallowed.load(Relaxed), late: late.load(Relaxed) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        cut(&mut state);
        drop(state);
        self.shared.changed.notify_all();
        // Wakes the thread that accepts, which then finds that it is over.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

fn cut(state: &mut State) {
    for (_, client, server) in state.open.drain(..) {
        end(&client, &server);
    }
}

/// Ends a connection that may have ended already.
fn end(client: &TcpStream, server: &TcpStream) {
    drop(client.shutdown(Shutdown::Both));
    drop(server.shutdown(Shutdown::Both));
}

fn join(shared: &Arc<Shared>, client: TcpStream, server: TcpStream) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut state = shared.lock();
    state.made += 1;
    let number = state.made;
    state.open.push((number, client.try_clone()?, server.try_clone()?));
    drop(state);
    let requests =
        Pump { shared: Arc::clone(shared), number, client: client.try_clone()?, server: server.try_clone()? };
    let answers = Pump { shared: Arc::clone(shared), number, client, server };
    std::thread::spawn(move || requests.requests());
    std::thread::spawn(move || answers.answers());
    Ok(())
}

/// One direction of a connection.
struct Pump {
    shared: Arc<Shared>,
    number: u64,
    client: TcpStream,
    server: TcpStream,
}

impl Pump {
    fn requests(mut self) {
        let mut buffer = vec![0; 64 << 10];
        let mut held = false;
        while let Ok(count @ 1..) = self.client.read(&mut buffer) {
            let request = &buffer[..count];
            held = false;
            match self.shared.mode(self.number) {
                Mode::Pass | Mode::Swallow => {}
                Mode::Tear => {
                    // Whatever the server makes of it, nobody hears of it.
                    drop(self.server.write_all(&request[..count / 2]));
                    self.shared.torn.fetch_add(1, Relaxed);
                    end(&self.client, &self.server);
                    break;
                }
                Mode::Hold => {
                    self.shared.wait_while_held();
                    held = true;
                }
            }
            if self.server.write_all(request).is_err() {
                break;
            }
        }
        if held {
            self.shared.late.fetch_add(1, Relaxed);
        }
        // The server gets the end after everything that was sent.
        drop(self.server.shutdown(Shutdown::Write));
    }

    fn answers(mut self) {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = self.server.read(&mut buffer) {
            if self.shared.mode(self.number) == Mode::Swallow {
                self.shared.swallowed.fetch_add(1, Relaxed);
                break;
            }
            // A client that is gone takes no answers; the server is heard out
            // all the same, so that it carries out what it has been sent.
            drop(self.client.write_all(&buffer[..count]));
        }
        end(&self.client, &self.server);
        self.shared.forget(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, channel};

    const WAIT: Duration = Duration::from_secs(10);

    /// A server that tells what it is sent, and answers each read with `ok`.
    fn server() -> (u16, Receiver<Vec<u8>>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, told) = channel();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let heard = heard.clone();
                std::thread::spawn(move || {
                    let mut buffer = [0; 100];
                    while let Ok(count) = connection.read(&mut buffer) {
                        if heard.send(buffer[..count].to_vec()).is_err() || count == 0 {
                            return;
                        }
                        drop(connection.write_all(b"ok"));
                    }
                });
            }
        });
        (port, told)
    }

    fn answer(connection: &mut TcpStream) -> Vec<u8> {
        connection.set_read_timeout(Some(WAIT)).unwrap();
        let mut buffer = [0; 100];
        let count = connection.read(&mut buffer).unwrap_or(0);
        buffer[..count].to_vec()
    }

    fn client(proxy: &Proxy) -> TcpStream {
        TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap()
    }

    #[test]
    fn what_passes_arrives_and_is_answered() {
        let (port, told) = server();
        let proxy = Proxy::to(port).unwrap();
        let mut client = client(&proxy);
        client.write_all(b"hello").unwrap();
        assert_eq!((told.recv_timeout(WAIT).unwrap(), answer(&mut client)), (b"hello".to_vec(), b"ok".to_vec()));
    }

    #[test]
    fn a_torn_request_arrives_in_half_and_a_swallowed_answer_never() {
        let (port, told) = server();
        let proxy = Proxy::to(port).unwrap();
        proxy.set(Mode::Tear);
        let mut torn = client(&proxy);
        torn.write_all(b"abcdef").unwrap();
        assert_eq!(told.recv_timeout(WAIT).unwrap(), b"abc");
        assert_eq!(answer(&mut torn), b"");
        proxy.set(Mode::Swallow);
        let mut swallowed = client(&proxy);
        swallowed.write_all(b"ghi").unwrap();
        assert_eq!(answer(&mut swallowed), b"");
        let heard: Vec<_> = std::iter::from_fn(|| told.recv_timeout(WAIT).ok()).take(2).collect();
        assert!(heard.contains(&b"ghi".to_vec()), "{heard:?}");
        assert_eq!(proxy.done(), Done { torn: 1, swallowed: 1, late: 0 });
    }

    #[test]
    fn what_is_held_arrives_after_its_sender_gave_up_and_new_connections_pass() {
        let (port, told) = server();
        let proxy = Proxy::to(port).unwrap();
        let mut held = client(&proxy);
        held.write_all(b"first").unwrap();
        assert_eq!((told.recv_timeout(WAIT).unwrap(), answer(&mut held)), (b"first".to_vec(), b"ok".to_vec()));
        proxy.set(Mode::Hold);
        held.write_all(b"late").unwrap();
        let mut fresh = client(&proxy);
        fresh.write_all(b"fresh").unwrap();
        assert_eq!((told.recv_timeout(WAIT).unwrap(), answer(&mut fresh)), (b"fresh".to_vec(), b"ok".to_vec()));
        drop(held);
        proxy.set(Mode::Pass);
        assert_eq!(told.recv_timeout(WAIT).unwrap(), b"late");
        assert_eq!(told.recv_timeout(WAIT).unwrap(), b"");
        assert_eq!(proxy.done().late, 1);
    }

    #[test]
    fn a_cut_ends_every_connection() {
        let (port, told) = server();
        let proxy = Proxy::to(port).unwrap();
        let mut client = client(&proxy);
        client.write_all(b"x").unwrap();
        assert_eq!((told.recv_timeout(WAIT).unwrap(), answer(&mut client)), (b"x".to_vec(), b"ok".to_vec()));
        proxy.cut();
        assert_eq!(answer(&mut client), b"");
    }
}
