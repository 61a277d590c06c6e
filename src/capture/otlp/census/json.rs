//! Counts OTLP/JSON without reading it: names, brackets and commas. It need not judge whether the text is JSON, since the
//! reader stops where it no longer is, and up to there both see the same.

use super::{Census, Shape};

/// The reader refuses deeper nesting than this.
const DEPTH_MAX: usize = 128;
/// JSON is read into structures of its own first, which are about as large as the messages and live beside them.
const COPIES: u64 = 2;

/// An open bracket.
struct Open<'a> {
    /// Of an object, its own; of a list, that of its items.
    shape: Shape,
    is_list: bool,
    /// The name that was read last, of an object; `None` for one that is written with escapes.
    name: Option<&'a [u8]>,
    /// Whether the next text is a name.
    is_name_next: bool,
}

/// Counts a request.
pub(in super::super) fn count(root: Shape, bytes: &[u8]) -> Census {
    let mut census = Census { bytes: bytes.len() as u64, ..Census::default() };
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let (text, after) = string(bytes, at + 1);
                if let Some(within) = open.last_mut().filter(|within| within.is_name_next) {
                    (within.name, within.is_name_next) = (text, false);
                }
                at = after;
                continue;
            }
            b'{' | b'[' => {
                if open.len() > DEPTH_MAX {
                    break;
                }
                let next = enter(open.last(), root, *byte == b'[', &mut census);
                open.push(next);
            }
            b'}' | b']' => drop(open.pop()),
            b',' => {
                if let Some(within) = open.last_mut() {
                    within.is_name_next = !within.is_list;
                    // One more item of the list, if it is no message: those are counted where they open.
                    census.add_numbers(u64::from(within.is_list));
                }
            }
            _ => {}
        }
        at += 1;
    }
    census.structures *= COPIES;
    census
}

/// What a bracket opens.
fn enter<'a>(within: Option<&Open<'a>>, root: Shape, is_list: bool, census: &mut Census) -> Open<'a> {
    let (shape, is_item) = match within {
        None => (root, false),
        Some(list) if list.is_list => (list.shape, true),
        Some(object) => (object.name.map_or(Shape::Unknown, |name| object.shape.member(name)), false),
    };
    // A list within a list is read as a message too, by the order of its fields; then nothing in it has a name.
    if !is_list || is_item {
        census.add(shape);
    }
    let shape = if is_list && is_item { Shape::Unknown } else { shape };
    Open { shape, is_list, name: None, is_name_next: !is_list }
}

/// A text that begins at a place, and where what follows it begins; `None` where it is written with escapes.
fn string(bytes: &[u8], start: usize) -> (Option<&[u8]>, usize) {
    let (mut at, mut is_plain) = (start, true);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return (bytes.get(start..at).filter(|_| is_plain), at + 1),
            b'\\' => {
                is_plain = false;
                at += 2;
            }
            _ => at += 1,
        }
    }
    (None, bytes.len())
}
