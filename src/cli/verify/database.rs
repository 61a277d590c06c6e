//! `runledger verify database`: every log of a database, read without a server and without changing anything in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use super::{Outcome, printable};
use crate::app::AppError;
use crate::clock::{SharedClock, SystemClock};
use crate::config::BaseSettings;
use crate::domain::ids::TenantId;
use crate::domain::verification::{Anomaly, Verification, VerificationMode, VerificationStatus};
use crate::domain::vocabulary::Stream;
use crate::facade::verify::look::{Look, Looker};
use crate::facade::verify::trusted::{TrustedFile, TrustedLog};
use crate::store::Store;

/// Connections to PostgreSQL: a few stretches are read beside each other.
const POOL_SIZE: u32 = 4;

/// Check a database: that every record is what was acknowledged, at its place, under what was signed.
///
/// Needs no server. The database is only read; it is not migrated. Without --full it begins where the last verification from
/// this data folder ended (DATA_DIR/trusted.json), and says so. What is found VALID is remembered there. Exit status: 0
/// valid; 1 invalid; 2 unknown (there is nothing, or the check broke off).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  runledger verify database --full
  runledger verify database --tenant acme --database-url postgres://auditor@db/runledger
  runledger verify database --full --data-dir /mnt/audit      remembers what was verified there")]
pub(in crate::cli) struct DatabaseArgs {
    /// Only this tenant's logs; every tenant's and the log of logs, when absent.
    #[arg(long, value_parser = parse_tenant)]
    tenant: Option<TenantId>,
    /// From the first entry, whatever was verified before.
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    base: BaseSettings,
}

fn parse_tenant(text: &str) -> Result<TenantId, String> {
    TenantId::parse(text).map_err(|error| error.message().to_owned())
}

pub(super) async fn run(args: &DatabaseArgs) -> Outcome {
    match verify(args).await {
        Ok(looks) => {
            print!("{}", report(&looks));
            outcome(&looks)
        }
        Err(error) => {
            println!("UNKNOWN: {error}; nothing was shown");
            Outcome::Unknown
        }
    }
}

async fn verify(args: &DatabaseArgs) -> Result<Vec<Look>, AppError> {
    crate::cli::init_logs(&args.base)?;
    let file = TrustedFile::in_folder(&args.base.data_dir);
    let trusted = file.load()?;
    let clock: SharedClock = Arc::new(SystemClock);
    let pool = if args.base.pool_size == 0 { POOL_SIZE } else { args.base.pool_size };
    let store = Store::open_reader(args.base.database_url.expose(), pool, Arc::clone(&clock)).await?;
    let looks = look(args, store.clone(), clock, trusted).await;
    store.close().await;
    let looks = looks?;
    let trusted: Vec<TrustedLog> = looks.iter().filter_map(Look::trusted).collect();
    if let Err(error) = file.advance(&trusted) {
        eprintln!("note: what was verified is not remembered: {}", AppError::from(error));
    }
    Ok(looks)
}

async fn look(
    args: &DatabaseArgs,
    store: Store,
    clock: SharedClock,
    trusted: BTreeMap<uuid::Uuid, TrustedLog>,
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
    let looker = Looker { store, clock, trusted, mode, progress };
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

fn report(looks: &[Look]) -> String {
    let mut text = String::new();
    for look in looks {
        // Writing to a string does not fail.
        let _ = write_look(&mut text, look);
    }
    if looks.is_empty() {
        text.push_str("UNKNOWN: there is no log; nothing was shown\n");
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
    write!(text, "  {}", finding.kind.as_str())?;
    match (finding.seq, finding.seq_end) {
        (Some(from), Some(to)) => write!(text, " at {from}..{to}")?,
        (Some(from), None) => write!(text, " at {from}")?,
        _ => {}
    }
    if let Some(kind) = finding.record_kind {
        write!(text, " {}", kind.as_str())?;
    }
    if let Some(id) = finding.record_id {
        write!(text, " {id}")?;
    }
    if let Some(field) = &finding.field {
        write!(text, " [{}]", printable(field))?;
    }
    writeln!(text, ": {}", printable(&finding.detail))
}
