//! A file system in memory, whose room and whose leave to write can be taken away.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One that is mounted until this is dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`, with a word, where none may be mounted.
    pub fn mount(folder: &Path) -> Option<Self> {
        let disk = Self(folder.to_owned());
        let is_mounted = disk.run("size=64m");
        if !is_mounted {
            println!("skipped: no file system may be mounted here");
        }
        is_mounted.then_some(disk)
    }

    /// Makes it as small as what is in it.
    pub fn fill(&self) {
        let used = Command::new("df").args(["--output=used", "--block-size=1"]).arg(&self.0).output().expect("df");
        let used = String::from_utf8(used.stdout).expect("text").lines().last().unwrap_or_default().trim().to_owned();
        assert!(self.run(&format!("remount,size={used}")), "{used}");
    }

    /// Gives it its room again.
    pub fn empty(&self) {
        assert!(self.run("remount,size=64m"));
    }

    /// Lets nobody write to it any more.
    pub fn close(&self) {
        assert!(self.run("remount,ro"));
    }

    fn run(&self, options: &str) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&self.0);
        mount.output().is_ok_and(|output| output.status.success())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
    }
}
