//! Paging as data: requests, positions, cursors, pages, counts.

use super::vocabulary::vocabulary;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::error::{Code, Error, Result};

/// Rows of a page when the caller does not say.
pub const PAGE_SIZE_DEFAULT: u32 = 50;
/// Most rows of a page.
pub const PAGE_SIZE_MAX: u32 = 200;
/// How far totals are counted when the caller does not say.
pub const COUNT_CAP_DEFAULT: u32 = 10_000;
/// How far totals are counted at most.
pub const COUNT_CAP_MAX: u32 = 1_000_000;

vocabulary!(
    /// Which way a list is ordered.
    Direction as OrderDirection {
        /// Smallest or oldest first.
        Asc = "ASC",
        /// Largest or newest first.
        Desc = "DESC",
    }
);

/// Where a row stands in an order: its sort value, then its place in the log. No two rows share both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The sort value at full precision.
    pub key: i64,
    /// The row's seq.
    pub seq: i64,
}

/// Which rows of a list are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PageRequest {
    /// How many, 0 to [`PAGE_SIZE_MAX`].
    pub size: u32,
    /// `last` was asked for: the rows nearest to the end. The rows of the page stand in the list's order all the same.
    pub is_backward: bool,
    /// Only rows behind this one.
    pub after: Option<Position>,
    /// Only rows before this one.
    pub before: Option<Position>,
}

impl PageRequest {
    /// The first `size` rows.
    #[must_use]
    pub const fn first(size: u32) -> Self {
        Self { size, is_backward: false, after: None, before: None }
    }

    /// The page made of the rows that a query with one row more than `size` gave, in the list's order when forward, in
    /// reverse when backward. Rows are never deleted, so a cursor proves that there are rows on its side.
    #[must_use]
    pub fn page<T>(&self, mut rows: Vec<Row<T>>) -> Page<T> {
        let size = self.size as usize;
        let has_more = rows.len() > size;
        rows.truncate(size);
        if self.is_backward {
            rows.reverse();
            Page { rows, has_next_page: self.before.is_some(), has_previous_page: has_more || self.after.is_some() }
        } else {
            Page { rows, has_next_page: has_more || self.before.is_some(), has_previous_page: self.after.is_some() }
        }
    }
}

/// A row with its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<T> {
    /// Where it stands; becomes its cursor.
    pub position: Position,
    /// The row.
    pub item: T,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows, in the list's order.
    pub rows: Vec<Row<T>>,
    /// Whether rows follow.
    pub has_next_page: bool,
    /// Whether rows come before.
    pub has_previous_page: bool,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), has_next_page: false, has_previous_page: false }
    }
}

impl<T> Page<T> {
    /// The same page of something else.
    pub fn map<U>(self, mut into: impl FnMut(T) -> U) -> Page<U> {
        let rows = self.rows.into_iter().map(|row| Row { position: row.position, item: into(row.item) }).collect();
        Page { rows, has_next_page: self.has_next_page, has_previous_page: self.has_previous_page }
    }
}

/// A total that is counted up to a cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How many rows there are, or the cap where there are more.
    pub value: i64,
    /// False where counting stopped at the cap.
    pub is_exact: bool,
}

impl Count {
    /// The count from a query that stopped at `cap + 1` rows.
    #[must_use]
    pub fn capped(counted: i64, cap: u32) -> Self {
        let cap = i64::from(cap);
        Self { value: counted.min(cap), is_exact: counted <= cap }
    }
}

/// A moment of the log: lists that are read as of it do not see what came later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AsOf {
    /// The log's size at that moment: only records with a smaller seq are seen.
    pub size: i64,
}

impl AsOf {
    /// The opaque token.
    #[must_use]
    pub fn to_token(self) -> String {
        URL_SAFE_NO_PAD.encode(format!("now:{}", self.size))
    }

    /// Reads a token.
    ///
    /// # Errors
    /// `BAD_CURSOR` for anything that is not a token of ours.
    pub fn parse(token: &str) -> Result<Self> {
        let decode = || {
            let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
            let size = std::str::from_utf8(&bytes).ok()?.strip_prefix("now:")?.parse().ok()?;
            (size >= 0).then_some(Self { size })
        };
        decode().ok_or_else(|| Error::new(Code::BadCursor, "asOf is a token from ledger.now"))
    }
}

/// The list that a cursor belongs to: a digest of its name, filter and order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListKey([u8; 8]);

impl ListKey {
    /// The key of a list, from a text that says everything that selects and orders its rows.
    #[must_use]
    pub fn of(list: &str, selection: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(list.as_bytes());
        hash.update([0]);
        hash.update(selection.as_bytes());
        let mut key = [0; 8];
        key.copy_from_slice(&hash.finalize()[..8]);
        Self(key)
    }

    /// The opaque cursor of a row of this list.
    #[must_use]
    pub fn cursor(self, position: Position) -> String {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.0);
        bytes[8..16].copy_from_slice(&position.key.to_be_bytes());
        bytes[16..].copy_from_slice(&position.seq.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor of this list.
    ///
    /// # Errors
    /// `BAD_CURSOR` for a cursor of another list, filter or order, and for anything else.
    pub fn parse_cursor(self, cursor: &str) -> Result<Position> {
        let bytes: Option<[u8; 24]> = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| bytes.try_into().ok());
        let split = |bytes: &[u8; 24], at: usize| {
            let mut part = [0; 8];
            part.copy_from_slice(&bytes[at..at + 8]);
            part
        };
        match bytes {
            Some(bytes) if split(&bytes, 0) == self.0 => {
                Ok(Position { key: i64::from_be_bytes(split(&bytes, 8)), seq: i64::from_be_bytes(split(&bytes, 16)) })
            }
            _ => Err(Error::new(
                Code::BadCursor,
                "this cursor does not belong to this list with this filter and order; start again without it",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_own_list_only() {
        let key = ListKey::of("llmRuns", "{}");
        let position = Position { key: i64::MIN, seq: 7 };
        assert_eq!(key.parse_cursor(&key.cursor(position)).expect("own"), position);
        let other = ListKey::of("llmRuns", "{\"name\":[\"x\"]}");
        assert_eq!(other.parse_cursor(&key.cursor(position)).expect_err("foreign").code(), Code::BadCursor);
        assert!(key.parse_cursor("%%%").is_err());
    }

    #[test]
    fn one_row_more_tells_whether_rows_follow() {
        let row = |seq| Row { position: Position { key: seq, seq }, item: seq };
        let page = PageRequest::first(2).page(vec![row(1), row(2), row(3)]);
        assert!(page.has_next_page && !page.has_previous_page && page.rows.len() == 2);
        let back = PageRequest { is_backward: true, ..PageRequest::first(2) }.page(vec![row(3), row(2), row(1)]);
        assert_eq!(back.rows.iter().map(|row| row.item).collect::<Vec<_>>(), [2, 3]);
        assert!(back.has_previous_page && !back.has_next_page);
    }

    #[test]
    fn as_of_reads_back() {
        assert_eq!(AsOf::parse(&AsOf { size: 12 }.to_token()).expect("own"), AsOf { size: 12 });
        assert!(AsOf::parse("bm93Oi0x").is_err());
    }
}
