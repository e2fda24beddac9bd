//! Runs the `nft` program: a batch on its standard input (one transaction), or a listing.
//!
//! It knows nothing of what is in the batch. Why a program and not netlink: the text is documented,
//! stable across kernels, and what `nft list ruleset` then shows to the user is what was asked for.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The `nft` program of this host.
#[derive(Clone, Debug)]
pub struct Nft {
    program: PathBuf,
    patience: Duration,
}

/// The program at work. Dropping it ends it.
#[derive(Debug)]
pub struct NftRun {
    child: Child,
    input: String,
    patience: Duration,
}

/// Why a batch or a listing did not come about. Nothing of a batch that was refused is in force.
#[derive(Debug, thiserror::Error)]
pub enum NftError {
    /// Not installed.
    #[error("the program `nft` is not installed")]
    Missing,
    /// It could not be run.
    #[error("cannot run nft: {0}")]
    Run(#[from] std::io::Error),
    /// The kernel wants more privileges.
    #[error("nft may not change the firewall: CAP_NET_ADMIN is missing")]
    Denied,
    /// It refused; its own words.
    #[error("nft refused: {0}")]
    Refused(String),
    /// It did not come to its end: whether the batch is in force nobody knows.
    #[error("nft did not come to its end: {0}")]
    Unfinished(String),
}

/// Many times what it takes with tens of thousands of vips on a small machine.
const PATIENCE: Duration = Duration::from_secs(30);

impl Nft {
    /// Looks for the program in `PATH` and in the places where Debian, Fedora and Alpine keep it
    /// (an ordinary user's `PATH` often lacks them).
    pub fn find() -> Result<Self, NftError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let system = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
        Self::find_in(std::env::split_paths(&path).chain(system))
    }

    fn find_in(folders: impl Iterator<Item = PathBuf>) -> Result<Self, NftError> {
        folders
            .map(|folder| folder.join("nft"))
            .find(|program| program.is_file())
            .map(|program| Self { program, patience: PATIENCE })
            .ok_or(NftError::Missing)
    }

    /// Runs one batch: all of it takes force at once, or nothing does. `ran` is told the netlink
    /// port that the changes come from.
    pub async fn run(&self, batch: &str, ran: impl FnOnce(u32)) -> Result<(), NftError> {
        let run = self.begin(batch)?;
        run.port().map(ran);
        run.end().await.map(drop)
    }

    /// The same, of which the end is waited for by whoever wants to.
    pub fn begin(&self, batch: &str) -> Result<NftRun, NftError> {
        self.call(&["-f", "-"], batch)
    }

    /// Everything but the elements of named sets, which may be many: `nft --terse list ruleset`.
    /// (For less than everything nft 1.0 reads all elements, terse or not.) Text and not JSON: the
    /// text shows the rules that iptables made in nft's own words, the JSON leaves them out.
    pub async fn ruleset(&self) -> Result<String, NftError> {
        self.call(&["--terse", "list", "ruleset"], "")?.end().await
    }

    fn call(&self, arguments: &[&str], input: &str) -> Result<NftRun, NftError> {
        let child = Command::new(&self.program)
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        Ok(NftRun { child, input: input.to_owned(), patience: self.patience })
    }
}

impl NftRun {
    /// The netlink port that its changes come from: what the kernel gives a program is its number.
    pub fn port(&self) -> Option<u32> {
        self.child.id()
    }

    /// Hands it the batch, and waits for its end; what it printed.
    pub async fn end(self) -> Result<String, NftError> {
        let Self { child, input, patience } = self;
        let output = timeout(patience, fed(child, &input)).await;
        outcome(output.map_err(|_| late(patience))??)
    }
}

/// Gives it all of `input`, and waits for its end.
async fn fed(mut child: Child, input: &str) -> Result<Output, NftError> {
    let mut stdin = child.stdin.take().expect("stdin was asked to be piped");
    let feed = async move {
        // A program that ends early closes its input; its exit status says why.
        let _ = stdin.write_all(input.as_bytes()).await;
    };
    let ((), output) = tokio::join!(feed, child.wait_with_output());
    output.map_err(|error| NftError::Unfinished(error.to_string()))
}

