//! What the server wrote about itself.

use sea_orm::Value;

use super::Store;
use super::convert::{Columns, column_list, decode};
use super::scoped::scoped_statement;
use super::unread::Unread;
use crate::domain::ids::TenantId;
use crate::domain::system::SystemRecord;
use crate::domain::vocabulary::{SystemComponent, SystemEventType};
use crate::entity::system_record;
use crate::error::Result;

impl Store {
    /// The newest start or stop of an instance of the server.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn last_start_or_stop(&self, instance_id: &str) -> Result<Unread<Option<SystemRecord>>> {
        let platform = TenantId::platform();
        let sql = format!(
            "SELECT {} FROM system_record s WHERE s.tenant_id = $1 AND s.component = $2 AND s.event_type IN ($3, $4) \
             AND s.service_instance_id = $5 AND s.source_component = 'server' ORDER BY s.seq DESC LIMIT 1",
            column_list::<system_record::Entity>("s")
        );
        let words = [
            SystemComponent::Api.as_str(),
            SystemEventType::Startup.as_str(),
            SystemEventType::Shutdown.as_str(),
            instance_id,
        ];
        let values = words.map(Value::from);
        let rows = self.db().rows(scoped_statement(self.db(), &platform, sql, values)).await?;
        let Some(row) = rows.first() else { return Ok(Unread(None)) };
        Ok(Unread(Some(decode(&mut Columns::of(row, "system_record")?, &platform)?.record)))
    }
}
