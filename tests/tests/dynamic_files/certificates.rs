//! Certificates, keys and who is believed, in files that dynamic configuration names: they are
//! shown, asked for, renewed, and cost what needs them where they cannot be read.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use steelyard_tests::http;
use steelyard_tests::process::{Running, run};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::Up;
use steelyard_tests::wait;

use super::Home;

/// A folder with certificates, which `openssl` makes.
struct Keys(Scratch);

impl Keys {
    /// With an authority, and what it has signed: for servers `own`, for who asks `client`.
    fn new() -> Result<Self> {
        let keys = Self(Scratch::new()?);
        keys.authority("ca")?;
        keys.sign("own", "ca", "subjectAltName=DNS:nas.test,DNS:mutual.test,IP:127.0.0.1")?;
        keys.sign("client", "ca", "subjectAltName=DNS:client.test")?;
        Ok(keys)
    }

    fn openssl(&self, words: &str) -> Result<String> {
        let mut command = Command::new("openssl");
        command.args(words.split_whitespace()).current_dir(self.0.path());
        run(command)
    }

    fn authority(&self, name: &str) -> Result<()> {
        self.openssl(&format!(
            "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 30 \
             -subj /CN={name} -keyout {name}.key -out {name}.pem"
        ))
        .map(drop)
    }

    fn sign(&self, name: &str, by: &str, lines: &str) -> Result<()> {
        self.openssl(&format!(
            "req -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN={name} \
             -keyout {name}.key -out {name}.csr"
        ))?;
        std::fs::write(self.0.file("lines"), lines)?;
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {by}.pem -CAkey {by}.key -days 30 -extfile lines \
             -out {name}.pem"
        ))
        .map(drop)
    }

    fn path(&self, name: &str) -> String {
        self.0.file(name).display().to_string()
    }

    /// A server that shows `own`.
    fn server(&self, more: &[&str]) -> Result<(Running, SocketAddr)> {
        let address = SocketAddr::from(([127, 0, 0, 1], http::free_port()?));
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", &address.to_string(), "-www"]);
        command.args(["-cert", "own.pem", "-key", "own.key"]).args(more);
        command.current_dir(self.0.path());
        let mut running = Running::start(command)?;
        running.wait_for("ACCEPT")?;
        Ok((running, address))
    }

    /// What the gateway answers over TLS to who believes `ca`; an error where nothing is agreed.
    fn ask(&self, up: &Up, host: &str, ca: &str, shown: Option<&str>) -> Result<String> {
        let port = up.websecure.port();
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "10", "--cacert", ca]).current_dir(self.0.path());
        if let Some(name) = shown {
            curl.args(["--cert", &format!("{name}.pem"), "--key", &format!("{name}.key")]);
        }
        curl.args(["--resolve", &format!("{host}:{port}:127.0.0.1")]);
        curl.arg(format!("https://{host}:{port}/"));
        run(curl)
    }
}

/// The way to a file from where the program runs.
fn relative(path: &str) -> Result<String> {
    let depth = std::env::current_dir()?.components().count() - 1;
    Ok(format!("{}{}", "../".repeat(depth), path.trim_start_matches('/')))
}