fn late(patience: Duration) -> NftError {
    NftError::Unfinished(format!("it took longer than {} s", patience.as_secs()))
}

fn outcome(output: Output) -> Result<String, NftError> {
    match output.status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Some(_) => Err(refusal(&String::from_utf8_lossy(&output.stderr))),
        None => Err(NftError::Unfinished(output.status.to_string())),
    }
}

/// The part of nft's complaint that tells: the lines with `Error:`, few of them.
fn refusal(stderr: &str) -> NftError {
    if stderr.contains("Operation not permitted") {
        return NftError::Denied;
    }
    let told: Vec<&str> = stderr.lines().filter(|line| line.contains("Error:")).take(3).collect();
    let told = if told.is_empty() { stderr.trim().to_owned() } else { told.join("; ") };
    NftError::Refused(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netns::{self, Namespace};

    #[test]
    fn a_host_without_nft_is_told_so() {
        let error = Nft::find_in([PathBuf::from("/proc/self")].into_iter()).unwrap_err();
        assert!(matches!(error, NftError::Missing), "{error}");
        assert!(error.to_string().contains("`nft` is not installed"));
    }

    #[test]
    fn a_program_that_breaks_off_or_never_ends_is_told_from_one_that_refuses() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // It takes a batch as `nft` does, with the same arguments. (A program that the test writes
        // may be busy: any child of another test has it open for a moment.)
        let program = PathBuf::from("/bin/sh");
        let run = |script: &str, patience| {
            let nft = Nft { program: program.clone(), patience };
            let mut ran = None;
            let outcome = runtime.block_on(nft.run(script, |it| ran = Some(it)));
            assert!(ran.is_some(), "its changes are ours, however it ended");
            outcome.unwrap_err()
        };
        let refused = run("echo 'Error: no memory' >&2; exit 1", PATIENCE);
        assert!(matches!(&refused, NftError::Refused(said) if said.contains("no memory")));
        for (script, patience, said) in [
            ("kill -9 $$", PATIENCE, "SIGKILL"),
            ("exec sleep 60", Duration::from_millis(50), "it took longer than"),
        ] {
            let error = run(script, patience);
            assert!(matches!(&error, NftError::Unfinished(it) if it.contains(said)), "{error}");
        }
    }

    /// Sets of others may have hundreds of thousands: reading them takes seconds.
    #[test]
    fn the_ruleset_is_listed_without_the_elements_of_sets() {
        if let Some(why) = netns::unavailable() {
            return eprintln!("skipped: {why}");
        }
        let namespace = Namespace::create("host-terse").unwrap();
        let listed = namespace.run(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let nft = Nft::find().unwrap();
                let batch = "table ip t {
  set s { type ipv4_addr; elements = { 10.0.0.77 }
  }
  chain c { ip saddr @s drop; tcp dport { 22, 80 } accept; }
}
";
                nft.run(batch, |_| {}).await.unwrap();
                nft.ruleset().await.unwrap()
            })
        });
        let listed = listed.unwrap();
        assert!(listed.contains("ip saddr @s drop"), "{listed}");
        assert!(listed.contains("tcp dport { 22, 80 } accept"), "{listed}");
        assert!(!listed.contains("10.0.0.77"), "{listed}");
    }

    #[test]
    fn a_complaint_is_shortened_to_its_errors() {
        let table = [
            ("netlink: Error: cache initialization failed: Operation not permitted\n", "CAP_NET"),
            ("-:1:1-3: Error: No such file or directory\nlist table\n     ^^^\n", "No such file"),
            ("killed", "nft refused: killed"),
        ];
        for (stderr, want) in table {
            let said = refusal(stderr).to_string();
            assert!(said.contains(want), "{stderr:?} gave {said:?}");
            assert!(!said.contains("^^^"), "{said:?}");
        }
    }
}
