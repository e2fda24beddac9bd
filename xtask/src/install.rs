//! What the tests need beside Rust: Debian packages, cargo tools kept by version, and the parts of
//! a Kubernetes cluster.
//!
//! As root the packages are installed; otherwise it is said what to install, and the tests that
//! need them list themselves as skipped.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::shell;

/// A program the tests call, or a part of one by its path, and the Debian package that has it.
const PACKAGES: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("conntrack", "conntrack"),
    ("arping", "arping"),
    ("ndisc6", "ndisc6"),
    ("ping", "iputils-ping"),
    ("curl", "curl"),
    ("iptables-legacy", "iptables"),
    ("ufw", "ufw"),
    ("dbus-daemon", "dbus"),
    ("firewalld", "firewalld"),
    ("chromium", "chromium"),
    ("certutil", "libnss3-tools"),
    ("gnutls-cli", "gnutls-bin"),
    ("nginx", "nginx-light"),
    ("/usr/lib/nginx/modules/ngx_stream_module.so", "libnginx-mod-stream"),
    ("haproxy", "haproxy"),
    ("pg_ctlcluster", "postgresql"),
    ("mariadbd", "mariadb-server"),
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
    ("keepalived", "keepalived"),
    ("systemd-analyze", "systemd"),
    ("setpriv", "util-linux"),
    ("openssl", "openssl"),
    ("faketime", "faketime"),
    ("dnsmasq", "dnsmasq-base"),
    ("dig", "bind9-dnsutils"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("promtool", "prometheus"),
    ("qemu-aarch64-static", "qemu-user-static"),
];

/// The same of what measurements call.
const FOR_BENCH: &[(&str, &str)] = &[("h2load", "nghttp2-client"), ("caddy", "caddy")];

/// Licences, bans and sources of dependencies.
pub(crate) const CARGO_DENY: (&str, &str) = ("cargo-deny", "0.20.2");
/// Changes the code and looks whether a test fails.
pub(crate) const CARGO_MUTANTS: (&str, &str) = ("cargo-mutants", "27.1.0");

/// Zig's compiler of C, from PyPI's package of this name: it builds for other machines.
const ZIG: (&str, &str) = ("ziglang", "0.17.1");

/// Installs the packages of the tests whose programs are missing, when we may.
pub(crate) fn packages() -> Result<()> {
    install(PACKAGES)
}

/// The same, with those of the measurements.
pub(crate) fn packages_for_bench() -> Result<()> {
    install(&[PACKAGES, FOR_BENCH].concat())
}

fn install(packages: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .filter(|(program, _)| !shell::has(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !shell::is_root()? || !shell::has("apt-get") {
        println!("these packages are missing, tests that need them are skipped: {list}");
        println!("  sudo apt-get install {list}");
        return Ok(());
    }
    let quiet = [("DEBIAN_FRONTEND", "noninteractive"), ("RUNLEVEL", "1")];
    shell::run("apt-get", &["update", "-qq"], &quiet)?;
    let mut args = vec!["install", "-y", "-qq", "--no-install-recommends"];
    args.extend(missing);
    shell::run("apt-get", &args, &quiet)
}

/// The path of a cargo tool, built once per version and kept outside `target/`.
pub(crate) fn cargo_tool(tool: (&str, &str)) -> Result<PathBuf> {
    let (name, version) = tool;
    let folder = kept(tool)?;
    let program = folder.join("bin").join(name);
    if !program.is_file() {
        let root = folder.to_string_lossy().into_owned();
        let args = ["install", name, "--locked", "--version", version, "--root", &root];
        shell::run("cargo", &args, &[])?;
    }
    Ok(program)
}

/// Where a tool is kept, by version and outside `target/`.
fn kept((name, version): (&str, &str)) -> Result<PathBuf> {
    let home = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .with_context(|| {
            format!("neither XDG_CACHE_HOME nor HOME is set: where to keep {name}?")
        })?;
    Ok(home.join("steelyard").join(format!("{name}-{version}")))
}

/// Whether there is a pip to install what is no Debian package.
pub(crate) fn has_pip() -> bool {
    let asked = std::process::Command::new("python3").args(["-m", "pip", "--version"]).output();
    asked.is_ok_and(|output| output.status.success())
}

/// The path of Zig, installed once per version.
pub(crate) fn zig() -> Result<PathBuf> {
    let folder = kept(ZIG)?;
    let program = folder.join("ziglang/zig");
    if !program.is_file() {
        let package = format!("{}=={}", ZIG.0, ZIG.1);
        let target = folder.to_string_lossy().into_owned();
        let args = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", &target, &package];
        shell::run("python3", &args, &[])?;
    }
    Ok(program)
}

/// Installs the scanner of TLS, where there is a pip, and the OpenID provider, where there is an
/// npm, and builds the parts of a Kubernetes cluster, oauth2-proxy, and the peers of HTTP/2 and TLS
/// that tests run, where there is Go; they are kept by version too, and take minutes at first.
pub(crate) fn peers() -> Result<()> {
    if has_pip() {
        shell::run::<&str>("tests/sslyze/build", &[], &[])?;
    } else {
        println!("there is no pip: the test that scans `websecure` is skipped");
    }
    if shell::has("npm") {
        shell::run::<&str>("tests/oidc/build", &[], &[])?;
    } else {
        println!("there is no npm: the test that logs in at an OpenID provider is skipped");
    }
    if !shell::has("go") {
        println!("there is no Go: tests that need a cluster or peers of HTTP/2 or TLS are skipped");
        return Ok(());
    }
    // What Go keeps of the way there is gigabytes that nobody needs again.
    let cache = crate::root().join("target/go-build");
    let kept = cache.to_string_lossy().into_owned();
    let builds = ["tests/http2", "tests/tls", "tests/oauth2", "tests/kubernetes"];
    for build in builds.map(|folder| format!("{folder}/build")) {
        shell::run::<&str>(&build, &[], &[("GOCACHE", &kept)])?;
    }
    if cache.exists() {
        std::fs::remove_dir_all(&cache)?;
    }
    Ok(())
}
