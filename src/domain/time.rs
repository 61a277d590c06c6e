//! Instants: UTC, whole microseconds.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::error::Error;

/// Microseconds of one second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;

/// An instant in microseconds since the Unix epoch, UTC. Both databases keep it as a 64-bit integer, so it orders and
/// compares alike everywhere. Always within the years 0001 to 9999, which RFC 3339 can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest instant: 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_135_596_800 * MICROS_PER_SECOND);
    /// The last instant: 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_800 * MICROS_PER_SECOND - 1);

    /// The instant `micros` microseconds after the epoch; `None` outside the years 0001 to 9999.
    #[must_use]
    pub fn from_micros(micros: i64) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0).contains(&micros).then_some(Self(micros))
    }

    /// The same, clamped to the range that can be written.
    #[must_use]
    pub fn from_micros_clamped(micros: i64) -> Self {
        Self(micros.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// OpenTelemetry's nanoseconds since the epoch, truncated to microseconds; `None` beyond the year 9999.
    #[must_use]
    pub fn from_unix_nanos(nanos: u64) -> Option<Self> {
        Self::from_micros(i64::try_from(nanos / 1_000).ok()?)
    }

    /// Parses RFC 3339 text with any offset and any number of fraction digits; digits past the sixth are cut off.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` when the text is not RFC 3339 or lies outside the years 0001 to 9999.
    pub fn parse(text: &str) -> Result<Self, Error> {
        DateTime::parse_from_rfc3339(text)
            .ok()
            .and_then(|instant| Self::from_micros(instant.timestamp_micros()))
            .ok_or_else(|| Error::input("", "an instant is RFC 3339 text, for example 2026-11-21T08:30:00Z"))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This instant `micros` microseconds later (earlier when negative), clamped to the range that can be written.
    #[must_use]
    pub fn plus_micros(self, micros: i64) -> Self {
        Self::from_micros_clamped(self.0.saturating_add(micros))
    }

    /// Microseconds from `earlier` to this instant; negative when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// RFC 3339 with exactly six fraction digits and `Z`: the form that is hashed and that the API shows.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        DateTime::<Utc>::from_timestamp_micros(self.0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Micros, true)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_six_digits_and_z() {
        let instant = Timestamp::parse("2026-11-21T09:30:00.1234567+01:00").expect("valid");
        assert_eq!(instant.to_rfc3339(), "2026-11-21T08:30:00.123456Z");
        assert_eq!(Timestamp::parse(&instant.to_rfc3339()).expect("valid"), instant);
    }

    #[test]
    fn refuses_what_rfc_3339_cannot_write() {
        assert!(Timestamp::from_micros(i64::MAX).is_none());
        assert!(Timestamp::from_unix_nanos(u64::MAX).is_some());
        assert_eq!(Timestamp::MAX.to_rfc3339(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp::MIN.to_rfc3339(), "0001-01-01T00:00:00.000000Z");
        assert!(Timestamp::parse("yesterday").is_err());
    }
}
