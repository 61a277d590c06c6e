use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use axum_server::Handle;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::*;
use crate::app::listen;

const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
/// Longer than any step of a test takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

struct Rig {
    address: SocketAddr,
    connections: Connections,
    /// Lets requests for `/slow` go on.
    gate: Arc<Semaphore>,
    handle: Handle<SocketAddr>,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

fn serve(limit: usize, patience: Patience) -> Rig {
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let slow = get(move || async move { drop(waiting.acquire().await) });
    let router = Router::new().route("/", get(|| async { "here" })).route("/slow", slow);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a setting");
    let address = listener.local_addr().expect("an address");
    let (connections, handle) = (Connections::new(limit, patience), Handle::new());
    tokio::spawn(listen::serve(listener, router, None, handle.clone(), connections.clone()));
    Rig { address, connections, gate, handle }
}

fn patient() -> Patience {
    Patience { first: LONG, idle: LONG, stuck: LONG, unread: LONG }
}

impl Rig {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connects")
    }

    /// So many connections that send nothing, as soon as the server has them.
    async fn idle(&self, count: usize) -> Vec<TcpStream> {
        let mut idle = Vec::new();
        for _ in 0..count {
            let before = self.connections.lock().number;
            idle.push(self.connect().await);
            self.until(|rig| rig.connections.lock().number > before).await;
        }
        idle
    }

    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(LONG, waiting).await.expect("it comes to that");
    }

    fn open(&self) -> usize {
        self.connections.lock().connections.len()
    }
}

async fn is_answered(stream: &mut TcpStream) -> bool {
    let asked = async {
        stream.write_all(ASK).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"here") {
            answer.push(stream.read_u8().await?);
        }
        Ok::<_, io::Error>(answer)
    };
    let answer = tokio::time::timeout(LONG, asked).await.expect("an end");
    answer.is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200"))
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    let read = tokio::time::timeout(LONG, stream.read(&mut [0; 1])).await.expect("an end");
    !matches!(read, Ok(1..))
}

#[tokio::test]
async fn a_connection_that_asks_nothing_or_nothing_more_is_closed() {
    let brief = Duration::from_millis(30);
    let rig = serve(8, Patience { first: brief, ..patient() });
    assert!(is_closed(&mut rig.connect().await).await, "nothing was sent");
    for words in [&b"GET / HT"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = rig.connect().await;
        stream.write_all(words).await.expect("sends");
        while let Ok(1..) = tokio::time::timeout(LONG, stream.read(&mut [0; 64])).await.expect("an end") {}
    }
    rig.until(|rig| rig.open() == 0).await;
    let rig = serve(8, Patience { idle: brief, ..patient() });
    let mut stream = rig.connect().await;
    assert!(is_answered(&mut stream).await);
    while let Ok(1..) = tokio::time::timeout(LONG, stream.read(&mut [0; 64])).await.expect("an end") {}
    rig.until(|rig| rig.open() == 0).await;
}

#[tokio::test]
async fn who_opens_many_closes_their_own_and_newcomers_are_answered() {
    let rig = serve(8, patient());
    let mut served = rig.connect().await;
    assert!(is_answered(&mut served).await);
    let mut idle = rig.idle(40).await;
    // One source has half of all at most, however many it opens.
    assert_eq!(rig.open(), 4);
    let mut newcomer = rig.connect().await;
    assert!(is_answered(&mut newcomer).await);
    assert!(is_closed(&mut idle[0]).await, "the first of those that never asked");
    assert!(is_answered(&mut served).await, "one that has asked stays longer than those that have not");
    assert!(is_answered(idle.last_mut().expect("the last")).await);
}

#[tokio::test]
async fn one_that_is_being_served_is_not_closed_for_another() {
    let rig = serve(4, patient());
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut stream = rig.connect().await;
        stream.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sends");
        slow.push(stream);
    }
    let is_busy = |rig: &Rig| {
        rig.connections.lock().connections.values().filter(|it| it.in_flight.load(Ordering::Acquire) > 0).count() == 2
    };
    rig.until(is_busy).await;
    assert!(is_closed(&mut rig.connect().await).await, "there is no room, and none can be made");
    rig.gate.add_permits(2);
    for mut stream in slow {
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.expect("an answer");
        assert!(answer.ends_with(b" 200"));
    }
}

/// A stream whose peer takes so many bytes and then none, with nobody who reads from it.
fn written_to(patience: Patience) -> (tokio::io::DuplexStream, Guarded<tokio::io::DuplexStream>, Arc<Connection>) {
    let source = Source::from(std::net::IpAddr::from([192, 0, 2, 1]));
    let entered = Connections::new(4, patience).enter(source).expect("room");
    let connection = Arc::clone(&entered.connection);
    let (peer, stream) = tokio::io::duplex(16);
    (peer, Guarded::new(stream, entered), connection)
}

async fn ends(writing: tokio::task::JoinHandle<io::Error>) {
    let error = tokio::time::timeout(LONG, writing).await.expect("an end").expect("no panic");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn a_connection_that_is_closed_for_another_ends_while_it_writes() {
    let (_peer, mut stream, connection) = written_to(Patience { unread: 10 * LONG, ..patient() });
    let writing = tokio::spawn(async move { stream.write_all(&[0; 64]).await.expect_err("nobody takes it") });
    // It waits for its peer when it is closed.
    tokio::task::yield_now().await;
    connection.close();
    ends(writing).await;
}

#[tokio::test]
async fn a_peer_that_takes_a_byte_now_and_then_does_not_outlive_what_is_stuck() {
    let brief = Duration::from_millis(30);
    let patience = Patience { first: 10 * LONG, idle: 10 * LONG, stuck: brief, unread: 10 * LONG };
    let (mut peer, mut stream, connection) = written_to(patience);
    let _serving = connection.begin();
    let writing = tokio::spawn(async move {
        loop {
            if let Err(error) = stream.write_all(&[0; 64]).await {
                return error;
            }
        }
    });
    let taking = tokio::spawn(async move {
        while peer.read_u8().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    ends(writing).await;
    taking.abort();
}

#[test]
fn every_source_leaves_room_for_one_more() {
    let connections = Connections::new(12, patient());
    let source = |number: u8| Source::from(std::net::IpAddr::from([192, 0, 2, number]));
    let mut entered = Vec::new();
    for number in 1..=3 {
        for _ in 0..20 {
            entered.push(connections.enter(source(number)).expect("room is made"));
        }
    }
    let open = connections.lock();
    let counts: Vec<usize> = (1..=3).map(|number| open.of_source[&source(number)]).collect();
    drop(open);
    assert_eq!(counts, [6, 3, 2]);
    assert!(connections.enter(source(4)).is_some());
}

#[test]
fn the_limit_of_files_is_as_high_as_it_may_be() {
    let raised = raise_file_limit();
    assert_eq!(raise_file_limit(), raised);
    #[cfg(target_os = "linux")]
    {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
