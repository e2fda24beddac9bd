//! What has in common whoever notices what other programs do to the kernel's settings.

use std::fmt::Debug;
use std::io;

/// Tells of changes, with the netlink port of whoever made them; so what we did ourselves is told
/// apart.
pub trait KernelWatch: Debug {
    /// What is told.
    type Doings: Doings;

    /// Of what, for a log line.
    const OF: &str;

    /// What comes through this port of netlink is ours from now on.
    fn is_own(&mut self, port: u32);

    /// Waits until there is something to read. Nothing is lost when the wait is given up.
    fn readable(&self) -> impl Future<Output = io::Result<()>>;

    /// Reads all that there is: what others did since the last time.
    fn read(&mut self) -> io::Result<Self::Doings>;
}

/// What others did. By default nothing.
pub trait Doings: Debug + Default + PartialEq {
    /// Adds what they did later.
    fn merge(&mut self, later: Self);

    /// Whether what is watched may not be as we left it.
    fn touches(&self) -> bool;

    /// Whether they did more than could be followed.
    fn is_lost(&self) -> bool;
}
