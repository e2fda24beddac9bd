//! What this node needs to share vips with others: its name, keys, peers, and what it keeps on
//! disk between starts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use steelyard_host::{private, random};
use steelyard_membership::{Config, HeartbeatTiming, Keyring, Policy};

/// Bytes of what is kept that are read: more than 100,000 vips have.
const LARGEST: u64 = 8 << 20;

/// UDP port of heartbeats.
pub const PORT: u16 = 9181;

/// How this node shares vips with others.
#[derive(Clone, Debug)]
pub struct Membership {
    /// Its name, different from every other node's.
    pub name: String,
    /// What seals the heartbeats.
    pub keys: Keyring,
    /// Nodes that are looked for besides by multicast.
    pub peers: Vec<SocketAddr>,
    /// Where epochs are kept; none keeps them in memory.
    pub kept: Option<PathBuf>,
    /// Waits.
    pub timing: HeartbeatTiming,
    /// With this many nodes configured, only a side with more than half of them answers.
    pub quorum: Option<usize>,
    /// What to do about a machine that is none of ours and claims a vip.
    pub policy: Policy,
    /// Whether a first owner is the one with the fewest vips; otherwise candidates come as listed.
    pub balance: bool,
    /// How long flows outlive the speaker of a node that is not heard any more or has left: where
    /// its kernel carries them by itself. Zero: they end with it.
    pub flows_stay: Duration,
}

/// What is kept: this node's last start, and the highest epoch of each vip.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) start: u64,
    pub(crate) epochs: BTreeMap<IpAddr, u64>,
}

impl Membership {
    /// What suits a LAN of a few nodes.
    pub fn new(name: &str, keys: Keyring) -> Self {
        Self {
            name: name.to_owned(),
            keys,
            peers: Vec::new(),
            kept: None,
            timing: HeartbeatTiming::default(),
            quorum: None,
            policy: Policy::default(),
            balance: true,
            flows_stay: Duration::ZERO,
        }
    }

    /// What a machine of this start is made with, and what was kept, this start included.
    pub(crate) fn begin(&self) -> io::Result<(Config, Kept)> {
        let mut kept = match &self.kept {
            Some(path) => Kept::read(path),
            None => Kept::default(),
        };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let clock = u64::try_from(since.as_millis()).unwrap_or_default();
        kept.start = clock.max(kept.start.saturating_add(1));
        if let Some(path) = &self.kept {
            kept.write(path)?;
        }
        let (salt, seed) = (random::bytes()?, random::bytes()?);
        let config = Config {
            epoch: kept.start,
            salt,
            seed: u64::from_be_bytes(seed),
            kept: kept.epochs.clone(),
            timing: self.timing,
            quorum: self.quorum,
            policy: self.policy,
            balance: self.balance,
            flows_stay: self.flows_stay,
            ..Config::new(&self.name, self.keys.clone())
        };
        Ok((config, kept))
    }
}

/// Writes what is kept on threads that may block, one at a time; what is older than what was
/// written is left out, in whichever order they come to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keeper {
    /// How often it was told to write.
    orders: u64,
    /// The last that was carried out.
    written: Arc<Mutex<u64>>,
}

impl Keeper {
    /// A writing that may be carried out anywhere, later.
    pub(crate) fn order(
        &mut self,
        kept: &Kept,
        path: PathBuf,
    ) -> impl FnOnce() -> io::Result<()> + Send + use<> {
        self.orders += 1;
        let (order, written, kept) = (self.orders, Arc::clone(&self.written), kept.clone());
        move || {
            let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
            if *written > order {
                return Ok(());
            }
            *written = order;
            kept.write(&path)
        }
    }
}

impl Kept {
    /// What the file says. Lines that make no sense are left out, and all of what is no file of
    /// ours: peers know better.
    fn read(path: &Path) -> Self {
        let mut kept = Self::default();
        let bytes = match private::read(path, LARGEST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return kept,
            Err(error) => {
                tracing::warn!(%error, "epochs are not read from {}", path.display());
                return kept;
            }
        };
        for line in String::from_utf8_lossy(&bytes).lines() {
            let Some((key, value)) = line.split_once(' ') else { continue };
            let Ok(value) = value.trim().parse() else { continue };
            match key.parse() {
                Ok(vip) => drop(kept.epochs.insert(vip, value)),
                Err(_) if key == "start" => kept.start = value,
                Err(_) => {}
            }
        }
        kept
    }

    /// Replaces the file.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = format!("start {}\n", self.start);
        for (vip, epoch) in &self.epochs {
            writeln!(text, "{vip} {epoch}").expect("strings take all");
        }
        if let Some(folder) = path.parent() {
            private::folder(folder)?;
        }
        private::replace(path, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_and_each_start_is_later() {
        let folder = std::env::temp_dir().join(format!("sy-kept-{}", std::process::id()));
        let path = folder.join("epochs");
        let keys = Keyring::new(steelyard_membership::Key::new([1; 32]));
        let membership = Membership { kept: Some(path.clone()), ..Membership::new("a", keys) };
        let (first, mut kept) = membership.begin().unwrap();
        kept.epochs.insert([10, 0, 0, 1].into(), 7);
        kept.epochs.insert("fd00::1".parse().unwrap(), 8);
        kept.write(&path).unwrap();
        let (second, again) = membership.begin().unwrap();
        assert_eq!(second.kept, kept.epochs);
        assert!(second.epoch > first.epoch && again.start == second.epoch);
        assert_ne!(first.salt, second.salt);
        // As threads come to it: the older one later, and all at the same time.
        let mut keeper = Keeper::default();
        let mut order = |epoch| {
            kept.epochs.insert([10, 0, 0, 1].into(), epoch);
            keeper.order(&kept, path.clone())
        };
        let (older, newer) = (order(9), order(10));
        newer().unwrap();
        older().unwrap();
        assert_eq!(Kept::read(&path).epochs[&IpAddr::from([10, 0, 0, 1])], 10);
        let many: Vec<_> = (11..=40).map(|epoch| std::thread::spawn(order(epoch))).collect();
        many.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
        assert_eq!(Kept::read(&path).epochs[&IpAddr::from([10, 0, 0, 1])], 40);
        std::fs::write(&path, "nonsense\nstart x\n10.0.0.1 9\n").unwrap();
        assert_eq!(Kept::read(&path).epochs.len(), 1);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_no_file_of_ours_says_nothing_and_is_replaced() {
        let folder = private::fresh_folder(&std::env::temp_dir(), "sy-kept").unwrap();
        let (path, elsewhere) = (folder.join("epochs"), folder.join("elsewhere"));
        let line = "10.0.0.1 9\n";
        let keys = Keyring::new(steelyard_membership::Key::new([1; 32]));
        let membership = Membership { kept: Some(path.clone()), ..Membership::new("a", keys) };
        let nothing_is_read = || {
            assert_eq!(membership.begin().unwrap().1.epochs.len(), 0);
            assert!(std::fs::symlink_metadata(&path).unwrap().is_file());
        };

        std::fs::write(&elsewhere, line).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        nothing_is_read();
        assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), line, "it is written through");

        // Who opens a pipe waits for whoever writes into it.
        std::fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        nothing_is_read();

        // One that has no end takes no memory: only its length is there.
        std::fs::write(&path, line).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(LARGEST + 1).unwrap();
        nothing_is_read();

        // What is no text here and there costs only itself.
        std::fs::write(&path, [b"\xff\n", line.as_bytes()].concat()).unwrap();
        assert_eq!(Kept::read(&path).epochs.len(), 1);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
