//! Rules of iptables-legacy, which live beside nftables and which `nft` does not show.
//!
//! The kernel names the tables that are in force. Reading them takes iptables' own programs, which
//! print them, and print them again in nft's words.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// What is known of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Legacy {
    /// There are none, or this process may not know.
    None,
    /// In nft's words, as `iptables-restore-translate` prints them.
    Translated(String),
    /// There are some, and the programs to read them are not installed.
    Unread,
}

/// For each family: what the kernel names its tables in, and the programs that read them.
const FAMILIES: [[&str; 3]; 2] = [
    ["/proc/thread-self/net/ip_tables_names", "iptables-legacy-save", "iptables-restore-translate"],
    [
        "/proc/thread-self/net/ip6_tables_names",
        "ip6tables-legacy-save",
        "ip6tables-restore-translate",
    ],
];

/// Reads all of them, of the calling thread's network namespace.
pub async fn read() -> Legacy {
    let mut all = String::new();
    let mut is_there = false;
    for [names, save, translate] in FAMILIES {
        let named = std::fs::read_to_string(names).unwrap_or_default();
        if named.trim().is_empty() {
            continue;
        }
        is_there = true;
        match translated(save, translate).await {
            Ok(text) => all.push_str(&text),
            Err(error) => {
                tracing::debug!(%error, "{save}");
                return Legacy::Unread;
            }
        }
    }
    if is_there { Legacy::Translated(all) } else { Legacy::None }
}

async fn translated(save: &str, translate: &str) -> std::io::Result<String> {
    let saved = output(save, &[], "").await?;
    // Tables without a rule, as one look at them makes, do nothing.
    let is_empty = |line: &str| match line.strip_prefix(':') {
        Some(chain) => chain.contains(" ACCEPT "),
        None => !line.starts_with('-'),
    };
    if saved.lines().all(is_empty) {
        return Ok(String::new());
    }
    output(translate, &["-f", "/dev/stdin"], &saved).await
}

async fn output(program: &str, arguments: &[&str], input: &str) -> std::io::Result<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut child = Command::new(program)
        .args(arguments)
        // An ordinary user's lacks them.
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().expect("stdin was asked to be piped");
    let feed = async move {
        let _ = stdin.write_all(input.as_bytes()).await;
    };
    let ((), output) = tokio::join!(feed, child.wait_with_output());
    let output = output?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(std::io::Error::other(format!("{program} ended with {}", output.status)))
    }
}
