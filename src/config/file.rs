//! `runledger.toml`: its keys become the defaults of the arguments, below environment and flags. So no setting is named
//! a second time, and a file's value is read and refused exactly like a flag's.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use toml::{Table, Value};

use super::names::nearest;
use super::settings::Settings;

const FILE_NAME: &str = "runledger.toml";
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A settings file that cannot be used.
#[derive(Debug)]
pub struct FileError {
    path: PathBuf,
    message: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.message)
    }
}

impl std::error::Error for FileError {}

/// The file that is read where none is named: `runledger.toml` in the current folder, when there is one.
#[must_use]
pub fn default_path() -> Option<PathBuf> {
    let path = PathBuf::from(FILE_NAME);
    path.is_file().then_some(path)
}

/// The settings of a file: argument ids with their values as text.
#[derive(Debug, Default)]
pub struct FileSettings(Vec<(String, String)>);

impl FileSettings {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, or holds a key that is no setting: with the nearest one that is.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let refuse = |message: String| FileError { path: path.to_owned(), message };
        let size = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?.len();
        if size > FILE_BYTES_MAX {
            return Err(refuse(format!("it has {size} bytes; a settings file has at most {FILE_BYTES_MAX}")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        Self::parse(&text).map_err(refuse)
    }

    /// Reads a file's text. Keys are the names of flags; `trace-settle`, `trace_settle` and `settle` in `[trace]` are one.
    ///
    /// # Errors
    /// What is wrong and, for an unknown key, the nearest setting.
    pub fn parse(text: &str) -> Result<Self, String> {
        // The parser's full message quotes the line, which may hold a secret.
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            format!("not TOML: line {line}: {}", error.message())
        })?;
        let known: Vec<String> = known_settings().into_iter().map(|(name, _)| name).collect();
        let mut settings = Vec::new();
        flatten("", &table, &mut settings)?;
        for (position, (key, _)) in settings.iter().enumerate() {
            if !known.contains(key) {
                return Err(unknown(key, &known));
            }
            if settings[..position].iter().any(|(other, _)| other == key) {
                return Err(format!("the setting {} stands in it twice", shown(key)));
            }
        }
        Ok(Self(settings))
    }

    /// Lays the file's values under environment and flags, in every subcommand that has the setting.
    #[must_use]
    pub fn lay_under(&self, command: Command) -> Command {
        let command = self.0.iter().fold(command, |command, (key, value)| {
            let has_setting = command.get_arguments().any(|argument| argument.get_id() == key.as_str());
            if has_setting { command.mut_arg(key, |argument| argument.default_value(value.clone())) } else { command }
        });
        command.mut_subcommands(|subcommand| self.lay_under(subcommand))
    }
}

/// The names of all settings, as argument ids, and their defaults as text.
#[must_use]
pub fn known_settings() -> Vec<(String, String)> {
    let command = Settings::augment_args(Command::new("settings"));
    let default = |argument: &clap::Arg| {
        let values = argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned());
        values.collect::<Vec<_>>().join(",")
    };
    command.get_arguments().map(|argument| (argument.get_id().to_string(), default(argument))).collect()
}

fn flatten(prefix: &str, table: &Table, settings: &mut Vec<(String, String)>) -> Result<(), String> {
    for (key, value) in table {
        let key = format!("{prefix}{}", key.replace('-', "_"));
        match value {
            Value::Table(table) => flatten(&format!("{key}_"), table, settings)?,
            Value::Array(items) => {
                let items: Result<Vec<String>, String> = items.iter().map(|item| scalar(&key, item)).collect();
                settings.push((key, items?.join(",")));
            }
            value => settings.push((key.clone(), scalar(&key, value)?)),
        }
    }
    Ok(())
}

fn scalar(key: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Boolean(is_set) => Ok(is_set.to_string()),
        other => Err(format!(
            "{}: a {} is no setting's value; write text, a number, true or false, or a list of text",
            shown(key),
            other.type_str()
        )),
    }
}

fn shown(key: &str) -> String {
    key.replace('_', "-")
}

fn unknown(key: &str, known: &[String]) -> String {
    match nearest(key, known.iter().map(String::as_str)) {
        Some(name) => format!("there is no setting {}; did you mean {}?", shown(key), shown(name)),
        None => format!("there is no setting {}; runledger serve --help lists all", shown(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_key_are_one() {
        for text in ["trace-settle = '1s'", "trace_settle = '1s'", "[trace]\nsettle = '1s'", "trace.settle = '1s'"] {
            let settings = FileSettings::parse(text).expect(text);
            assert_eq!(settings.0, [("trace_settle".to_owned(), "1s".to_owned())], "{text}");
        }
        let twice = FileSettings::parse("trace-settle = '1s'\ntrace_settle = '2s'").expect_err("twice");
        assert!(twice.contains("twice"), "{twice}");
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest() {
        let error = FileSettings::parse("databse-url = 'x'").expect_err("no such setting");
        assert_eq!(error, "there is no setting databse-url; did you mean database-url?");
        let error = FileSettings::parse("colour = 'red'").expect_err("no such setting");
        assert!(error.contains("--help"), "{error}");
    }

    #[test]
    fn a_broken_file_does_not_show_its_lines() {
        let error = FileSettings::parse("listen = 'x'\njwt-hs256-secret = 'hunter2").expect_err("no TOML");
        assert!(error.contains("line 2") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn dates_are_no_values() {
        assert!(FileSettings::parse("listen = 2026-01-01").expect_err("date").contains("listen"));
    }
}
