//! Real OTLP requests: the whole shared set where it stands beside the checkout, else the subset of this repository.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

/// One request, in both encodings.
pub struct Fixture {
    /// `set/number`.
    pub name: String,
    /// As protobuf.
    pub protobuf: Vec<u8>,
    /// As OTLP/JSON.
    pub json: Vec<u8>,
}

impl Fixture {
    /// The message.
    pub fn message(&self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(self.protobuf.as_slice()).expect("a fixture is a message")
    }
}

/// The folder of the fixtures. In CI the shared set is there; missing is failing.
pub fn folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = root.join("../shared/conformance/05-otlp/fixtures");
    if shared.is_dir() {
        return shared;
    }
    assert!(std::env::var_os("CI").is_none(), "CI runs with ../shared beside the checkout");
    root.join("tests/fixtures/otlp")
}

/// Every fixture, in order of name.
pub fn fixtures() -> Vec<Fixture> {
    let mut found = Vec::new();
    let read_dir =
        |path: &Path| std::fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").path());
    for set in read_dir(&folder()).filter(|path| path.is_dir()) {
        // `NNNN.pb`, `NNNN.as.json` and so on are one request.
        let bases: BTreeSet<String> = read_dir(&set)
            .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
            .filter_map(|name| Some(set.join(name.split_once('.')?.0).to_string_lossy().into_owned()))
            .collect();
        for base in bases {
            let either = |own: &str, other: &str| {
                std::fs::read(format!("{base}.{own}")).or_else(|_| std::fs::read(format!("{base}.{other}"))).ok()
            };
            // The subset has some requests in one encoding only, for the demo.
            let (Some(protobuf), Some(json)) = (either("pb", "as.pb"), either("json", "as.json")) else { continue };
            let name = format!(
                "{}/{}",
                set.file_name().expect("a name").display(),
                Path::new(&base).file_name().expect("a name").display()
            );
            found.push(Fixture { name, protobuf, json });
        }
    }
    found.sort_by(|left, right| left.name.cmp(&right.name));
    assert!(found.len() >= 100, "only {} fixtures in {}", found.len(), folder().display());
    found
}
