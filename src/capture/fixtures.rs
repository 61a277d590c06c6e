//! The OTLP fixtures, for tests: all of them where they are at hand, else the part that the repository holds.

use std::path::{Path, PathBuf};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

use super::otlp::{decode_json, decode_protobuf};

/// One request, in both encodings.
pub(super) struct Fixture {
    /// `openai-v2/0001`.
    pub(super) name: String,
    pub(super) protobuf: Vec<u8>,
    pub(super) json: Vec<u8>,
}

impl Fixture {
    pub(super) fn request(&self) -> ExportTraceServiceRequest {
        decode_protobuf(&self.protobuf).expect("protobuf")
    }

    pub(super) fn request_from_json(&self) -> ExportTraceServiceRequest {
        decode_json(&self.json).expect("JSON")
    }

    /// The part of the name before the slash.
    pub(super) fn set(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }
}

/// Every fixture, ordered by name. `OTLP_FIXTURES` names their folder; otherwise it is looked for beside the repository. In CI
/// the whole set has to be there.
pub(super) fn all() -> Vec<Fixture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let whole = std::env::var_os("OTLP_FIXTURES")
        .map_or_else(|| root.join("../shared/conformance/05-otlp/fixtures"), PathBuf::from);
    let folder = if whole.is_dir() {
        whole
    } else {
        assert!(std::env::var_os("CI").is_none(), "CI runs on all fixtures; {} is missing", whole.display());
        root.join("tests/fixtures/otlp")
    };
    let mut fixtures: Vec<Fixture> =
        entries(&folder).filter(|path| path.is_dir()).flat_map(|set| read(&folder, &set)).collect();
    fixtures.sort_by(|left, right| left.name.cmp(&right.name));
    assert!(fixtures.len() >= 100, "only {} fixtures in {}", fixtures.len(), folder.display());
    fixtures
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path())
}

fn read(folder: &Path, set: &Path) -> Vec<Fixture> {
    let native = |path: &PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let base = name.strip_suffix(".pb").or_else(|| name.strip_suffix(".json"))?;
        (!base.contains('.')).then(|| path.with_file_name(base))
    };
    entries(set)
        .filter_map(|path| native(&path))
        .map(|base| {
            let bytes = |native: &str, other: &str| {
                std::fs::read(base.with_extension(native)).or_else(|_| std::fs::read(base.with_extension(other)))
            };
            Fixture {
                name: base.strip_prefix(folder).expect("below the folder").to_string_lossy().into_owned(),
                protobuf: bytes("pb", "as.pb").expect("protobuf"),
                json: bytes("json", "as.json").expect("JSON"),
            }
        })
        .collect()
}
