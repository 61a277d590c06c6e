//! `runledger verify`: whether evidence is what it says, without trusting a server.

mod database;
mod receipts;

use std::ffi::OsStr;
use std::fmt::{Display, Write as _};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Subcommand};

use super::said::say;
use crate::ledger::note::NoteKey;
use crate::ledger::receipt::{Proven, RECEIPT_BYTES_MAX, Receipt, ReceiptError};

/// Check evidence without trusting a server: exit status 0 is valid, 1 is invalid, 2 is unknown.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Database(Box<database::DatabaseArgs>),
    Receipt(ReceiptArgs),
}

/// Check a receipt: that the record in it is in the log, at its place, under a checkpoint that the key has signed.
///
/// Needs no server and no network. Exit status: 0 valid; 1 invalid (changed, malformed, of another log); 2 unknown (the
/// file cannot be read, or none of the keys has signed it).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  runledger verify receipt run.tlog-proof --key example.com/log+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k
  runledger verify receipt run.tlog-proof --key \"$VKEY\" --origin example.com/log/01970000-0000-7000-8000-000000000001
  runledger verify receipt - --key \"$VKEY\" < run.tlog-proof")]
struct ReceiptArgs {
    /// The receipt; - reads standard input.
    file: PathBuf,
    /// The verifier key of the log: name+hash+base64, as `runledger keys ledger show` prints it. Give it once for each key
    /// that may have signed.
    #[arg(long = "key", value_name = "VKEY", required = true, value_parser = KeyParser)]
    keys: Vec<NoteKey>,
    /// The log that it must be of; any log that the key signs, when absent.
    #[arg(long)]
    origin: Option<String>,
}

/// What came out, as the exit status says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Valid = 0,
    Invalid = 1,
    Unknown = 2,
}

pub(super) async fn run(args: &VerifyArgs) -> ExitCode {
    let outcome = match &args.what {
        What::Database(args) => database::run(args).await,
        What::Receipt(args) => {
            let (outcome, report) = verify_receipt(args, io::stdin());
            told(outcome, report)
        }
    };
    ExitCode::from(outcome as u8)
}

/// An outcome that was told; one that nobody can be told of is unknown.
fn told(outcome: Outcome, report: impl Display) -> Outcome {
    match say(report) {
        Ok(()) => outcome,
        Err(error) => {
            eprintln!("error: {error}");
            Outcome::Unknown
        }
    }
}

/// Reads a verifier key. What is none is never shown: it may be the key that signs, given by mistake.
#[derive(Clone, Copy, Debug)]
struct KeyParser;

impl TypedValueParser for KeyParser {
    type Value = NoteKey;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<NoteKey, clap::Error> {
        let refuse = |message: &str| command.clone().error(ErrorKind::ValueValidation, message);
        let text = value.to_str().unwrap_or_default().trim();
        let error = match NoteKey::parse(text) {
            Ok(key) => return Ok(key),
            Err(error) => error,
        };
        if text.to_ascii_uppercase().starts_with("PRIVATE") {
            return Err(refuse(
                "--key was given a key that signs, which nobody but the server may have. It was not used and is not shown \
                 here, but your shell's history may have it by now. Give the public one: runledger keys ledger show prints it",
            ));
        }
        if Path::new(text).is_file() {
            return Err(refuse(
                "--key was given the name of a file; it takes the verifier key itself, name+hash+base64, as runledger keys \
                 ledger show prints it",
            ));
        }
        Err(refuse(&format!("--key: {error}; runledger keys ledger show prints it")))
    }
}

fn verify_receipt(args: &ReceiptArgs, input: impl Read) -> (Outcome, String) {
    let bytes = match read(&args.file, input) {
        Ok(bytes) => bytes,
        Err(error) => return (Outcome::Unknown, format!("UNKNOWN: {} cannot be read: {error}", args.file.display())),
    };
    match prove(bytes, &args.keys, args.origin.as_deref()) {
        Ok(proven) => (Outcome::Valid, report(&proven)),
        Err(error) => refusal(&error, &args.keys),
    }
}

