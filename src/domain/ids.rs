//! Names that callers give, and the typed ids of records.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use super::record::{Cells, Datum, Field, Kind};
use crate::error::Error;

/// The longest name a caller may give, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// Checks a name that a caller gives: 1 to 128 bytes, no U+0000. Names are opaque and unique only within a tenant.
///
/// # Errors
/// `BAD_USER_INPUT` that names `field`.
pub fn check_name(field: &str, name: &str) -> Result<(), Error> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(Error::input(field, format!("{field} has 1 to {NAME_BYTES_MAX} bytes, got {}", name.len())));
    }
    if name.contains('\0') {
        return Err(Error::input(field, format!("{field} may not hold U+0000")));
    }
    Ok(())
}

macro_rules! name {
    ($(#[$meta:meta])* $name:ident, $field:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes a name.
            ///
            /// # Errors
            /// `BAD_USER_INPUT` when it is empty, longer than 128 bytes or holds U+0000.
            pub fn parse(name: impl AsRef<str>) -> Result<Self, Error> {
                check_name($field, name.as_ref())?;
                Ok(Self(name.as_ref().into()))
            }

            /// A name that was checked before: one that comes out of the database.
            #[must_use]
            pub fn trusted(name: impl Into<Arc<str>>) -> Self {
                Self(name.into())
            }

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Field for $name {
            const KIND: Kind = Kind::Text;
            type Cell = String;

            fn datum(&self) -> Datum<'_> {
                Datum::Text(&self.0)
            }

            fn take<'r>(cells: &mut impl Cells<'r>) -> Result<Option<Self>, Error> {
                Ok(cells.name()?.map(Self))
            }
        }
    };
}

name!(
    /// A tenant: the shard that every record, index and read belongs to.
    TenantId,
    "tenantId"
);
/// The reserved tenant of records that concern the whole platform; its evidence log is the log of logs. No key and no
/// token may name it.
pub const PLATFORM_TENANT: &str = "platform";

impl TenantId {
    /// Takes the name of a tenant from a key, a token or a header: any but the platform's, and none that looks like another
    /// because of characters that nobody sees.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` as for [`Self::parse`], for the reserved name, for control and invisible characters, and for spaces
    /// at an end.
    pub fn parse_callers(name: impl AsRef<str>) -> Result<Self, Error> {
        let tenant = Self::parse(name)?;
        if !is_plain(tenant.as_str()) {
            let message = "a tenant's name has no control or invisible characters, and no space at either end";
            return Err(Error::input("tenantId", message));
        }
        if tenant.is_platform() {
            let message = format!("{PLATFORM_TENANT} is reserved for records of the platform; name another tenant");
            return Err(Error::input("tenantId", message));
        }
        Ok(tenant)
    }

    /// The reserved tenant of the platform.
    #[must_use]
    pub fn platform() -> Self {
        Self::trusted(PLATFORM_TENANT)
    }

    /// Whether this is the platform's.
    #[must_use]
    pub fn is_platform(&self) -> bool {
        self.as_str() == PLATFORM_TENANT
    }
}

/// Whether a name looks like what it is: no control or invisible characters, and no space at either end.
#[must_use]
pub fn is_plain(name: &str) -> bool {
    !name.chars().any(is_unseen) && name.trim() == name
}

/// Whether a character leaves no mark on a screen: controls, joiners, marks of direction, the byte order mark.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

name!(
    /// The name of a run, unique within its tenant.
    RunId,
    "runId"
);
name!(
    /// The name of a trace, unique within its tenant. For OTLP it is the 32 hex digits of the span's trace id.
    TraceId,
    "traceId"
);

