//! A tar archive in memory (POSIX ustar): the same bytes from the same content, whenever it is
//! made and whoever makes it.

/// Size of its blocks.
const BLOCK: usize = 512;

/// An archive to which entries are added.
#[derive(Debug, Default)]
pub(super) struct Tar(Vec<u8>);

impl Tar {
    /// Adds a folder that belongs to a user.
    pub(super) fn folder(&mut self, path: &str, mode: u32, user: u32) {
        self.entry(path, mode, user, b'5', &[]);
    }

    /// Adds a file that belongs to root.
    pub(super) fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entry(path, mode, 0, b'0', content);
    }

    /// The archive, with its end.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 2 * BLOCK, 0);
        self.0
    }

    fn entry(&mut self, path: &str, mode: u32, user: u32, kind: u8, content: &[u8]) {
        assert!(path.len() <= 100, "a path that fits: {path}");
        let mut head = [0; BLOCK];
        let mut put = |at: usize, text: &str| {
            head[at..at + text.len()].copy_from_slice(text.as_bytes());
        };
        put(0, path);
        put(100, &format!("{mode:07o}"));
        put(108, &format!("{user:07o}"));
        put(116, &format!("{user:07o}"));
        put(124, &format!("{:011o}", content.len()));
        put(136, "00000000000");
        // The sum is taken as if blanks stood in its own place.
        put(148, "        ");
        put(257, "ustar\u{0}00");
        head[156] = kind;
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        self.0.extend_from_slice(&head);
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
    }
}
