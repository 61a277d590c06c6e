//! Logs as tiles: what tools of transparency logs read. A tenant sees its own logs, and of the platform's log of logs the
//! checkpoint and the hashes: its entries name the logs of other tenants.

use uuid::Uuid;

use super::LogsFacade;
use crate::domain::checkpoint::SignedCheckpoint;
use crate::domain::ids::TenantId;
use crate::domain::ledger::LedgerLog;
use crate::domain::scope::Permission;
use crate::domain::vocabulary::Stream;
use crate::error::{Code, Error, Result};
use crate::ledger::proof::Span;
use crate::ledger::tree;

/// Hashes or leaves of a whole tile.
pub const TILE_WIDTH: i64 = 256;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileKind {
    /// Hashes of a level: 0 for leaves; a hash of level n is the root of 256^n leaves.
    Hashes(u8),
    /// Leaves.
    Entries,
}

/// A run of hashes or leaves, by place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// What it holds.
    pub kind: TileKind,
    /// Its place among the tiles of its level, from 0.
    pub index: i64,
    /// How many it holds: 256, or fewer of a tile that is not complete.
    pub width: i64,
}

impl Tile {
    /// First place, and the one behind the last; `None` where the tree is smaller.
    fn range(self, size: i64) -> Option<(i64, i64)> {
        let level = if let TileKind::Hashes(level) = self.kind { u32::from(level) } else { 0 };
        let from = self.index.checked_mul(TILE_WIDTH)?;
        let to = from.checked_add(self.width)?;
        (to <= size.checked_shr(level * tree::NODE_LEVEL_BITS).unwrap_or(0)).then_some((from, to))
    }
}

impl LogsFacade {
    /// The newest checkpoint of a log that the caller may see.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:read`, for the access log without `audit:read`; `UNAVAILABLE` when the database does not
    /// answer.
    pub async fn published_checkpoint(&self, log_id: Uuid) -> Result<Option<SignedCheckpoint>> {
        match self.visible_log(log_id).await? {
            Some(log) => self.logs.newest_checkpoint(&log).await,
            None => Ok(None),
        }
    }

    /// The bytes of a tile that the newest checkpoint covers: hashes one after the other, or leaves, each behind its length
    /// in two bytes.
    ///
    /// # Errors
    /// `FORBIDDEN` as above, for leaves of the evidence log also without `audit:read` and `system:read`, and for leaves of
    /// the platform's log; `CONFLICT` where the stored records are not those that were chained; `UNAVAILABLE` when the
    /// database does not answer.
    pub async fn tile(&self, log_id: Uuid, tile: Tile) -> Result<Option<Vec<u8>>> {
        let Some(log) = self.visible_log(log_id).await? else { return Ok(None) };
        let Some(checkpoint) = self.logs.newest_checkpoint(&log).await? else { return Ok(None) };
        let Some((from, to)) = tile.range(checkpoint.size) else { return Ok(None) };
        match tile.kind {
            TileKind::Hashes(level) => self.hash_tile(&log, level.into(), from, to).await.map(Some),
            TileKind::Entries => self.entry_bundle(&log, from, to).await.map(Some),
        }
    }

    async fn hash_tile(&self, log: &LedgerLog, level: i64, from: i64, to: i64) -> Result<Vec<u8>> {
        let hashes = self.store().hashes(log, &[Span { level, from, to }]).await?.concat();
        match i64::try_from(hashes.len()) {
            Ok(count) if count == to - from => Ok(hashes.iter().flat_map(|hash| hash.0).collect()),
            _ => Err(altered(format!("hashes of level {level} between {from} and {to} are gone"))),
        }
    }

    async fn entry_bundle(&self, log: &LedgerLog, from: i64, to: i64) -> Result<Vec<u8>> {
        let granted = self.require(Permission::AuditRead)?;
        if log.stream == Stream::Evidence {
            self.require(Permission::SystemRead)?;
        }
        if log.tenant_id.is_platform() {
            let message = "entries of the platform's log name other tenants' logs; its checkpoint and hashes are open";
            return Err(Error::new(Code::Forbidden, message));
        }
        let entries = self.audit.open(granted, self.store().entries_between(log, from, to).await?)?;
        let leaves = self.audit.open_leaves(granted, &entries, self.store().leaves(log, &entries).await?)?;
        let mut bytes = Vec::new();
        for (place, entry) in (from..to).zip(&entries) {
            let leaf = leaves.get(&entry.record_id).filter(|leaf| tree::leaf_hash(leaf) == entry.leaf_hash);
            let leaf = leaf.filter(|_| entry.seq == place);
            let leaf = leaf.ok_or_else(|| altered(format!("the record at place {place} is not what was chained")))?;
            let length = u16::try_from(leaf.len()).map_err(|_| {
                let message = format!("the leaf at place {place} is too long for a bundle; read it with GraphQL");
                Error::limit(message, u16::MAX.into(), u64::try_from(leaf.len()).ok())
            })?;
            bytes.extend(length.to_be_bytes());
            bytes.extend(leaf);
        }
        match i64::try_from(entries.len()) {
            Ok(count) if count == to - from => Ok(bytes),
            _ => Err(altered(format!("entries between {from} and {to} are gone"))),
        }
    }

    /// A log of the caller's, or the log of logs.
    async fn visible_log(&self, log_id: Uuid) -> Result<Option<LedgerLog>> {
        self.require_any_log()?;
        let own = self.store().ledger_logs(&self.scope.tenant).await?;
        let log = match own.into_iter().find(|log| log.log_id == log_id) {
            Some(log) => Some(log),
            None => self.store().ledger_log(&TenantId::platform(), Stream::Evidence).await?,
        };
        let log = log.filter(|log| log.log_id == log_id);
        log.map(|log| self.require_stream(log.stream).map(|_| log)).transpose()
    }
}

/// What is stored is not what was signed.
pub(super) fn altered(what: String) -> Error {
    tracing::error!(what, "the ledger contradicts itself");
    Error::new(Code::Conflict, format!("{what}: verify the ledger"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_end_where_the_tree_does() {
        let tile = |kind, index, width| Tile { kind, index, width };
        assert_eq!(tile(TileKind::Entries, 1, 44).range(300), Some((256, 300)));
        assert_eq!(tile(TileKind::Entries, 1, 45).range(300), None);
        assert_eq!(tile(TileKind::Hashes(0), 0, 256).range(300), Some((0, 256)));
        assert_eq!(tile(TileKind::Hashes(1), 0, 1).range(300), Some((0, 1)));
        assert_eq!(tile(TileKind::Hashes(1), 0, 2).range(300), None);
        assert_eq!(tile(TileKind::Hashes(7), 0, 1).range(i64::MAX), Some((0, 1)));
        assert_eq!(tile(TileKind::Hashes(0), i64::MAX, 1).range(i64::MAX), None);
    }
}
