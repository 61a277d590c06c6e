//! `runledger verify database`: every log of a database, read without a server and without changing anything in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use super::receipts::{self, Receipts};
use super::{Outcome, printable, told};
use crate::app::{AppError, require_file};
use crate::clock::{SharedClock, SystemClock};
use crate::config::BaseSettings;
use crate::domain::ids::TenantId;
use crate::domain::verification::{Anomaly, Verification, VerificationMode, VerificationStatus};
use crate::domain::vocabulary::Stream;
use crate::facade::verify::look::{Look, Looker};
use crate::facade::verify::trusted::{TrustedFile, TrustedLog};
use crate::ledger::note::NoteKey;
use crate::ledger::verify::originals::Original;
use crate::store::Store;

/// Connections to PostgreSQL: a few stretches are read beside each other.
const POOL_SIZE: u32 = 4;

/// Check a database: that every record is what was acknowledged, at its place, under what was signed.
///
/// Needs no server. The database is only read; it is not migrated. Without --full it begins where the last verification from
/// this data folder ended (DATA_DIR/trusted.json), and says so. What is found VALID is remembered there.
///
/// With --receipt the database is also compared with what receipts prove that it held: of a record that was altered each
/// column is named, and a log that was set back, cut off or written anew is found although it agrees with itself. A receipt
/// is first checked by itself, as `runledger verify receipt` does; one that does not verify is named and not used. A log
/// that has receipts is gone through from its first entry.
///
/// Exit status: 0 valid; 1 invalid; 2 unknown (there is nothing, the check broke off, or a receipt could not be used).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  runledger verify database --full
  runledger verify database --tenant acme --database-url postgres://auditor@db/runledger
  runledger verify database --full --data-dir /mnt/audit      remembers what was verified there
  runledger verify database --receipt run.tlog-proof --receipt /mnt/receipts --key \"$VKEY\"")]
pub(in crate::cli) struct DatabaseArgs {
    /// Only this tenant's logs; every tenant's and the log of logs, when absent.
    #[arg(long, value_parser = parse_tenant)]
    tenant: Option<TenantId>,
    /// From the first entry, whatever was verified before.
    #[arg(long)]
    full: bool,
    /// A receipt to compare with, or a folder: every *.tlog-proof file in it. Give it once for each; at most 1,000 receipts
    /// of 4 MiB each and 64 MiB together.
    #[arg(long = "receipt", value_name = "FILE")]
    receipts: Vec<PathBuf>,
    /// A verifier key that may have signed them, beside those that the database has: name+hash+base64, as `runledger keys
    /// ledger show` prints it. Whoever altered the database may have altered its keys.
    #[arg(long = "key", value_name = "VKEY", requires = "receipts", value_parser = super::KeyParser)]
    keys: Vec<NoteKey>,
    #[command(flatten)]
    base: BaseSettings,
}

fn parse_tenant(text: &str) -> Result<TenantId, String> {
    TenantId::parse(text).map_err(|error| error.message().to_owned())
}

/// What came out of the logs, and of the receipts.
struct Verified {
    looks: Vec<Look>,
    receipts: Receipts,
}

pub(super) async fn run(args: &DatabaseArgs) -> Outcome {
    match verify(args).await {
        Ok(verified) => {
            let (of_logs, tenant) = (outcome(&verified.looks), args.tenant.as_ref());
            let of_all = verified.receipts.outcome(of_logs);
            let mut text = format!("{}{}", verified.receipts.report(), report(&verified.looks, tenant));
            if of_all != of_logs {
                text.push_str("UNKNOWN: a receipt was not used, so what it would show is not known\n");
            }
            told(of_all, text.trim_end_matches('\n'))
        }
        Err(error) => told(Outcome::Unknown, format_args!("UNKNOWN: {error}; nothing was shown")),
    }
}

