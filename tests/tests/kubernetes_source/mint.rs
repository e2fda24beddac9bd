//! Tokens of a service account that last as long as a test wants: an API server gives out none for
//! less than ten minutes, so they are signed here, with its key.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use steelyard_tests::cluster::{self, Cluster};

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
/// A whole number of a signature, in bytes.
const NUMBER: usize = 32;

/// Who makes tokens of an account.
pub(crate) struct Mint {
    key: PathBuf,
    namespace: String,
    name: String,
    uid: String,
}

impl Mint {
    /// For an account that is there.
    pub(crate) fn new(cluster: &Cluster, namespace: &str, name: &str) -> Result<Self> {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}");
        let account = cluster.api().get(&path)?;
        let uid = account["metadata"]["uid"].as_str().context("a uid")?.to_owned();
        let key = cluster.kubeconfig().with_file_name("tokens.key");
        Ok(Self { key, namespace: namespace.to_owned(), name: name.to_owned(), uid })
    }

    /// One that is good for so long from now on.
    pub(crate) fn token(&self, lifetime: Duration) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let Self { namespace, name, uid, .. } = self;
        let claims = json!({
            "iss": ISSUER, "aud": [ISSUER], "sub": format!("system:serviceaccount:{namespace}:{name}"),
            "iat": now, "nbf": now, "exp": now + lifetime.as_secs(),
            "kubernetes.io": { "namespace": namespace,
                "serviceaccount": { "name": name, "uid": uid } },
        });
        let head = json!({ "alg": "ES256", "typ": "JWT" });
        let said = format!("{}.{}", encoded(&head), encoded(&claims));
        Ok(format!("{said}.{}", base64(&self.signed(said.as_bytes())?)))
    }

    fn signed(&self, text: &[u8]) -> Result<Vec<u8>> {
        let mut openssl = Command::new("openssl");
        openssl.args(["dgst", "-sha256", "-sign"]).arg(&self.key);
        let mut openssl = openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        openssl.stdin.take().context("it reads")?.write_all(text)?;
        let output = openssl.wait_with_output()?;
        ensure!(output.status.success(), "openssl does not sign");
        let (first, rest) = number(output.stdout.get(2..).context("two numbers")?)?;
        let (second, _) = number(rest)?;
        Ok([first, second].concat())
    }
}

/// Waits until an API server takes a token for nobody's.
pub(crate) fn wait_until_expired(cluster: &Cluster, kubeconfig: &Path, token: &str) -> Result<()> {
    let text = std::fs::read_to_string(kubeconfig)?;
    let server = text.split("https://").nth(1).context("a server")?;
    let server = server.split(['"', '\n', ' ', '/', ',']).next().context("an address")?;
    let url = format!("https://{server}/api/v1/namespaces");
    let header = format!("Authorization: Bearer {token}");
    let asked = ["-sk", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", "-H", &header, &url];
    cluster::until("a token to expire", || {
        let output = cluster.client().output("curl", &asked);
        output.is_ok_and(|it| it.stdout == b"401")
    })
}

/// A number of DER, and what follows it.
fn number(der: &[u8]) -> Result<(Vec<u8>, &[u8])> {
    let [2, length, rest @ ..] = der else { anyhow::bail!("no number") };
    let (digits, rest) = rest.split_at_checked(usize::from(*length)).context("it is cut off")?;
    let zeros = digits.iter().take_while(|it| **it == 0).count();
    let digits = &digits[zeros..];
    ensure!(digits.len() <= NUMBER, "it is too long");
    Ok(([vec![0; NUMBER - digits.len()], digits.to_vec()].concat(), rest))
}

fn encoded(value: &Value) -> String {
    base64(value.to_string().as_bytes())
}

/// For addresses, without padding (RFC 4648 §5).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let of = |part: &[u8]| {
        let bits = (0..3).fold(0_usize, |bits, at| {
            bits << 8 | usize::from(part.get(at).copied().unwrap_or_default())
        });
        let digits = (0..4).map(|at| char::from(DIGITS[bits >> (18 - 6 * at) & 63]));
        digits.take(part.len() + 1).collect::<String>()
    };
    bytes.chunks(3).map(of).collect()
}
