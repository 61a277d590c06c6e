//! Rows of logs and tenants that do not exist.

use sea_orm::Value;

use super::super::convert::Columns;
use super::super::database::Database;
use super::super::scoped::{EveryTenant, every_tenant, scoped_statement};
use super::records::Table;
use crate::domain::ids::TenantId;
use crate::domain::ledger::LogName;
use crate::domain::verification::{Anomaly, AnomalyKind};
use crate::domain::vocabulary::Stream;
use crate::error::Result;

/// Logs of one table that are looked at.
const FOUND_MAX: usize = 1_000;

/// Rows whose log or tenant has no log. Walks the beginnings of indexes: its cost is that of the number of tenants.
pub(super) async fn check(db: &Database) -> Result<Vec<Anomaly>> {
    let mut findings = Vec::new();
    for table in ["ledger_entry", "ledger_node", "ledger_checkpoint"] {
        let mut after: Option<LogName> = None;
        while let Some(log) = next_log(db, table, after.as_ref()).await? {
            let sql = "SELECT 1 FROM ledger_log WHERE tenant_id = $1 AND log_id = $2".to_owned();
            if db.rows(scoped_statement(db, &log.tenant, sql, [log.log_id.into()])).await?.is_empty() {
                let LogName { tenant, log_id } = &log;
                let detail = format!("rows of {table} belong to the log {log_id} of {tenant}, which does not exist");
                findings.push(Anomaly::new(AnomalyKind::Inserted, detail).field(table));
            }
            after = Some(log);
            if findings.len() > FOUND_MAX {
                return Ok(findings);
            }
        }
    }
    for table in Table::ALL.iter().map(|table| table.name()).chain(["payload", "llm_run_tag"]) {
        let mut after: Option<String> = None;
        while let Some(tenant) = next_tenant(db, table, after.as_deref()).await? {
            let sql = "SELECT 1 FROM ledger_log WHERE tenant_id = $1 LIMIT 1".to_owned();
            if db.rows(scoped_statement(db, &TenantId::trusted(tenant.as_str()), sql, [])).await?.is_empty() {
                let detail = format!("rows of {table} belong to the tenant {tenant:?}, which has no log");
                findings.push(Anomaly::new(AnomalyKind::Inserted, detail).field(table));
            }
            after = Some(tenant);
            if findings.len() > FOUND_MAX {
                return Ok(findings);
            }
        }
    }
    Ok(findings)
}

/// Records of a tenant in a log that does not exist.
pub(super) async fn unlogged(db: &Database, tenant: &TenantId, stream: Stream) -> Result<Vec<Anomaly>> {
    let mut findings = Vec::new();
    for table in Table::ALL.iter().copied() {
        let Some(condition) = table.condition(stream) else { continue };
        let sql = format!("SELECT 1 FROM {} WHERE tenant_id = $1{condition} LIMIT 1", table.name());
        if !db.rows(scoped_statement(db, tenant, sql, [])).await?.is_empty() {
            let detail = format!("there are rows of {}, but the {} log is gone", table.name(), stream.as_str());
            findings.push(Anomaly::new(AnomalyKind::Deleted, detail).field("ledger_log"));
        }
    }
    Ok(findings)
}

// MIN of a UUID is not known to every PostgreSQL: the first row in order is.
async fn next_log(db: &Database, table: &str, after: Option<&LogName>) -> Result<Option<LogName>> {
    let (condition, values) = match after {
        None => ("", Vec::new()),
        Some(LogName { tenant, log_id }) => {
            ("WHERE (tenant_id, log_id) > ($1, $2)", vec![tenant.as_str().into(), Value::from(*log_id)])
        }
    };
    let sql = format!("SELECT tenant_id, log_id FROM {table} {condition} ORDER BY tenant_id, log_id LIMIT 1");
    let rows = db.rows(every_tenant(db, EveryTenant::Strays, &sql, values)).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let mut columns = Columns::of(row, "ledger_log")?;
    let tenant = TenantId::trusted(columns.take::<&str>()?);
    // On SQLite a log id may be any bytes by now: what does not read is in no log either.
    Ok(columns.take().ok().map(|log_id| LogName { tenant, log_id }))
}

async fn next_tenant(db: &Database, table: &str, after: Option<&str>) -> Result<Option<String>> {
    let (condition, values) = match after {
        None => ("", Vec::new()),
        Some(after) => ("WHERE tenant_id > $1", vec![Value::from(after)]),
    };
    let sql = format!("SELECT tenant_id FROM {table} {condition} ORDER BY tenant_id LIMIT 1");
    let rows = db.rows(every_tenant(db, EveryTenant::Strays, &sql, values)).await?;
    rows.first().map(|row| Columns::of(row, "ledger_log")?.take()).transpose()
}
