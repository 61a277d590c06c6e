//! Ranges of filters. One whose ends are the wrong way round is refused: it would select nothing, and say nothing of it.

use std::fmt::Display;

use async_graphql::InputObject;

use crate::domain::filter;
use crate::error::{Error, Result};
use crate::graphql::run::MICROS_PER_MILLI;
use crate::graphql::shared::scalars::{DateTime, Decimal, SafeInt};

/// A half-open range of instants: from <= instant < to.
#[derive(Clone, Debug, PartialEq, Eq, InputObject)]
pub struct TimeRange {
    /// The earliest instant that is in the range. Without it the range has no beginning.
    from: Option<DateTime>,
    /// The first instant after the range. Without it the range has no end.
    to: Option<DateTime>,
}

/// A range of whole numbers, both ends included. A value that is null lies in no range.
#[derive(Clone, Debug, PartialEq, Eq, InputObject)]
pub struct SafeIntRange {
    /// The smallest number that is in the range. Without it there is no lower bound.
    min: Option<SafeInt>,
    /// The largest number that is in the range. Without it there is no upper bound.
    max: Option<SafeInt>,
}

/// A range of exact decimal numbers, both ends included. A value that is null lies in no range.
#[derive(Clone, Debug, PartialEq, Eq, InputObject)]
pub struct DecimalRange {
    /// The smallest number that is in the range. Without it there is no lower bound.
    min: Option<Decimal>,
    /// The largest number that is in the range. Without it there is no upper bound.
    max: Option<Decimal>,
}

impl TimeRange {
    pub(in crate::graphql) fn to_domain(&self, field: &str) -> Result<filter::TimeRange> {
        let instant = |instant: Option<DateTime>| instant.map(|instant| instant.0);
        let (from, to) = (instant(self.from), instant(self.to));
        check_order(field, ("from", from), ("to", to))?;
        Ok(filter::TimeRange { from, to })
    }
}

impl SafeIntRange {
    pub(in crate::graphql) fn to_domain(&self, field: &str) -> Result<filter::NumberRange> {
        let number = |number: Option<SafeInt>| number.map(|number| number.0);
        let (min, max) = (number(self.min), number(self.max));
        check_order(field, ("min", min), ("max", max))?;
        Ok(filter::NumberRange { min, max })
    }

    /// Answers show whole milliseconds, rounded down; the range selects what is shown within it.
    pub(in crate::graphql) fn millis_to_micros(&self, field: &str) -> Result<filter::NumberRange> {
        let filter::NumberRange { min, max } = self.to_domain(field)?;
        let micros = |millis: i64| millis.saturating_mul(MICROS_PER_MILLI);
        Ok(filter::NumberRange {
            min: min.map(micros),
            max: max.map(|millis| micros(millis).saturating_add(MICROS_PER_MILLI - 1)),
        })
    }
}

impl DecimalRange {
    pub(in crate::graphql) fn to_micros(&self, field: &str) -> Result<filter::NumberRange> {
        let micros = |number: Option<Decimal>| number.map(|number| number.to_micros(field)).transpose();
        let (min, max) = (micros(self.min)?, micros(self.max)?);
        let text = |number: Option<Decimal>| number.map(Decimal::to_text).unwrap_or_default();
        if min.zip(max).is_some_and(|(min, max)| min > max) {
            return Err(reversed(field, ("min", &text(self.min)), ("max", &text(self.max))));
        }
        Ok(filter::NumberRange { min, max })
    }
}

/// Refuses a range whose ends are the wrong way round.
fn check_order<T: Copy + Ord + Display>(
    field: &str,
    (first, start): (&str, Option<T>),
    (second, end): (&str, Option<T>),
) -> Result<()> {
    match start.zip(end).filter(|(start, end)| start > end) {
        Some((start, end)) => Err(reversed(field, (first, &start), (second, &end))),
        None => Ok(()),
    }
}

fn reversed(field: &str, (first, start): (&str, &dyn Display), (second, end): (&str, &dyn Display)) -> Error {
    let message = format!("{field}.{first} is {start}, after {field}.{second}, which is {end}: swap them");
    Error::input(format!("{field}.{second}"), message)
}

/// A range of a filter.
pub(in crate::graphql) fn range<T, U>(
    field: &str,
    range: Option<&T>,
    convert: fn(&T, &str) -> Result<U>,
) -> Result<Option<U>> {
    range.map(|range| convert(range, field)).transpose()
}