/// What a typed id points at. The prefix is part of the public id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdKind {
    /// `run_`: an [`LlmRun`](super::run::LlmRun).
    Run,
    /// `trc_`: a [`Trace`](super::trace::Trace).
    Trace,
    /// `stp_`: a [`TraceStep`](super::trace::TraceStep).
    Step,
    /// `sys_`: a [`SystemRecord`](super::system::SystemRecord).
    System,
    /// `aud_`: an [`AuditEntry`](super::audit::AuditEntry).
    Audit,
    /// `exp_`: a [`LogExport`](super::export::LogExport).
    Export,
    /// `inc_`: an [`IncidentEvidence`](super::incident::IncidentEvidence).
    Incident,
    /// `pol_`: a [`PolicyActivation`](super::policy::PolicyActivation).
    Policy,
    /// `led_`: a [`LedgerEvent`](super::ledger::LedgerEvent).
    Ledger,
    /// `ent_`: a [`LedgerEntry`](super::ledger::LedgerEntry), by the id of its record.
    Entry,
    /// `idn_`: an audit entry of category IDENTITY, seen as an event in the life of a principal.
    Identity,
    /// `atz_`: an audit entry of category AUTHORIZATION, seen as a decision.
    Authorization,
    /// `acs_`: an audit entry of category ACCESS, seen as a read.
    Access,
    /// `gov_`: an audit entry of category GOVERNANCE, seen as what a rule said.
    Governance,
}

impl IdKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Run,
        Self::Trace,
        Self::Step,
        Self::System,
        Self::Audit,
        Self::Export,
        Self::Incident,
        Self::Policy,
        Self::Ledger,
        Self::Entry,
        Self::Identity,
        Self::Authorization,
        Self::Access,
        Self::Governance,
    ];

    /// The prefix, with its underscore.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Run => "run_",
            Self::Trace => "trc_",
            Self::Step => "stp_",
            Self::System => "sys_",
            Self::Audit => "aud_",
            Self::Export => "exp_",
            Self::Incident => "inc_",
            Self::Policy => "pol_",
            Self::Ledger => "led_",
            Self::Entry => "ent_",
            Self::Identity => "idn_",
            Self::Authorization => "atz_",
            Self::Access => "acs_",
            Self::Governance => "gov_",
        }
    }
}

/// The id of a record: a UUIDv7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub Uuid);

impl RecordId {
    /// The public, typed form: `run_0197...`.
    #[must_use]
    pub fn typed(self, kind: IdKind) -> String {
        let mut text = String::with_capacity(40);
        text.push_str(kind.prefix());
        let mut buffer = Uuid::encode_buffer();
        text.push_str(self.0.as_hyphenated().encode_lower(&mut buffer));
        text
    }

    /// Reads a public id. `None` for any text that is not one; such an id names no record.
    #[must_use]
    pub fn parse_typed(text: &str) -> Option<(IdKind, Self)> {
        let kind = *IdKind::ALL.iter().find(|kind| text.starts_with(kind.prefix()))?;
        let rest = text.get(kind.prefix().len()..).filter(|rest| rest.len() == 36)?;
        Some((kind, Self(Uuid::try_parse(rest).ok()?)))
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A SHA-256 or HMAC-SHA-256 value; shown as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Reads 64 hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// Reads exactly 32 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Lower-case hex.
    #[must_use]
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_ids_read_back_and_nothing_else_does() {
        let id = RecordId(Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0001));
        assert_eq!(RecordId::parse_typed(&id.typed(IdKind::Trace)), Some((IdKind::Trace, id)));
        for bad in [
            "",
            "run_",
            "run_x",
            "xyz_01970000-0000-7000-8000-000000000001",
            "run_01970000000070008000000000000001",
            "run_\u{e9}",
        ] {
            assert_eq!(RecordId::parse_typed(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_platform_is_no_callers_tenant() {
        assert!(TenantId::parse_callers("acme").is_ok() && TenantId::parse_callers("Platform").is_ok());
        assert!(TenantId::parse_callers(PLATFORM_TENANT).is_err() && TenantId::parse_callers("").is_err());
        for unseen in [" acme", "acme\n", "ac\tme", "acme\u{200b}", "plat\u{ad}form", "\u{202e}acme", "platform "] {
            assert!(TenantId::parse_callers(unseen).is_err(), "{unseen:?}");
        }
        assert!(TenantId::parse_callers("Société Générale 2").is_ok());
    }

    #[test]
    fn names_have_1_to_128_bytes() {
        assert!(RunId::parse("x".repeat(128)).is_ok());
        for bad in [String::new(), "x".repeat(129), "a\0b".to_owned()] {
            assert!(RunId::parse(&bad).is_err());
        }
    }
}
