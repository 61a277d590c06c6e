//! Names of settings: the nearest one to a name that is none, and variables that were meant for one.

use std::collections::BTreeSet;

/// What every variable of ours begins with.
const PREFIX: &str = "RUNLEDGER_";

/// The known name that is nearest to a name, where one is near: at most half of its letters differ.
pub(super) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let near = known.into_iter().map(|one| (strsim::damerau_levenshtein(name, one), one)).min()?;
    Some(near).filter(|(distance, one)| *distance <= one.len() / 2).map(|(_, one)| one)
}

/// Refuses variables of the environment (name and value) that begin like ours and are none: a setting that is misspelt would
/// else be left at its default without a word. Kubernetes puts variables of its own into every container beside a service
/// that is called `runledger` or `runledger-...` (`RUNLEDGER_SERVICE_HOST`, `RUNLEDGER_PORT=tcp://10.0.0.1:80`,
/// `RUNLEDGER_PORT_80_TCP_ADDR`); those are left alone.
///
/// # Errors
/// Names the first of them, by name, and the nearest variable that there is. Its value is not shown.
pub fn check_variables(
    given: impl IntoIterator<Item = (String, String)>,
    known: &BTreeSet<String>,
) -> Result<(), String> {
    let unknown = |(name, value): (String, String)| {
        let rest = name.strip_prefix(PREFIX)?;
        (!known.contains(&name) && !is_of_a_service(rest, &value)).then(|| rest.to_owned())
    };
    let Some(name) = given.into_iter().filter_map(unknown).min() else { return Ok(()) };
    let hint = match nearest(&name, known.iter().filter_map(|one| one.strip_prefix(PREFIX))) {
        Some(one) => format!("did you mean {PREFIX}{one}?"),
        None => "runledger serve --help lists all.".to_owned(),
    };
    Err(format!("the environment has {PREFIX}{}, which is no setting; {hint} Unset it or correct it", shown(&name)))
}

/// Whether a variable is one that Kubernetes makes of a service's name.
fn is_of_a_service(rest: &str, value: &str) -> bool {
    let words: Vec<&str> = rest.split('_').collect();
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let is_port =
        |window: &[&str]| window[0] == "PORT" && is_number(window[1]) && ["TCP", "UDP", "SCTP"].contains(&window[2]);
    let is_address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    (words.last() == Some(&"PORT") && is_address)
        || words.windows(2).any(|pair| pair[0] == "SERVICE" && ["HOST", "PORT"].contains(&pair[1]))
        || words.windows(3).any(is_port)
}

/// A name that a terminal can take.
fn shown(name: &str) -> String {
    name.chars().take(128).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &[(&str, &str)]) -> Result<(), String> {
        let known = ["RUNLEDGER_LISTEN", "RUNLEDGER_DATABASE_URL", "RUNLEDGER_CONFIG"].map(str::to_owned).into();
        check_variables(given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())), &known)
    }

    #[test]
    fn a_misspelt_variable_is_refused_with_the_nearest() {
        let given = [("HOME", "/"), ("RUNLEDGER_LISTEN", "x"), ("RUNLEDGER_DATABSE_URL", "postgres://u:hunter2@h/d")];
        let message = check(&given).expect_err("misspelt");
        assert!(message.contains("RUNLEDGER_DATABSE_URL, which is no setting"), "{message}");
        assert!(message.contains("did you mean RUNLEDGER_DATABASE_URL?") && !message.contains("hunter2"), "{message}");
        let message = check(&[("RUNLEDGER_COLOUR", "red")]).expect_err("no such setting");
        assert!(message.contains("--help"), "{message}");
        assert!(check(&[("RUNLEDGER_", "")]).is_err());
        assert!(check(&[("RUNLEDGER_PORT", "8080")]).is_err(), "somebody meant RUNLEDGER_LISTEN");
    }

    #[test]
    fn what_others_set_is_left_alone() {
        let given = [
            ("RUNLEDGER_LISTEN", "127.0.0.1:1"),
            ("runledger_listen", "x"),
            ("MY_RUNLEDGER_X", "x"),
            ("RUNLEDGER_PORT", "tcp://10.0.0.1:8080"),
            ("RUNLEDGER_SERVICE_HOST", "10.0.0.1"),
            ("RUNLEDGER_SERVICE_PORT", "8080"),
            ("RUNLEDGER_SERVICE_PORT_HTTP", "8080"),
            ("RUNLEDGER_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("RUNLEDGER_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("RUNLEDGER_OTLP_GRPC_SERVICE_HOST", "10.0.0.1"),
            ("RUNLEDGER_OTLP_GRPC_PORT_4317_TCP_PROTO", "tcp"),
        ];
        assert_eq!(check(&given), Ok(()));
    }
}
