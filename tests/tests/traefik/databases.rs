//! Two databases with their own clients and servers behind one entry point, told apart by server
//! name: PostgreSQL, whose client asks for TLS in its own words first, and Redis, whose TLS is
//! passed on as it comes.

use std::net::Shutdown;
use std::path::PathBuf;

use super::*;

/// Who runs PostgreSQL, where we are root: it does not run as that.
const USER: &str = "nobody";
const GROUP: &str = "nogroup";

/// A server, ended with the test.
struct Database(std::process::Child);

impl Drop for Database {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

/// Runs a program to its end, for what it says.
fn said(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    ensure!(output.status.success(), "{command:?}: {text}");
    Ok(text)
}

fn listens(at: SocketAddr) -> Result<()> {
    let is_there = || TcpStream::connect(at).is_ok_and(|it| it.shutdown(Shutdown::Both).is_ok());
    wait::until(&format!("a server at {at}"), is_there)
}

/// A certificate for `name` in the folder, signed by its own key.
fn certificate(folder: &Scratch, name: &str) -> Result<[String; 2]> {
    let [key, own] = ["key", "crt"].map(|kind| folder.file(&format!("{name}.{kind}")));
    let [key, own] = [key, own].map(|it| it.display().to_string());
    let alias = format!("subjectAltName=DNS:{name}");
    let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=db";
    let mut openssl = Command::new("openssl");
    openssl.args(make.split(' ')).args(["-addext", &alias, "-keyout", &key, "-out", &own]);
    said(&mut openssl)?;
    Ok([key, own])
}

/// None where it is not installed.
fn postgres(folder: &Scratch, at: SocketAddr) -> Result<Option<Database>> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let Some(programs) = versions.map(|it| it.path().join("bin")).max() else { return Ok(None) };
    let [key, own] = certificate(folder, "pg.test")?;
    let home = folder.file("postgres");
    std::fs::create_dir(&home)?;
    let is_root = said(Command::new("id").arg("-u"))? == "0";
    if is_root {
        said(Command::new("chown").arg("-R").arg(USER).arg(folder.path()))?;
    }
    let command = |program: &str| {
        let program: PathBuf = programs.join(program);
        let mut command = Command::new(if is_root { "setpriv".into() } else { program.clone() });
        if is_root {
            command.args(["--reuid", USER, "--regid", GROUP, "--clear-groups", "--"]).arg(program);
        }
        command.current_dir(&home);
        command
    };
    said(command("initdb").args(["-U", "admin", "-A", "trust", "-D", "data"]))?;
    let settings = format!(
        "-D data -c ssl=on -c ssl_cert_file={own} -c ssl_key_file={key} -c \
         listen_addresses=127.0.0.1 -p {} -k",
        at.port()
    );
    let mut server = command("postgres");
    server.args(settings.split(' ')).arg("").stdout(Stdio::null()).stderr(Stdio::null());
    let server = Database(server.spawn()?);
    listens(at)?;
    Ok(Some(server))
}

fn redis(folder: &Scratch, at: SocketAddr) -> Result<Database> {
    let [key, own] = certificate(folder, "redis.test")?;
    let mut server = Command::new("redis-server");
    server.args(["--bind", "127.0.0.1", "--save", "", "--port", "0", "--tls-auth-clients", "no"]);
    server.args(["--tls-port", &at.port().to_string(), "--tls-cert-file", &own]);
    server.args(["--tls-key-file", &key, "--tls-ca-cert-file", &own]);
    server.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Database(server.spawn().context("redis-server")?);
    listens(at)?;
    Ok(server)
}

#[test]
fn two_databases_are_told_apart_by_server_name() -> Result<()> {
    if Command::new("redis-server").arg("--version").output().is_err() {
        eprintln!("skipped: there is no redis-server");
        return Ok(());
    }
    let (folder, files) = (Scratch::new()?, Scratch::new()?);
    let free = || -> Result<SocketAddr> { Ok((Ipv4Addr::LOCALHOST, http::free_port()?).into()) };
    let (pg, cache) = (free()?, free()?);
    let Some(_postgres) = postgres(&files, pg)? else {
        eprintln!("skipped: there is no PostgreSQL");
        return Ok(());
    };
    let _redis = redis(&files, cache)?;
    folder.write("services.yaml", &(service("pg", pg) + &service("cache", cache)))?;
    let route = |name: &str, host: &str| {
        format!(
            "---\napiVersion: traefik.io/v1alpha1\nkind: IngressRouteTCP\nmetadata: {{name: \
             {name}}}\nspec:\n  entryPoints: [websecure]\n  routes:\n  - match: \
             HostSNI(`{host}`)\n    services: [{{name: {name}, port: 80}}]\n  tls: {{passthrough: \
             true}}\n"
        )
    };
    folder.write("routes.yaml", &(route("pg", "pg.test") + &route("cache", "redis.test")))?;
    let up = Up::start(folder.path())?;
    let port = up.websecure.port().to_string();
    let root = |name: &str| files.file(&format!("{name}.crt")).display().to_string();
    let psql = |host: &str| {
        let to = format!(
            "host={host} hostaddr=127.0.0.1 port={port} user=admin dbname=postgres \
             sslmode=verify-full sslrootcert={} connect_timeout=20",
            root("pg.test")
        );
        let asks = "select 41 + 1, ssl from pg_stat_ssl where pid = pg_backend_pid()";
        said(Command::new("psql").args([&to, "-XAtc", asks]))
    };
    let redis = |host: &str, what: &str| {
        let mut client = Command::new("redis-cli");
        client.args(["-e", "-h", "127.0.0.1", "-p", &port, "--tls", "--sni", host]);
        said(client.args(["--cacert", &root("redis.test")]).args(what.split(' ')))
    };
    // Each is asked for its certificate and has its own: TLS is held by nobody in between.
    wait::until("PostgreSQL takes connections", || psql("pg.test").is_ok())?;
    ensure!(psql("pg.test")? == "42|t");
    ensure!(redis("redis.test", "set k v")? == "OK" && redis("redis.test", "get k")? == "v");
    // A name of nobody is nobody's, and the other's name leads to the other.
    ensure!(psql("other.test").is_err() && redis("other.test", "ping").is_err());
    ensure!(redis("pg.test", "ping").is_err(), "PostgreSQL is no Redis");
    Ok(())
}
