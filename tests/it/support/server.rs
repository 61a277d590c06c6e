//! The real binary as a process that serves.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longer than any step of a test with it takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A server process; killed if a test gives up on it.
pub struct Server {
    pub process: Child,
    pub address: String,
}

impl Server {
    /// Starts it in a folder and reads its address from the line that has `mark` in front of it.
    pub fn start(folder: &Path, arguments: &[&str], mark: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runledger"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RUNLEDGER_")) {
            command.env_remove(name);
        }
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--otlp-grpc-listen", ""])
            .args(arguments)
            .current_dir(folder);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let (sender, lines) = mpsc::channel();
        listen(process.stdout.take().expect("a pipe"), sender.clone());
        listen(process.stderr.take().expect("a pipe"), sender);
        let mut server = Self { process, address: String::new() };
        let mut said = Vec::new();
        while server.address.is_empty() {
            let line = lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it does not serve: {said:#?}"));
            if let Some((_, rest)) = line.split_once(mark) {
                server.address = rest.split(['/', ' ']).next().unwrap_or_default().to_owned();
            }
            said.push(line);
        }
        server
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(mut self) -> ExitStatus {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait().expect("a status") {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn query(&self, query: &str, variables: &Value) -> Value {
        self.query_within_limits(query, variables).expect("a query within the limits")
    }

    /// `None` where the document is dearer than the server takes.
    pub fn query_within_limits(&self, query: &str, variables: &Value) -> Option<Value> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let (status, text) = post(&self.address, "/graphql", &body).expect("an answer");
        assert_eq!(status, 200, "{text}");
        let mut answer: Value = serde_json::from_str(&text).expect("JSON");
        if answer["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED" {
            return None;
        }
        assert!(answer.get("errors").is_none(), "{answer}");
        Some(answer["data"].take())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ended already, unless the test failed.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Reads a pipe to its end, so that the process never waits for a reader.
fn listen(pipe: impl Read + Send + 'static, lines: mpsc::Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            drop(lines.send(line));
        }
    });
}

/// One request over a connection of its own; the status and the body. HTTP/1.0, so that the body ends with the connection.
pub fn post(address: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let broken = || std::io::Error::other(format!("no answer: {answer:?}"));
    let (head, text) = answer.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
    Ok((status, text.to_owned()))
}
