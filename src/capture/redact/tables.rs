//! Secrets in the columns and rows of tables: of Markdown, of database shells, and of CSV with a head.

use std::ops::Range;

use super::cost::spend;
use super::members::{AROUND_BYTES_MAX, Name};
use super::placeholders::is_like_secret;
use super::scan::Scanner;
use super::values::is_harmless;
use super::{REDACTED, is_sensitive_key};

/// The longest head of a table, in bytes.
const HEAD_BYTES_MAX: usize = 2_048;

/// The most columns.
const COLUMNS_MAX: usize = 64;

/// Names of columns that stand beside passwords: they tell the head of a table from a sentence with a comma.
const BESIDE: &[&str] = &[
    "user",
    "username",
    "user_name",
    "login",
    "login_username",
    "email",
    "e-mail",
    "mail",
    "name",
    "id",
    "host",
    "hostname",
    "url",
    "uri",
    "login_uri",
    "website",
    "site",
    "account",
    "title",
    "service",
    "role",
    "server",
    "address",
    "note",
    "notes",
    "key",
    "type",
    "expires",
    "created_at",
    "db",
    "database",
    "port",
];

/// How a table is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// With a mark between the cells, and nothing else.
    Csv(u8),
    /// Of Markdown: what it holds may be a description.
    Markdown,
    /// Of a database shell.
    Shell,
}

impl Scanner<'_> {
    /// `| password | value |`: where the value begins, if it looks like one.
    pub(super) fn next_cell(&self, name: &Name<'_>, at: usize) -> Option<usize> {
        let before = self.bytes[name.start.saturating_sub(AROUND_BYTES_MAX)..name.start].iter().rev();
        let first = before.clone().find(|byte| !(byte.is_ascii_alphabetic() || b" *_`\"'".contains(byte)));
        spend(AROUND_BYTES_MAX);
        if first.is_some_and(|byte| !matches!(byte, b'|' | b'\n')) {
            return None;
        }
        let from = at + self.bytes[at..].iter().take(AROUND_BYTES_MAX).take_while(|byte| b" *_".contains(byte)).count();
        let window = &self.bytes[from..self.bytes.len().min(from + 4 * AROUND_BYTES_MAX)];
        let length = window.iter().position(|byte| matches!(byte, b'|' | b'\n')).unwrap_or(window.len());
        spend(length);
        let word = self.text.get(from..from + length)?.trim_matches([' ', '*', '`', '\r', '\t', '"', '\'']);
        is_like_secret(word).then_some(from)
    }

    /// Removes what stands in the columns of secrets, when this name is in the head of a table.
    pub(super) fn columns(&mut self, name: &Name<'_>) {
        let ends_cell = |byte: Option<&u8>| byte.is_none_or(|byte| b",;|\t\n\r".contains(byte));
        let is_blank = |byte: &&u8| b" *`".contains(byte);
        let behind = name.closed() + self.bytes[name.closed()..].iter().take(8).take_while(is_blank).count();
        if self.head.contains(&name.start) || !ends_cell(self.bytes.get(behind)) {
            return;
        }
        let floor = self.head.end.max(name.start.saturating_sub(HEAD_BYTES_MAX)).min(name.start);
        let before = &self.bytes[floor..name.start];
        let line = before.iter().rposition(|byte| *byte == b'\n').map_or(floor, |at| floor + at + 1);
        let end = self.line_end(name.closed());
        spend(name.start - line);
        self.head = line..end;
        if end - line > HEAD_BYTES_MAX || line > 0 && self.bytes[line - 1] != b'\n' {
            return;
        }
        // A table in JSON that is cut off begins behind the name that it has there.
        let text = self.text[line..name.start].trim_start_matches(' ');
        let is_member = text.starts_with(['{', '[']);
        let start = line + if is_member { member_end(&self.text[line..name.start]) } else { 0 };
        let head = self.text[start..end].trim_end_matches('\r');
        let Some((kind, rows)) = self.kind(head, end) else { return };
        let cells = cells(head, kind);
        let secrets: Vec<usize> =
            (0..cells.len()).filter(|at| is_sensitive_key(bare(&head[cells[*at].clone()]))).collect();
        let is_head = match kind {
            Kind::Csv(_) => {
                let texts = || cells.iter().map(|cell| bare(&head[cell.clone()]));
                let is_beside = |text: &str| BESIDE.iter().any(|known| text.eq_ignore_ascii_case(known));
                texts().any(is_beside)
                    && texts().all(|text| {
                        !text.is_empty()
                            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_- ./".contains(&byte))
                    })
            }
            Kind::Markdown | Kind::Shell => true,
        };
        if is_head && (2..=COLUMNS_MAX).contains(&cells.len()) && !secrets.is_empty() {
            self.rows(kind, cells.len(), &secrets, rows);
        }
    }

    /// How the table is written whose head this is, and where its rows begin.
    fn kind(&self, head: &str, end: usize) -> Option<(Kind, usize)> {
        let next = (end + 1).min(self.bytes.len());
        if head.contains('|') {
            let stop = self.line_end(next);
            let line = self.text[next..stop].trim();
            let is_rule = line.len() >= 3 && line.bytes().all(|byte| b"|-+:= ".contains(&byte)) && line.contains("--");
            let kind = if line.contains('+') { Kind::Shell } else { Kind::Markdown };
            return is_rule.then_some((kind, (stop + 1).min(self.bytes.len())));
        }
        let mark = head.bytes().find(|byte| matches!(byte, b',' | b';' | b'\t'))?;
        (!head.starts_with(' ')).then_some((Kind::Csv(mark), next))
    }

    fn rows(&mut self, kind: Kind, columns: usize, secrets: &[usize], from: usize) {
        let mut next = from;
        let mut found = Vec::new();
        while next < self.bytes.len() {
            let stop = self.line_end(next);
            let line = self.text[next..stop].trim_end_matches('\r');
            let cells = cells(line, kind);
            spend(line.len());
            if cells.len() != columns {
                break;
            }
            for cell in secrets.iter().map(|at| cells[*at].clone()) {
                let text = bare(&line[cell.clone()]);
                let is_secret = match kind {
                    Kind::Csv(_) => true,
                    Kind::Markdown => is_like_secret(text),
                    Kind::Shell => !text.contains(' '),
                };
                let start = next + cell.start + line[cell].find(text).unwrap_or(0);
                if is_secret && text != REDACTED && !is_harmless("", text) {
                    found.push(start..start + text.len());
                }
            }
            next = stop + 1;
        }
        // What stands in it is the head of no other.
        self.head.end = self.head.end.max(next.min(self.bytes.len()));
        if !found.is_empty() {
            self.suspect();
            self.ranges.append(&mut found);
        }
    }
}

