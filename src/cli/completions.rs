//! `runledger completions`: what a shell completes, from the declarations that the command line is read by.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, said};
use crate::app::AppError;

/// Print completions for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    runledger completions bash > ~/.local/share/bash-completion/completions/runledger\n  \
    runledger completions zsh > \"${fpath[1]}/_runledger\"\n  \
    runledger completions fish > ~/.config/fish/completions/runledger.fish")]
pub(super) struct CompletionsArgs {
    /// The shell that will read them.
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<(), AppError> {
    said::say(script(args.shell).trim_end_matches('\n'))
}

/// The script. It is written to memory first: the generator panics where its output cannot be written.
fn script(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "runledger", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use std::process::Command as Process;

    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_is_told_every_command() {
        let command = Cli::command();
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for subcommand in command.get_subcommands().map(clap::Command::get_name) {
                assert!(script.contains(subcommand), "{shell}: {subcommand}");
            }
            assert!(script.contains("otlp-grpc-listen"), "{shell}");
        }
    }

    #[test]
    fn bash_completes_commands_flags_and_values() {
        let complete = |words: &str| {
            let question = "COMP_WORDS=(runledger $1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); \
                            word=${COMP_WORDS[COMP_CWORD]}; before=${COMP_WORDS[COMP_CWORD - 1]}; \
                            _runledger runledger \"$word\" \"$before\" && printf '%s ' \"${COMPREPLY[@]}\"";
            let script = format!("{}\n{question}", script(Shell::Bash));
            let output = Process::new("bash").args(["-c", &script, "bash", words]).output().expect("bash");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        assert_eq!(complete("ser"), "serve");
        assert_eq!(complete("keys ledger ro"), "rotate");
        assert_eq!(complete("serve --otlp-g"), "--otlp-grpc-listen");
        assert_eq!(complete("completions fi"), "fish");
    }
}
