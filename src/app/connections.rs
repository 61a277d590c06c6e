//! Connections: how many there may be, in all and from one source, and how long one may be quiet.
//!
//! A source may have as many as are left for others: one alone has half, ten have a tenth each, and a newcomer always finds
//! room. Where there is no room, the connection that has been quiet longest makes it, those that never asked anything
//! first; one that is being served is never closed for another. So somebody who opens connections by the thousand closes
//! their own.

mod guarded;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum_server::accept::Accept;
use futures_util::task::AtomicWaker;
use tokio::net::TcpStream;
use tokio::time::Instant;

pub(super) use self::guarded::{Guarded, Served};
use crate::domain::source::Source;

/// How long a connection may be quiet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Until its first request has come, TLS and all.
    pub(super) first: Duration,
    /// From the end of one request until the next has come.
    pub(super) idle: Duration,
    /// While one is served: without a step, be it of the answer or of the peer who should take it.
    pub(super) stuck: Duration,
    /// With an answer that the peer does not take.
    pub(super) unread: Duration,
}

impl Default for Patience {
    /// Exporters send every 5 to 60 s over the same connection; the longest request takes 5 minutes.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(20),
            idle: Duration::from_secs(120),
            stuck: Duration::from_secs(360),
            unread: Duration::from_secs(60),
        }
    }
}

/// All connections of the process. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connections(Arc<Inner>);

struct Inner {
    limit: usize,
    patience: Patience,
    began: Instant,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    number: u64,
    connections: HashMap<u64, Arc<Connection>>,
    of_source: HashMap<Source, usize>,
}

/// An open connection.
pub(super) struct Connection {
    source: Source,
    began: Instant,
    patience: Patience,
    /// Requests whose answer is not all sent.
    in_flight: AtomicUsize,
    has_asked: AtomicBool,
    /// When it last moved, in milliseconds since the process began to listen.
    moved_ms: AtomicU64,
    is_closing: AtomicBool,
    /// Who reads from it, or writes to it: one task does both.
    reader: AtomicWaker,
}

impl Connection {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes that something moves.
    fn moved(&self) {
        self.moved_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    /// Time until it is to be closed if nothing moves; zero when that has come.
    fn time_left(&self) -> Duration {
        if self.is_closing.load(Ordering::Acquire) {
            return Duration::ZERO;
        }
        let patience = match (self.in_flight.load(Ordering::Acquire), self.has_asked.load(Ordering::Relaxed)) {
            (0, false) => self.patience.first,
            (0, true) => self.patience.idle,
            _ => self.patience.stuck,
        };
        let quiet_ms = self.now_ms().saturating_sub(self.moved_ms.load(Ordering::Relaxed));
        patience.saturating_sub(Duration::from_millis(quiet_ms))
    }

    fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        self.reader.wake();
    }

    /// A request begins; it ends when what is given back is dropped.
    fn begin(self: &Arc<Self>) -> Serving {
        self.has_asked.store(true, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        self.moved();
        Serving(Arc::clone(self))
    }
}

/// A request that is served.
pub(super) struct Serving(Arc<Connection>);

impl crate::http::observed::Observer for Serving {
    fn sent(&mut self, _bytes: u64) {
        self.0.moved();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.moved();
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
        // Its reader waits as long as a request may take; now it is to wait for the next one.
        self.0.reader.wake();
    }
}

impl Connections {
    /// Room for so many.
    pub(super) fn new(limit: usize, patience: Patience) -> Self {
        let open = Mutex::default();
        Self(Arc::new(Inner { limit: limit.max(1), patience, began: Instant::now(), open }))
    }

    /// How long they may be quiet.
    pub(super) fn patience(&self) -> Patience {
        self.0.patience
    }

    /// Takes a connection in; `None` when there is no room and none can be made.
    fn enter(&self, source: Source) -> Option<Entered> {
        let mut open = self.lock();
        while open.connections.len() >= self.0.limit {
            let crowd = open.of_source.iter().max_by_key(|(_, count)| **count).map(|(source, _)| *source)?;
            open.make_room(crowd)?;
        }
        let own = open.of_source.get(&source).copied().unwrap_or(0);
        if own > 0 && own >= self.0.limit - open.connections.len() {
            open.make_room(source)?;
        }
        let connection = Arc::new(Connection {
            source,
            began: self.0.began,
            patience: self.0.patience,
            in_flight: AtomicUsize::new(0),
            has_asked: AtomicBool::new(false),
            moved_ms: AtomicU64::new(0),
            is_closing: AtomicBool::new(false),
            reader: AtomicWaker::new(),
        });
        connection.moved();
        let number = open.number;
        open.number += 1;
        open.connections.insert(number, Arc::clone(&connection));
        *open.of_source.entry(source).or_default() += 1;
        drop(open);
        Some(Entered { connections: self.clone(), number, connection })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing under this lock can panic half-way.
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Closes the connection of a source that can best be spared; `None` where all are being served.
    fn make_room(&mut self, source: Source) -> Option<()> {
        let quiet =
            self.connections.iter().filter(|(_, it)| it.source == source && it.in_flight.load(Ordering::Acquire) == 0);
        let spared =
            quiet.min_by_key(|(_, it)| (it.has_asked.load(Ordering::Relaxed), it.moved_ms.load(Ordering::Relaxed)));
        let number = *spared?.0;
        self.remove(number)?.close();
        Some(())
    }

    fn remove(&mut self, number: u64) -> Option<Arc<Connection>> {
        let connection = self.connections.remove(&number)?;
        if let Some(count) = self.of_source.get_mut(&connection.source) {
            *count -= 1;
            if *count == 0 {
                self.of_source.remove(&connection.source);
            }
        }
        Some(connection)
    }
}

/// A connection that is in; it leaves when this is dropped.
pub(super) struct Entered {
    connections: Connections,
    number: u64,
    connection: Arc<Connection>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.connections.lock().remove(self.number);
    }
}

impl<S> Accept<TcpStream, S> for Connections {
    type Stream = Guarded<TcpStream>;
    type Service = Served<S>;
    type Future = std::future::Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let accepted = || {
            let peer: SocketAddr = stream.peer_addr()?;
            stream.set_nodelay(true)?;
            let entered = self.enter(peer.ip().into());
            let entered = entered.ok_or_else(|| io::Error::other("as many connections are served as may be"))?;
            let served = Served::new(service, Arc::clone(&entered.connection));
            Ok((Guarded::new(stream, entered), served))
        };
        std::future::ready(accepted())
    }
}

/// Files that this process may open, raised as far as the system lets it.
pub(super) fn raise_file_limit() -> usize {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        let current = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => raised.current,
            Err(error) => {
                tracing::warn!(%error, "the limit of open files cannot be raised");
                limit.current
            }
        };
        current.map_or(usize::MAX, |current| usize::try_from(current).unwrap_or(usize::MAX))
    }
    #[cfg(not(target_os = "linux"))]
    FILES_ELSEWHERE
}

/// What is taken for the limit where it cannot be asked for.
#[cfg(not(target_os = "linux"))]
const FILES_ELSEWHERE: usize = 256;

#[cfg(test)]
mod tests;