/// Why a receipt proves nothing, and whose signatures it has.
#[derive(Debug)]
struct Unproven {
    error: ReceiptError,
    signers: Vec<String>,
}

/// What a receipt's bytes prove by themselves.
fn prove(bytes: Vec<u8>, keys: &[NoteKey], origin: Option<&str>) -> Result<Proven, Unproven> {
    let malformed = |error| Unproven { error, signers: Vec::new() };
    let text = String::from_utf8(bytes).map_err(|_| malformed(ReceiptError::Malformed("it is not UTF-8 text")))?;
    let receipt = Receipt::parse(&text).map_err(malformed)?;
    let signers = receipt.signers();
    receipt.verify(keys, origin).map_err(|error| Unproven { error, signers })
}

/// What is said of a receipt that proves nothing.
fn refusal(Unproven { error, signers }: &Unproven, keys: &[NoteKey]) -> (Outcome, String) {
    if !error.is_unknown() {
        return (Outcome::Invalid, printable(&format!("INVALID: {error}")));
    }
    let names: Vec<String> = keys.iter().map(|key| format!("{} {}", key.name(), key.id_hex())).collect();
    let (signed, known) = (listed(signers), listed(&names));
    let text = format!("UNKNOWN: {error}: it is signed by {signed}, and what was given to verify with is {known}");
    (Outcome::Unknown, text + "; nothing was shown")
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { printable(&names.join(", ")) }
}

