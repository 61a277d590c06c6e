//! Keys that show by their form who issued them: one row an issuer. The automaton of [`super::scan`] and the tests are made
//! from the table, so the next issuer is one row.
//!
//! A row says where its fact is from: the issuer's own documentation, or the name of a rule in the public rule set of a
//! scanner. Lengths are the shortest that is taken: where the prefix alone says what it is, far less than what is issued
//! today, since issuers make their keys longer, and people cut them when they quote them.

mod models;
mod services;

use super::alphabet::Alphabet;

/// No longest length.
const ANY: usize = usize::MAX;

/// A piece of a key behind its prefix.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// From so many to so many bytes of an alphabet, as many as there are.
    Run(Alphabet, usize, usize),
    /// Just this.
    Is(&'static str),
}

/// What else a key must have, where its prefix is a word that people use too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing.
    Nothing,
    /// A digit.
    Digit,
    /// That it is none of these, which are no keys.
    NoneOf(&'static [&'static str]),
}

/// How keys of an issuer look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Issuer {
    /// Who issues them.
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads the row, and for the tests"))]
    pub(super) name: &'static str,
    /// What stands in front of the prefix and belongs to the key: from so many to so many bytes of an alphabet.
    pub(super) before: Option<(Alphabet, usize, usize)>,
    /// What every key has, in this case of letters.
    pub(super) prefix: &'static str,
    /// What follows it.
    pub(super) body: &'static [Part],
    /// What else it must have.
    pub(super) needs: Needs,
    /// Where the fact is from.
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever doubts the row, and for the tests"))]
    pub(super) source: &'static str,
}

/// Every row.
pub(super) fn all() -> impl Iterator<Item = &'static Issuer> {
    models::ROWS.iter().chain(services::ROWS)
}

/// Keys of a prefix and so many bytes of an alphabet.
macro_rules! row {
    ($name:literal, $prefix:literal, $alphabet:ident $min:literal.., $source:literal) => {
        row!($name, $prefix, [Run($alphabet, $min, ANY)], Nothing, $source)
    };
    ($name:literal, $prefix:literal, $alphabet:ident $min:literal..=$max:literal, $source:literal) => {
        row!($name, $prefix, [Run($alphabet, $min, $max)], Nothing, $source)
    };
    ($name:literal, $prefix:literal, $alphabet:ident $min:literal.., $needs:expr, $source:literal) => {
        row!($name, $prefix, [Run($alphabet, $min, ANY)], $needs, $source)
    };
    ($name:literal, $prefix:literal, [$($part:expr),*], $source:literal) => {
        row!($name, $prefix, [$($part),*], Nothing, $source)
    };
    ($name:literal, $prefix:literal, [$($part:expr),*], $needs:expr, $source:literal) => {
        Issuer { name: $name, before: None, prefix: $prefix, body: &[$($part),*], needs: $needs, source: $source }
    };
    ($name:literal, $before:ident $min:literal..=$max:literal, $prefix:literal, [$($part:expr),*], $source:literal) => {
        Issuer {
            name: $name, before: Some(($before, $min, $max)), prefix: $prefix, body: &[$($part),*], needs: Nothing,
            source: $source,
        }
    };
}
use row;
