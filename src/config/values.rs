//! Types of setting values and how they are read.

use std::convert::Infallible;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::names::nearest;

/// An address, or `None` where the listener is off. (A name of its own keeps the argument parser from reading it as
/// "may be absent".)
pub type OptionalAddress = Option<SocketAddr>;

const ORIGIN_BYTES_MAX: usize = 128;

/// A value that no log and no message shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The value itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl FromStr for Secret {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// Reads `500ms`, `15s`, `5m`, `1h`, `30d`, or `0`.
///
/// # Errors
/// What is allowed.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let allowed =
        || format!("'{text}' is not a duration: write a whole number and a unit, like 500ms, 15s, 5m, 1h, 30d");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(allowed)?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().map_err(|_| allowed())?;
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(allowed()),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(allowed)
}

/// Reads a whole number of a range.
pub fn whole<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + fmt::Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("'{text}' is not a whole number in {}..={}", range.start(), range.end()))
    }
}

/// Reads `true` or `false`, and what others write for them.
pub(super) fn parse_bool(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(format!("'{text}' is neither true nor false (yes, no, on, off, 1 and 0 are read too)")),
    }
}

const LOG_LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Reads a level, or directives with commas between them. A word alone that is no level would name a part of the program, of
/// which there is none, and silence all others.
pub(super) fn parse_log_level(text: &str) -> Result<String, String> {
    let allowed = "write off, error, warn, info, debug or trace, and behind a comma others for parts of the program, like \
                   info,runledger::http=debug";
    let is_level = |word: &str| LOG_LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    let directives: Vec<&str> = text.split(',').map(str::trim).collect();
    for directive in &directives {
        let level = directive.rsplit_once('=').map_or(*directive, |(_, level)| level.trim());
        if is_level(level) || directive.ends_with([']', '}']) {
            continue;
        }
        if level.is_empty() {
            return Err(format!("a level is missing in '{text}': {allowed}"));
        }
        let hint = nearest(&level.to_ascii_lowercase(), LOG_LEVELS);
        let hint = hint.map_or_else(String::new, |level| format!(" (did you mean {level}?)"));
        return Err(format!("'{level}' is no level{hint}: {allowed}"));
    }
    let text = directives.join(",");
    EnvFilter::try_new(&text).map_err(|error| format!("'{text}': {error}: {allowed}"))?;
    Ok(text)
}

/// Reads `127.0.0.1:8080`, `[::1]:8080`, `0.0.0.0:8080`, `localhost:8080` or `:8080`. A port alone is of this machine, not
/// of all its addresses as elsewhere: what is open to the network is to be written.
pub(super) fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':'));
    if let Some(port) = port.and_then(|port| port.parse().ok()) {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    text.parse().map_err(|_| {
        format!(
            "'{text}' is not an address: write IP:PORT, like 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080, or :8080 for \
             127.0.0.1:8080"
        )
    })
}

/// The same; empty text is off.
pub(super) fn parse_optional_address(text: &str) -> Result<OptionalAddress, String> {
    if text.is_empty() { Ok(None) } else { parse_address(text).map(Some) }
}

/// Reads a name that can stand in signed notes, where spaces and `+` have a meaning.
pub(super) fn parse_origin(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/:".contains(&byte);
    if (1..=ORIGIN_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err(format!("it has 1 to {ORIGIN_BYTES_MAX} letters, digits and any of . - _ / :, like example.com/runs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("15s"), Ok(Duration::from_secs(15)));
        assert_eq!(parse_duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(parse_duration("0"), Ok(Duration::ZERO));
        for bad in ["", "15", "s", "1.5s", "-1s", "15 s", "99999999999999999999s", "999999999999999999d"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_and_switches_are_refused_with_what_is_allowed() {
        let number = whole(0_u32..=1_000);
        assert_eq!((number("0"), number("1000")), (Ok(0), Ok(1_000)));
        for bad in ["", "x", "-1", "1001", "1.5", "99999999999"] {
            assert_eq!(number(bad), Err(format!("'{bad}' is not a whole number in 0..=1000")));
        }
        assert_eq!((parse_bool("Yes"), parse_bool("0")), (Ok(true), Ok(false)));
        assert!(parse_bool("maybe").expect_err("neither").contains("true nor false"));
    }

    #[test]
    fn a_level_that_is_none_silences_nothing() {
        for good in ["info", "WARN", "info,runledger::http=debug", "info,a[b{c=1}]=debug"] {
            assert_eq!(parse_log_level(good).as_deref(), Ok(good));
        }
        assert_eq!(parse_log_level("warn, runledger=trace").as_deref(), Ok("warn,runledger=trace"));
        for (bad, said) in [
            ("nonsense", "'nonsense' is no level: write off, error, warn, info"),
            ("inof", "did you mean info?"),
            ("runledger", "is no level"),
            ("info,runledger::http=debgu", "did you mean debug?"),
            ("", "a level is missing"),
            ("info,", "a level is missing"),
            ("runledger=", "a level is missing"),
        ] {
            let refused = parse_log_level(bad).expect_err(bad);
            assert!(refused.contains(said) && refused.contains("runledger::http=debug"), "{refused}");
        }
    }

    #[test]
    fn addresses_need_a_port() {
        assert_eq!(parse_address("localhost:1"), parse_address("127.0.0.1:1"));
        assert_eq!(parse_address(":8080"), parse_address("127.0.0.1:8080"));
        assert_eq!(parse_optional_address(""), Ok(None));
        assert!(parse_address(":").is_err() && parse_address(":99999").expect_err("no port").contains("IP:PORT"));
        assert!(parse_address("127.0.0.1").is_err());
        assert!(parse_address("example.com:80").is_err());
    }

    #[test]
    fn origins_can_stand_in_a_note() {
        assert_eq!(parse_origin("example.com/runs:1").as_deref(), Ok("example.com/runs:1"));
        for bad in ["", "a b", "a+b", "a\nb", "ä", &"x".repeat(129)] {
            assert!(parse_origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret: Secret = "hunter2".parse().expect("any text");
        assert_eq!(format!("{secret:?}"), "[hidden]");
    }
}