async fn verify(args: &DatabaseArgs) -> Result<Verified, AppError> {
    crate::cli::init_logs(&args.base)?;
    let files = receipts::files(&args.receipts)?;
    let file = TrustedFile::in_folder(&args.base.data_dir);
    let trusted = file.load()?;
    let clock: SharedClock = Arc::new(SystemClock);
    let pool = if args.base.pool_size == 0 { POOL_SIZE } else { args.base.pool_size };
    require_file(&args.base)?;
    let store = Store::open_reader(args.base.database_url.expose(), pool, Arc::clone(&clock)).await?;
    let verified = async {
        let mut receipts = Receipts::read(&files, &args.keys, args.tenant.as_ref(), &store.note_keys().await?)?;
        let originals = std::mem::take(&mut receipts.originals);
        let looks = look(args, store.clone(), clock, trusted, originals).await?;
        Ok(Verified { looks, receipts })
    };
    let verified: Result<Verified, AppError> = verified.await;
    store.close().await;
    let verified = verified?;
    let trusted: Vec<TrustedLog> = verified.looks.iter().filter_map(Look::trusted).collect();
    if let Err(error) = file.advance(&trusted) {
        eprintln!("note: what was verified is not remembered: {}", AppError::from(error));
    }
    Ok(verified)
}

async fn look(
    args: &DatabaseArgs,
    store: Store,
    clock: SharedClock,
    trusted: BTreeMap<uuid::Uuid, TrustedLog>,
    originals: Vec<Original>,
) -> Result<Vec<Look>, AppError> {
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} entries, {per_sec}, {eta}");
    bar.set_style(style.map_err(|error| AppError::new(error.to_string()))?);
    let shown = bar.clone();
    let progress = Arc::new(move |done: i64, of: i64| {
        shown.set_length(of.unsigned_abs());
        shown.set_position(done.unsigned_abs());
    });
    let mode = if args.full { VerificationMode::Full } else { VerificationMode::Incremental };
    let looker = Looker { store, clock, trusted, mode, originals, progress };
    let looks = match &args.tenant {
        Some(tenant) => looker.tenant(tenant).await,
        None => looker.database().await,
    };
    bar.finish_and_clear();
    Ok(looks?)
}

/// Logs that are empty say nothing; where no log says anything, nothing was shown.
fn outcome(looks: &[Look]) -> Outcome {
    let any = |wanted: &dyn Fn(&Verification) -> bool| looks.iter().any(|look| wanted(&look.verification));
    let is_broken = |one: &Verification| one.status == VerificationStatus::Unknown && one.size > 0;
    if any(&|one| one.status == VerificationStatus::Invalid) {
        Outcome::Invalid
    } else if any(&is_broken) || !any(&|one| one.status == VerificationStatus::Valid) {
        Outcome::Unknown
    } else {
        Outcome::Valid
    }
}

fn report(looks: &[Look], tenant: Option<&TenantId>) -> String {
    let mut text = String::new();
    for look in looks {
        // Writing to a string does not fail.
        let _ = write_look(&mut text, look);
    }
    if looks.is_empty() {
        let missing = tenant.map_or_else(
            || "there is no log in this database".to_owned(),
            |tenant| {
                let tenant = printable(tenant.as_str());
                format!(
                    "tenant {tenant} has no log in this database; without --tenant every tenant's logs are looked at"
                )
            },
        );
        let _ = writeln!(text, "UNKNOWN: {missing}; nothing was shown");
    }
    text
}

fn write_look(text: &mut String, look: &Look) -> std::fmt::Result {
    let one = &look.verification;
    let stream = one.stream.map_or("unreadable", Stream::as_str);
    let log = format!("{} log of {} ({})", stream, printable(one.tenant_id.as_str()), one.log_id.simple());
    write!(text, "{}: {log}: {} entries", one.status.as_str(), one.entry_count)?;
    if one.from_size > 0 {
        write!(text, " behind {}, up to which it was verified before", one.from_size)?;
    }
    write!(text, ", {} payloads, {} erased", one.payload_count, one.erased_count)?;
    if one.anomaly_count + one.warning_count > 0 {
        write!(text, ", {} anomalies, {} warnings", one.anomaly_count, one.warning_count)?;
    }
    if let Some(reason) = &one.reason {
        write!(text, ": {}", printable(reason))?;
    }
    writeln!(text)?;
    if let Some(root) = one.root {
        writeln!(text, "  size {}, root {}", one.size, root.to_hex())?;
    }
    look.findings.iter().try_for_each(|finding| write_finding(text, finding))
}

fn write_finding(text: &mut String, finding: &Anomaly) -> std::fmt::Result {
    writeln!(text, "  {}", printable(&finding.to_string()))
}