/// Reads no more than a receipt may have, and the one byte that shows it has more.
fn read(file: &Path, input: impl Read) -> io::Result<Vec<u8>> {
    let limit = RECEIPT_BYTES_MAX as u64 + 1;
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        input.take(limit).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(file)?.take(limit).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn report(proven: &Proven) -> String {
    let Proven { leaf, leaf_hash, index, checkpoint, signer, .. } = proven;
    let mut text = format!("VALID: this record is entry {index} of {}\n", printable(&checkpoint.origin));
    for (name, value) in [
        ("leaf hash", leaf_hash.to_hex()),
        ("log size", checkpoint.size.to_string()),
        ("log root", checkpoint.root.to_hex()),
        ("signed by", signer.clone()),
    ] {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {name}: {value}");
    }
    text + &printable(&String::from_utf8_lossy(leaf))
}

/// Text that a terminal does not take for commands. In JSON it still means the same.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::checkpoint::Checkpoint;
    use crate::ledger::note::NoteSigner;
    use crate::ledger::tree::leaf_hash;

    fn signer(secret: u8) -> NoteSigner {
        NoteSigner::new("example.com/log", &[secret; 32]).expect("signer")
    }

    fn receipt() -> String {
        let leaf = "{\"name\":\"\u{9b}31m\",\"v\":1}".as_bytes().to_vec();
        let checkpoint = Checkpoint { origin: "example.com/log/one".to_owned(), size: 1, root: leaf_hash(&leaf) };
        let checkpoint = checkpoint.sign(&signer(7)).expect("note");
        Receipt { leaf, index: 0, proof: Vec::new(), checkpoint }.to_text()
    }

    fn verify(text: &str, secret: u8, origin: Option<&str>) -> (Outcome, String) {
        let args = ReceiptArgs {
            file: PathBuf::from("-"),
            keys: vec![signer(secret).key().clone()],
            origin: origin.map(str::to_owned),
        };
        verify_receipt(&args, text.as_bytes())
    }

    #[test]
    fn a_valid_receipt_says_what_it_proves() {
        let (outcome, report) = verify(&receipt(), 7, Some("example.com/log/one"));
        assert_eq!(outcome, Outcome::Valid);
        assert!(report.starts_with("VALID: this record is entry 0 of example.com/log/one\n"), "{report}");
        assert!(report.ends_with("\n{\"name\":\"\\u009b31m\",\"v\":1}"), "{report}");
    }

    #[test]
    fn what_is_wrong_is_invalid() {
        let text = receipt();
        let too_long = "x".repeat(RECEIPT_BYTES_MAX + 1);
        for wrong in ["", &text[1..], &text.replace("index 0", "index 1"), &text.replace("\n1\n", "\n2\n"), &too_long] {
            let (outcome, report) = verify(wrong, 7, None);
            assert_eq!(outcome, Outcome::Invalid);
            assert!(report.starts_with("INVALID: "), "{report}");
        }
        assert_eq!(verify(&text, 7, Some("example.com/log/two")).0, Outcome::Invalid);
    }

    #[test]
    fn a_receipt_whose_bytes_an_editor_has_changed_says_so() {
        let bom = format!("\u{feff}{}", receipt());
        for (text, what) in [(receipt().replace('\n', "\r\n"), "CRLF"), (bom, "byte order mark")] {
            let (outcome, report) = verify(&text, 7, None);
            assert_eq!(outcome, Outcome::Invalid);
            assert!(report.contains(what) && report.contains("bytes are signed"), "{report}");
        }
    }

    #[test]
    fn what_is_no_receipt_is_named_and_never_shown() {
        let key = crate::ledger::note_secret::to_text("example.com/log", &[7; 32]).expect("a key");
        let json = serde_json::to_string(&receipt()).expect("text");
        let (blank_end, blank_begin) = (format!("{}\n", receipt()), format!("\n{}", receipt()));
        let blank_middle = receipt().replacen("\n\n", "\n\n\n", 1);
        for (text, said) in [
            (&key, "a key that signs"),
            (&json, "it is JSON"),
            (&format!("{{\"receipt\":{json}}}"), "it is JSON"),
            (&blank_end, "an empty line too many"),
            (&blank_middle, "an empty line too many"),
            (&blank_begin, "empty lines stand before it"),
        ] {
            let (outcome, report) = verify(text, 7, None);
            assert_eq!(outcome, Outcome::Invalid, "{report}");
            assert!(report.starts_with("INVALID: ") && report.contains(said), "{report}");
            assert!(!report.contains(key.trim().rsplit('+').next().expect("a part")), "{report}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_refused_and_never_shown() {
        let secret = crate::ledger::note_secret::to_text("example.com/log", &[7; 32]).expect("a key");
        let bare = secret.trim().trim_start_matches("PRIVATE+KEY+").to_owned();
        let lower = secret.replace("PRIVATE", "private");
        let file = tempfile::NamedTempFile::new().expect("file");
        let path = file.path().to_str().expect("UTF-8").to_owned();
        for (given, said) in [
            (secret.trim(), "a key that signs"),
            (&secret, "a key that signs"),
            (&lower, "a key that signs"),
            (&bare, "not a verifier key"),
            (&path, "the name of a file"),
            ("hunter2", "not a verifier key"),
        ] {
            for words in
                [["verify", "receipt", "-", "--key", given], ["verify", "database", "--receipt=x", "--key", given]]
            {
                let words = ["runledger"].iter().chain(&words).map(std::ffi::OsString::from).collect::<Vec<_>>();
                let Err(crate::cli::Refusal::Usage(error)) = crate::cli::parse(&words) else { panic!("taken") };
                let text = error.to_string();
                assert!(text.contains(said) && text.contains("keys ledger show"), "{text}");
                assert!(!text.contains(given) && !text.contains(&bare[bare.len() - 40..]), "{text}");
            }
        }
        let words = ["runledger", "verify", "receipt", "-", "--key", &signer(7).key().vkey()];
        crate::cli::parse(&words.map(std::ffi::OsString::from)).expect("the public key is taken");
    }

    #[test]
    fn what_cannot_be_told_is_unknown() {
        let (outcome, report) = verify(&receipt(), 8, None);
        assert_eq!(outcome, Outcome::Unknown);
        let (given, signed) = (signer(8).key().id_hex(), signer(7).key().id_hex());
        assert!(report.contains(&format!("signed by example.com/log {signed},")), "{report}");
        assert!(report.contains(&format!("verify with is example.com/log {given};")), "{report}");
        let args = ReceiptArgs { file: PathBuf::from("no/such/file"), keys: Vec::new(), origin: None };
        assert_eq!(verify_receipt(&args, io::empty()).0, Outcome::Unknown);
    }
}
