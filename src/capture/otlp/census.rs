//! How much a request holds, counted in its bytes before messages are made of them: two bytes can become a span of 400, and
//! a kilobyte in gzip three gigabytes. The limits are far above what exporters send; the estimate is what memory is
//! reckoned by.

mod json;
mod shape;

use bytes::Buf as _;
use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

pub(super) use self::json::count as count_json;
pub use self::shape::Shape;
use self::shape::{Class, Field};
use crate::error::{Error, Result};

/// Spans, log records, metrics and points of one request, together. An SDK sends 512 at a time, a collector 8,192.
pub const ITEMS_MAX: u64 = 100_000;
/// Events, links, exemplars and quantiles.
pub const PARTS_MAX: u64 = 200_000;
/// Attributes, and values: an attribute with a value is two, and in a list or map each further value is one more.
pub const VALUES_MAX: u64 = 500_000;
/// Resources and instrumentation scopes.
pub const GROUPS_MAX: u64 = 20_000;
/// Bytes that the request's messages may take.
pub const DECODED_BYTES_MAX: u64 = 48 << 20;

/// The library's own limit of nesting: what is deeper it refuses, so nothing below needs to be counted.
const DEPTH_MAX: u32 = 100;
const NUMBER_BYTES: u64 = 8;
const TEXT_BYTES: u64 = size_of::<String>() as u64;

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    items: u64,
    parts: u64,
    values: u64,
    groups: u64,
    /// Bytes of the structures; texts come on top.
    structures: u64,
    /// Bytes of the request, which hold all of its texts.
    bytes: u64,
}

impl Census {
    fn add(&mut self, shape: Shape) {
        self.structures += shape.bytes();
        match shape.class() {
            Class::Item => self.items += 1,
            Class::Part => self.parts += 1,
            Class::Value => self.values += 1,
            Class::Group => self.groups += 1,
            Class::Inline => {}
        }
    }

    fn add_text(&mut self) {
        self.values += 1;
        self.structures += TEXT_BYTES;
    }

    fn add_numbers(&mut self, count: u64) {
        self.structures += count * NUMBER_BYTES;
    }

    /// Bytes that the messages will take, about.
    #[must_use]
    pub fn decoded_bytes(&self) -> u64 {
        self.structures + self.bytes
    }

    /// Refuses what no exporter sends.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` with the limit and what was counted.
    pub fn check(&self) -> Result<()> {
        let counted = [
            (self.items, ITEMS_MAX, "spans, log records, metrics and points"),
            (self.parts, PARTS_MAX, "events, links, exemplars and quantiles"),
            (self.values, VALUES_MAX, "attributes and values"),
            (self.groups, GROUPS_MAX, "resources and scopes"),
            (self.decoded_bytes(), DECODED_BYTES_MAX, "bytes in memory"),
        ];
        let Some((value, limit, what)) = counted.into_iter().find(|(value, limit, _)| value > limit) else {
            return Ok(());
        };
        let message = format!("a request has at most {limit} {what}, this one {value}; send less in one request");
        Err(Error::limit(message, limit, Some(value)))
    }
}

/// Counts a protobuf message. Reads the same as the decoder does, so that nothing is decoded that was not counted.
pub(super) fn count_protobuf(root: Shape, bytes: &[u8]) -> Result<Census, DecodeError> {
    let mut census = Census { bytes: bytes.len() as u64, ..Census::default() };
    walk(root, bytes, 0, &mut census)?;
    Ok(census)
}

fn walk(shape: Shape, mut bytes: &[u8], depth: u32, census: &mut Census) -> Result<(), DecodeError> {
    if depth > DEPTH_MAX {
        return Ok(());
    }
    while bytes.has_remaining() {
        let (number, wire_type) = decode_key(&mut bytes)?;
        if wire_type != WireType::LengthDelimited {
            if matches!(shape.field(number), Field::Numbers | Field::Fixed) {
                census.add_numbers(1);
            }
            skip_field(wire_type, number, &mut bytes, DecodeContext::default())?;
            continue;
        }
        let length = usize::try_from(decode_varint(&mut bytes)?).unwrap_or(usize::MAX);
        // Cut off: the decoder says so, and has then made what was counted so far.
        let Some((inner, rest)) = bytes.split_at_checked(length) else { return Ok(()) };
        bytes = rest;
        match shape.field(number) {
            Field::Message(child) => {
                census.add(child);
                walk(child, inner, depth + 1, census)?;
            }
            Field::Texts => census.add_text(),
            // Its last byte, and only that, has no bit that says that more come.
            Field::Numbers => census.add_numbers(inner.iter().filter(|byte| **byte < 0x80).count() as u64),
            Field::Fixed => census.add_numbers(inner.len() as u64 / NUMBER_BYTES),
            Field::Other => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