/// Where the text begins that is a member of an object: behind `{"name": "`.
fn member_end(line: &str) -> usize {
    let colon = line.find("\":").map_or(0, |at| at + 2);
    let blanks = line[colon..].len() - line[colon..].trim_start_matches(' ').len();
    let open = colon + blanks;
    if line[open..].starts_with('"') { open + 1 } else { 0 }
}

/// What a cell holds, without what stands around it.
fn bare(cell: &str) -> &str {
    cell.trim().trim_matches(['*', '`', '"', '\'']).trim()
}

/// Where the cells of a line are.
fn cells(line: &str, kind: Kind) -> Vec<Range<usize>> {
    let mark = if let Kind::Csv(mark) = kind { mark } else { b'|' };
    let (mut found, mut from, mut is_quoted) = (Vec::new(), 0, false);
    for (at, byte) in line.bytes().enumerate() {
        if byte == b'"' && matches!(kind, Kind::Csv(_)) {
            is_quoted = !is_quoted;
        } else if byte == mark && !is_quoted {
            found.push(from..at);
            from = at + 1;
            if found.len() > COLUMNS_MAX {
                return found;
            }
        }
    }
    found.push(from..line.len());
    // What a table of Markdown begins and ends with is no cell.
    if mark == b'|' {
        if found.last().is_some_and(|cell| line[cell.clone()].trim().is_empty()) {
            found.pop();
        }
        if found.first().is_some_and(|cell| line[cell.clone()].trim().is_empty()) {
            found.remove(0);
        }
    }
    found
}
