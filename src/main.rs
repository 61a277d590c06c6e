//! The `runledger` command.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // With huge pages the allocator's first arena alone would hold 26 MB, and no request would be faster. The allocator is
    // told not to ask for them (`no_thp`), which a kernel that gives them unasked does not heed. One that does not know
    // the setting has none to turn off.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    runledger::cli::run(std::env::args_os())
}
