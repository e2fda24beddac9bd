//! The key that seals heartbeats: its file, and `steelyard key`, which makes one.
//!
//! A file has one or two keys, a line of 64 hexadecimal digits each, the newest first. Both are
//! accepted, so that a new one can make its way to all nodes while they go on hearing each other.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use steelyard_speaker::{Key, Keyring};

/// `steelyard key`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct KeyArgs {
    /// The file to make; the same file goes to every node
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Put a new key before the one that the file has, which stays good until the next rotation
    #[arg(long)]
    rotate: bool,
}

const EXAMPLES: &str = "\
Examples:
  steelyard key cluster.key               then copy it to every node: scp, or your secrets' tool
  sudo steelyard up manifests/ --peer 10.1.1.12 --key-file cluster.key
  steelyard key --rotate cluster.key      then copy it again; running nodes take it by themselves

Exit status: 0 made, 2 not.";

const HEAD: &str = "\
# Seals what steelyard's nodes tell each other. Secret; the same file on every node.
# The newest key comes first; the second, if any, is still accepted.
";

/// Digits of a key.
const DIGITS: usize = 64;
/// Bits of a file's mode that let everybody read or write it.
const OTHERS: u32 = 0o006;

/// Runs the command.
///
/// # Errors
/// When the file is there already (or, to rotate, is not), or cannot be written.
pub fn run(args: KeyArgs) -> Result<ExitCode> {
    let fresh = fresh()?;
    if args.rotate {
        let older = read_lines(&args.file)?.remove(0);
        let new = args.file.with_extension("new");
        // A leftover of a run that was killed.
        let _ = std::fs::remove_file(&new);
        create(&new, &[&fresh, &older])?;
        std::fs::rename(&new, &args.file)
            .with_context(|| format!("cannot replace {}", args.file.display()))?;
    } else {
        create(&args.file, &[&fresh])?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The keys in `file`.
///
/// # Errors
/// When it cannot be read, when everybody may read it, or when it is no such file.
pub(crate) fn read(file: &Path) -> Result<Keyring> {
    Ok(keyring(&read_lines(file)?))
}

/// The keys in the content of such a file, which is at `shown`.
///
/// # Errors
/// When it is none.
pub(crate) fn parse(text: &str, shown: &str) -> Result<Keyring> {
    Ok(keyring(&lines(text, shown)?))
}

fn keyring(lines: &[String]) -> Keyring {
    let key = |line: &String| Key::new(bytes(line).expect("looked at while reading"));
    Keyring { newest: key(&lines[0]), older: lines.get(1).map(key) }
}

/// One or two lines of digits.
fn read_lines(file: &Path) -> Result<Vec<String>> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).with_context(|| {
        format!("cannot read the key file {shown}; `steelyard key {shown}` makes one")
    })?;
    let mode = std::fs::metadata(file).map_or(0, |it| it.permissions().mode());
    if mode & OTHERS != 0 {
        bail!("every user of this machine may read the key file {shown}: chmod 600 {shown}");
    }
    lines(&text, &shown.to_string())
}

fn lines(text: &str, shown: &str) -> Result<Vec<String>> {
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if bytes(line).is_none() {
            bail!("{shown}:{}: a key is {DIGITS} hexadecimal digits", number + 1);
        }
        keys.push(line.to_owned());
    }
    match keys.len() {
        1 | 2 => Ok(keys),
        0 => bail!("{shown} has no key; remove it, and `steelyard key {shown}` makes one"),
        count => bail!("{shown} has {count} keys, and only two can be good: remove the others"),
    }
}

fn bytes(line: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        line.chars().map(|it| it.to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
    let pairs: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |high, low| high << 4 | low)).collect();
    (digits.len() == DIGITS).then(|| pairs.try_into().ok())?
}

/// The content of a file with a new key.
///
/// # Errors
/// When the system has no randomness.
pub(crate) fn fresh_file() -> Result<String> {
    Ok(format!("{HEAD}{}\n", fresh()?))
}

fn fresh() -> Result<String> {
    let secret: [u8; DIGITS / 2] = steelyard_host::random::bytes().context("no randomness")?;
    Ok(secret.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("strings take all");
        text
    }))
}

/// Makes a file that only its owner may read; never replaces one.
fn create(file: &Path, keys: &[&str]) -> Result<()> {
    let shown = file.display();
    let mut open = OpenOptions::new();
    let made = open.write(true).create_new(true).mode(0o600).open(file);
    let mut made = match made {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{shown} is there already; --rotate adds a new key to it")
        }
        made => made.with_context(|| format!("cannot make {shown}"))?,
    };
    let text = keys.iter().fold(HEAD.to_owned(), |text, key| text + key + "\n");
    made.write_all(text.as_bytes())
        .and_then(|()| made.sync_all())
        .with_context(|| format!("cannot write {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(file: &Path, rotate: bool) -> Result<ExitCode> {
        run(KeyArgs { file: file.to_owned(), rotate })
    }

    #[test]
    fn a_key_is_made_once_and_rotated_with_the_former_still_good() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cluster.key");
        assert!(make(&file, true).unwrap_err().to_string().contains("steelyard key"));
        make(&file, false).unwrap();
        let first = read(&file).unwrap();
        assert!(first.older.is_none());
        assert!(make(&file, false).unwrap_err().to_string().contains("--rotate"));
        assert_eq!(read(&file).unwrap(), first);
        for _ in 0..2 {
            let before = read(&file).unwrap();
            make(&file, true).unwrap();
            let after = read(&file).unwrap();
            assert_eq!(after.older, Some(before.newest));
            assert_ne!(Some(after.newest), after.older);
        }
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_key_file_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("k");
        let key = "0f".repeat(32);
        for (text, mode, expected) in [
            (format!("{key}\nxyz\n"), 0o600, "k:2: a key is 64 hexadecimal digits"),
            (format!("# only\n\n{}é\n", &key[..62]), 0o600, "k:3: a key is"),
            ("# nothing\n".to_owned(), 0o600, "has no key"),
            (format!("{key}\n{key}\n{key}\n"), 0o600, "has 3 keys"),
            (key.clone(), 0o644, "chmod 600"),
        ] {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = read(&file).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
