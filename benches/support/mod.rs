//! A closed-loop HTTP/1.1 client that costs next to nothing, and the statistics of its rounds.

pub mod open;
pub mod server;

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What one round measured.
pub struct Round {
    /// Answers a second.
    pub rate: f64,
    /// Latencies in milliseconds, ascending.
    pub latencies: Vec<f64>,
}

impl Round {
    /// The latency below which this share of the answers lies, in milliseconds.
    pub fn percentile(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index"
        )]
        let place = (last as f64 * share).round() as usize;
        self.latencies.get(place).copied().unwrap_or(f64::NAN)
    }
}

/// The bytes of a POST of JSON.
pub fn post(path: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\naccept: application/json\r\n\
         authorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One request on an open connection: the status and the body.
pub async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> std::io::Result<(u16, usize)> {
    stream.write_all(request).await?;
    buffer.clear();
    loop {
        let read = stream.read_buf(buffer).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(answer) = complete(buffer) {
            return Ok(answer);
        }
    }
}

/// Status and body length of a complete answer. The server sends `content-length` for these answers, or chunks.
fn complete(buffer: &[u8]) -> Option<(u16, usize)> {
    let head_end = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&buffer[..head_end]).ok()?.to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    let length: usize = length.trim().parse().ok()?;
    (buffer.len() >= head_end + length).then_some((status, length))
}

/// `connections` clients that each send the next request when the last is answered, for `time`.
pub async fn round(address: std::net::SocketAddr, request: &[u8], connections: usize, time: Duration) -> Round {
    let begun = Instant::now();
    let clients = (0..connections).map(|_| {
        let request = request.to_vec();
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.expect("the server listens");
            stream.set_nodelay(true).expect("a socket");
            let mut buffer = Vec::with_capacity(256 * 1024);
            let mut latencies = Vec::new();
            while begun.elapsed() < time {
                let sent = Instant::now();
                let (status, length) = exchange(&mut stream, &request, &mut buffer).await.expect("an answer");
                assert!(status == 200 && length > 50, "status {status}, {length} bytes");
                latencies.push(sent.elapsed().as_secs_f64() * 1_000.0);
            }
            latencies
        })
    });
    let mut latencies = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        latencies.extend(client.await.expect("a client"));
    }
    latencies.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    let rate = latencies.len() as f64 / begun.elapsed().as_secs_f64();
    Round { rate, latencies }
}

/// The middle of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
