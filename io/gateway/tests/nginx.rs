//! A real nginx as the backend: its keep-alive, its chunks, its ranges.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use std::sync::Arc;

use steelyard_gateway::{Gateway, GatewayOptions, NginxMetrics};
use steelyard_model::routing::entry_point::{EntryPoint, NginxSocket};
use steelyard_model::routing::filter::nginx::NginxWord;
use steelyard_model::routing::nginx_log::{LogEscape, LogText, NginxLog};
use steelyard_model::routing::route::Manner;
use steelyard_model::routing::world::RoutingMap;
use support::*;

/// nginx in a folder of its own, gone with its owner.
struct Nginx {
    process: Child,
    folder: PathBuf,
    address: SocketAddr,
}

impl Nginx {
    fn start(name: &str) -> Option<Self> {
        Self::speaking(name, "")
    }

    /// `http2`, or nothing for HTTP/1.
    fn speaking(name: &str, protocol: &str) -> Option<Self> {
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"];
        let program = program.into_iter().find(|path| Path::new(path).exists())?;
        let folder =
            std::env::temp_dir().join(format!("steelyard-nginx-{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("www")).unwrap();
        let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(folder.join("www/large"), large).unwrap();
        std::fs::write(folder.join("www/small.txt"), "small\n".repeat(400)).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {}/{name};", folder.display()))
            .concat();
        let conf = format!(
            "daemon off; worker_processes 1; pid {0}/pid; error_log {0}/error.log;\n\
             events {{ }}\nhttp {{ access_log {0}/access.log; {temporary} gzip on; gzip_min_length 1; \
             types {{ text/plain txt; }} gzip_types text/plain; keepalive_requests 3;\n\
             server {{ listen {address} {protocol}; root {0}/www; }} }}\n",
            folder.display()
        );
        std::fs::write(folder.join("nginx.conf"), conf).unwrap();
        let process = Command::new(program)
            .args(["-p".as_ref(), folder.as_os_str(), "-c".as_ref()])
            .arg(folder.join("nginx.conf"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("nginx listens", || TcpStream::connect(address).is_ok());
        Some(Self { process, folder, address })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master takes its worker with it on SIGTERM, not on SIGKILL.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_real_backend() {
    let Some(nginx) = Nginx::start("backend") else {
        eprintln!("skipped: nginx is not installed");
        return;
    };
    let (_gateway, address) = gateway(&[route("nginx", "*", "/", &[nginx.address])]);
    let mut client = Client::connect(address);
    for _ in 0..10 {
        let large = client.get("a", "/large");
        assert_eq!((large.status(), large.body.len()), (200, 3_000_000));
        assert!(large.body.iter().enumerate().all(|(n, byte)| usize::from(*byte) == n % 251));
        assert_eq!(large.header("connection"), None, "its own connection is not the client's");
        let zipped = client
            .send("GET /small.txt HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
            .receive();
        assert_eq!(zipped.header("transfer-encoding"), Some("chunked"));
        assert!(zipped.body.starts_with(&[0x1f, 0x8b]));
        let range =
            client.send("GET /large HTTP/1.1\r\nHost: a\r\nRange: bytes=10-19\r\n\r\n").receive();
        assert_eq!((range.status(), range.body.len()), (206, 10));
        assert_eq!(client.get("a", "/missing").status(), 404);
    }
}

#[test]
fn no_request_is_smuggled_to_nginx() {
    let Some(nginx) = Nginx::start("smuggle") else {
        eprintln!("skipped: nginx is not installed");
        return;
    };
    let (_gateway, address) = gateway(&[route("nginx", "*", "/", &[nginx.address])]);
    smuggle(address, "/small.txt", |answer| {
        answer.status() == 200 && answer.text() == "small\n".repeat(400)
    });
    let seen = std::fs::read_to_string(nginx.folder.join("access.log")).unwrap();
    assert!(seen.contains("POST /up") && !seen.contains("/smuggled"), "{seen}");
}

/// nginx ends a connection after three requests, and says so by GOAWAY; curl is the client.
#[test]
fn a_real_backend_of_http2() {
    let Some(nginx) = Nginx::speaking("http2", "http2") else {
        eprintln!("skipped: nginx is not installed");
        return;
    };
    let (_gateway, address) = gateway_to_http2(&[route("nginx", "*", "/", &[nginx.address])]);
    let large = std::fs::read(nginx.folder.join("www/large")).unwrap();
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        for round in 0..20 {
            let asked = format!("http://{address}/large?{round}");
            let mut curl = Command::new("curl");
            curl.args(["-sS", "--fail", version, "--max-time", "30", &asked]);
            let output = curl.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert!(output.stdout == large, "{version}: {} bytes", output.stdout.len());
        }
    }
    let seen = std::fs::read_to_string(nginx.folder.join("access.log")).unwrap();
    assert_eq!(seen.matches(" HTTP/2.0\" 200 ").count(), 40, "{seen}");
}

/// A log, of one word.
fn log(path: Option<&Path>, format: &str) -> NginxLog {
    let (text, unknown) = LogText::read(format, LogEscape::Usual).unwrap();
    assert!(unknown.is_empty());
    let path = path.map(|path| path.to_str().unwrap().into());
    NginxLog { path, text, skips: Vec::new(), has_strays: false, is_asked: true }
}

/// Routes of the class and of another one, and a log.
fn logged(server: SocketAddr, log: Option<NginxLog>) -> RoutingMap {
    let (its, other) = (route("nginx", "a", "/", &[server]), route("other", "b", "/", &[server]));
    let mut map = routing(&[its, other]);
    let id = filtering::id("nginx");
    let mut route = (*map.routes[&id]).clone();
    route.manner = Manner::Nginx;
    map.routes.insert(id, Arc::new(route));
    let nginx = NginxSocket { log: log.map(Arc::new), ..NginxSocket::default() };
    let web = EntryPoint { nginx: Some(Arc::new(nginx)), ..EntryPoint::new("web", 80) };
    map.entry_points.insert(web.id.clone(), Arc::new(web));
    map
}

/// Of answers of endpoints, of others on the same connection, and of our own.
#[test]
fn lines_of_answers_are_logged_where_a_format_names_them() {
    let server = Server::answering(|received| {
        let more = match received.head.starts_with("GET /more ") {
            true => "X-A: 1\r\nX-A: \"2\r\nSet-Cookie: a=; Path=/\r\nSet-Cookie: s=t; Path=/\r\n",
            false => "",
        };
        format!("HTTP/1.1 200 OK\r\n{more}Content-Length: 0\r\n\r\n").into_bytes()
    });
    let file = TemporaryFile::new("answers");
    let format = "$status $sent_http_x_a|$upstream_http_x_a|$upstream_cookie_s|$upstream_cookie_no";
    let log = NginxLog { has_strays: true, ..log(Some(&file.0), format) };
    let (gateway, address) = started(&logged(server.address, Some(log)), GatewayOptions::default());
    let mut client = Client::connect(address);
    for (host, path, status) in [("a", "/more", 200), ("a", "/", 200), ("c", "/", 404)] {
        assert_eq!(client.get(host, path).status(), status);
    }
    gateway.drain(std::time::Duration::from_secs(1));
    let lines = ["200 1, \\x222|1, \\x222|t|-\n", "200 -|-|-|-\n", "404 -|-|-|-\n"];
    assert_eq!(file.text(), lines.concat());
}

/// Hosts that nobody has make series where that is wanted, and so many at most.
#[test]
fn hosts_that_nobody_has_are_counted_where_that_is_wanted() {
    let server = Server::echo("one");
    for counts_strays in [false, true] {
        let nginx = NginxMetrics { counts_strays, ..NginxMetrics::default() };
        let options = GatewayOptions { workers: 1, nginx, ..GatewayOptions::default() };
        let (gateway, address) = started(&logged(server.address, None), options);
        let mut client = Client::connect(address);
        assert_eq!(client.get("Not.Here:80", "/").status(), 404);
        let name = "nginx_ingress_controller_requests{canary=\"\",host=\"not.here\",ingress=\"\",\
                    method=\"GET\",namespace=\"\",path=\"\",service=\"\",status=\"404\"} 1\n";
        assert_eq!(scrape(&gateway).contains(name), counts_strays);
        if counts_strays {
            for number in 0..1_100 {
                assert_eq!(client.get(&format!("h{number}.test"), "/").status(), 404);
            }
            let told = scrape(&gateway);
            let own = |line: &&str| line.starts_with("nginx_ingress_controller_requests{");
            assert_eq!(told.lines().filter(own).count(), 1_001, "with all others as one");
            assert!(told.contains("host=\"_\",ingress=\"\"") && told.contains("} 101\n"));
            let all = "nginx_ingress_controller_nginx_process_requests_total 1101\n";
            assert!(told.contains(all), "{told}");
        }
    }
}

fn started(map: &RoutingMap, options: GatewayOptions) -> (Gateway, SocketAddr) {
    let gateway = Gateway::start(options).unwrap();
    gateway.apply(map, 1);
    let address = *gateway.listen(&[web(0)])[0].1.as_ref().unwrap();
    (gateway, address)
}

/// A place goes and comes with the configuration, and only what is of the class stands there.
#[test]
fn the_log_of_ingress_nginx_follows_its_configmap() {
    let server = Server::echo("one");
    let map = |log| logged(server.address, log);
    let gateway =
        Gateway::start(GatewayOptions { workers: 1, ..GatewayOptions::default() }).unwrap();
    let [first, second] = ["first", "second"].map(TemporaryFile::new);
    gateway.apply(&map(Some(log(Some(&first.0), "$status $request_uri <$http_x_a>"))), 1);
    let address = *gateway.listen(&[web(0)])[0].1.as_ref().unwrap();
    let mut client = Client::connect(address);
    let ask = |client: &mut Client, host: &str, path: &str| {
        let asked = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nX-A: \"\r\n\r\n");
        client.send(asked).receive().status()
    };
    assert_eq!(ask(&mut client, "a", "/1?x=%20"), 200);
    assert_eq!(ask(&mut client, "b", "/2"), 200);
    assert_eq!(ask(&mut client, "c", "/3"), 404);
    eventually("a line of the class", || first.text() == "200 /1?x=%20 <\\x22>\n");
    // On the same connection.
    let strays = NginxLog { has_strays: true, ..log(Some(&second.0), "$status $host") };
    let skips = vec![NginxWord::read("~^/health").unwrap()];
    gateway.apply(&map(Some(NginxLog { skips, ..strays })), 2);
    for (host, path, status) in [("a", "/4", 200), ("a", "/healthz", 200), ("c", "/5", 404)] {
        assert_eq!(ask(&mut client, host, path), status);
    }
    eventually("lines at the other place", || second.text() == "200 a\n404 c\n");
    gateway.apply(&map(None), 3);
    assert_eq!(ask(&mut client, "a", "/6"), 200);
    // And back: what was written there before is kept.
    gateway.apply(&map(Some(log(Some(&first.0), "$status"))), 4);
    assert_eq!(ask(&mut client, "a", "/7"), 200);
    eventually("a line at the first place", || first.text().ends_with("\n200\n"));
    assert_eq!(first.text().lines().count(), 2);
    let told = scrape(&gateway);
    let series = "nginx_ingress_controller_requests{canary=\"\",host=\"a\",";
    assert!(told.contains(series) && !told.contains("host=\"b\""), "{told}");
    gateway.drain(std::time::Duration::from_secs(1));
    assert_eq!(second.text(), "200 a\n404 c\n");
}