fn files(keys: &Keys, (nas, server): (SocketAddr, SocketAddr)) -> Result<String> {
    let [own, key, ca] = ["own.pem", "own.key", "ca.pem"].map(|name| keys.path(name));
    let [shown, shown_key, later] =
        ["client.pem", "client.key", "later/ca.pem"].map(|name| keys.path(name));
    let inline = std::fs::read_to_string(keys.0.file("ca.pem"))?.replace('\n', "\\n");
    Ok(format!(
        "tls:\n  certificates: [{{certFile: {own}, keyFile: {}}}]\n  options:\n    \
         mutual: {{clientAuth: {{caFiles: [\"{inline}\"]}}}}\n    \
         closed: {{clientAuth: {{caFiles: [{later}]}}}}\n\
         http:\n  routers:\n    \
         nas: {{rule: Host(`nas.test`), service: nas, tls: {{}}}}\n    \
         mutual: {{rule: Host(`mutual.test`), service: nas, tls: {{options: mutual}}}}\n    \
         closed: {{rule: Host(`closed.test`), service: nas, tls: {{options: closed}}}}\n    \
         origin: {{rule: Host(`origin.test`), entryPoints: [web], service: origin}}\n    \
         later: {{rule: Host(`later.test`), entryPoints: [web], service: later}}\n  \
         serversTransports:\n    \
         origin: {{rootCAs: [{ca}], certificates: [{{certFile: {shown}, keyFile: {shown_key}}}]}}\n    \
         later: {{rootCAs: [{later}], certificates: [{{certFile: {shown}, keyFile: {shown_key}}}]}}\n  \
         services:\n    \
         nas: {{loadBalancer: {{servers: [{{url: 'http://{nas}'}}]}}}}\n    \
         origin: {{loadBalancer: {{servers: [{{url: 'https://{server}'}}], serversTransport: origin}}}}\n    \
         later: {{loadBalancer: {{servers: [{{url: 'https://{server}'}}], serversTransport: later}}}}\n",
        relative(&key)?
    ))
}

#[test]
fn certificates_stand_in_files() -> Result<()> {
    let (home, keys) = (Home::new()?, Keys::new()?);
    // It takes who shows what `ca` has signed.
    let mutual = ["-Verify", "1", "-verify_return_error", "-CAfile", "ca.pem"];
    let (_server, server) = keys.server(&mutual)?;
    home.write("home.yml", &files(&keys, (home.nas.address, server))?)?;
    let up = home.start(&[])?;
    up.wait_for("origin.test", 200)?;
    ensure!(keys.ask(&up, "nas.test", "ca.pem", None)?.contains("name:    nas\n"));
    ensure!(keys.ask(&up, "mutual.test", "ca.pem", None).is_err(), "nobody is let in without");
    ensure!(keys.ask(&up, "mutual.test", "ca.pem", Some("client"))?.contains("name:    nas\n"));
    what_cannot_be_read_closes_what_needs_it(&up, &keys)?;
    // What is renewed is shown, by who has signed it; a file that is taken away stands.
    keys.authority("new")?;
    keys.sign("own", "new", "subjectAltName=DNS:nas.test")?;
    wait::until("the new certificate", || keys.ask(&up, "nas.test", "new.pem", None).is_ok())?;
    std::fs::remove_file(keys.0.file("own.pem"))?;
    wait::until("that a file is gone is said", || said(&up, &keys.path("own.pem")).is_some())?;
    keys.ask(&up, "nas.test", "new.pem", None).map(drop)
}

/// A folder that is moved away or covered for a moment, and a file that turns into something else,
/// take nothing away of what they name elsewhere.
#[test]
fn certificates_stand_while_what_names_them_cannot_be_read() -> Result<()> {
    let (home, keys) = (Home::new()?, Keys::new()?);
    let text = files(&keys, (home.nas.address, home.nas.address))?;
    let text = text.replace("caFiles: [\"", &format!("caFiles: [{}, \"", keys.path("ca.pem")));
    home.write("home.yml", &text)?;
    let up = home.start(&[])?;
    let folder = home.dynamic.path().to_owned();
    let file = folder.join("home.yml");
    let away = folder.with_extension("away");
    let beside = Scratch::new()?;
    let serves = || -> Result<()> {
        ensure!(keys.ask(&up, "nas.test", "ca.pem", None)?.contains("name:    nas\n"));
        ensure!(keys.ask(&up, "mutual.test", "ca.pem", None).is_err(), "nobody is let in");
        let answer = keys.ask(&up, "mutual.test", "ca.pem", Some("client"))?;
        ensure!(answer.contains("name:    nas\n"), "{answer}");
        Ok(())
    };
    wait::until("certificates", || serves().is_ok())?;
    let named = file.display().to_string();
    let shell = |script: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-ec", script, "sh"]).args([&*folder, &*away, &*file, beside.path()]);
        run(shell).map(drop)
    };
    let covered = ("mount --bind $4 $1", "umount $1");
    let moved = ("mv $1 $2", "mv $2 $1");
    // In one step each: it is never seen to be gone.
    let dangling = ("cp $3 $4/kept; ln -s nowhere.yml $4/new; mv -T $4/new $3", "mv -T $4/kept $3");
    let pipe = ("cp $3 $4/kept; mkfifo $4/new; mv -T $4/new $3", "mv -T $4/kept $3");
    for (hurt, heal) in [covered, moved, dangling, pipe] {
        shell(hurt)?;
        let place = folder.display().to_string();
        let stands =
            wait::until(hurt, || said(&up, &place).is_some_and(|it| it.contains("unread")));
        // A loss would be believed by now: what is renewed since is taken in after it.
        let renewed = stands.and_then(|()| {
            keys.sign("own", "ca", "subjectAltName=DNS:nas.test,DNS:mutual.test")?;
            let serial = keys.openssl("x509 -noout -serial -in own.pem")?;
            wait::until("what is renewed is shown", || shown(&keys, &up) == Some(serial.clone()))
        });
        let served = renewed.and_then(|()| serves());
        shell(heal)?;
        served.with_context(|| hurt.to_owned())?;
        wait::until(heal, || said(&up, &named).is_none_or(|it| !it.contains("unread")))?;
    }
    Ok(())
}

/// Whom nobody knows is asked where options say so, and else not.
#[test]
fn servers_are_verified_unless_options_say_otherwise() -> Result<()> {
    let (home, keys) = (Home::new()?, Keys::new()?);
    let (_server, server) = keys.server(&[])?;
    home.write(
        "more.yml",
        &format!(
            "http:\n  routers: {{own: {{rule: Host(`own.test`), service: own}}}}\n  services:\n    \
             own: {{loadBalancer: {{servers: [{{url: 'https://{server}'}}]}}}}\n"
        ),
    )?;
    for (option, status) in [
        ("--serversTransport.insecureSkipVerify=false", 502),
        ("--serversTransport.insecureSkipVerify=true", 200),
    ] {
        let up = home.start(&[option.to_owned()])?;
        up.wait_for("own.test", status).context(option)?;
    }
    Ok(())
}

fn what_cannot_be_read_closes_what_needs_it(up: &Up, keys: &Keys) -> Result<()> {
    let answer = up.get("later.test", "/")?;
    ensure!(answer.status == 503, "nobody is believed without: {answer:?}");
    ensure!(keys.ask(up, "closed.test", "ca.pem", Some("client")).is_err(), "no handshake");
    let rows = up.read("diagnostics")?;
    let rows = rows.as_array().context("rows")?;
    for (object, field, line) in [
        ("transport/http/later@file", "rootCAs[0]", 15),
        ("tls-options/tls/closed@file", "clientAuth.caFiles[0]", 5),
    ] {
        let row = rows.iter().find(|it| it["object"] == object && it["path"] == field);
        let row = row.with_context(|| format!("{object} {field} in {rows:#?}"))?;
        let message = row["message"].as_str().unwrap_or_default();
        ensure!(message.contains("No such file"), "{row:#}");
        ensure!(row["file"].as_str().is_some_and(|it| it.ends_with("home.yml")), "{row:#}");
        ensure!(row["line"] == line, "{row:#}");
    }
    // The folder comes, and then the file.
    let folder = keys.0.file("later");
    std::fs::create_dir(&folder)?;
    std::fs::copy(keys.0.file("ca.pem"), Path::new(&folder).join("ca.pem"))?;
    up.wait_for("later.test", 200).map(drop)
}

/// The serial number of the certificate that `nas.test` is shown.
fn shown(keys: &Keys, up: &Up) -> Option<String> {
    let mut shell = Command::new("sh");
    let ask = "openssl s_client -connect $1 -servername nas.test </dev/null 2>/dev/null \
               | openssl x509 -noout -serial";
    shell.args(["-c", ask, "sh", &up.websecure.to_string()]).current_dir(keys.0.path());
    run(shell).ok()
}

/// A finding that names this.
fn said(up: &Up, name: &str) -> Option<String> {
    let text = up.read("diagnostics").ok()?.to_string();
    text.contains(name).then_some(text)
}
