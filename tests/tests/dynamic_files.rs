//! Traefik's file provider, as `steelyard up` serves it: on real sockets, from files that change
//! under load, break, and are hostile.

#[path = "dynamic_files/certificates.rs"]
mod certificates;
#[path = "dynamic_files/second_way.rs"]
mod second_way;
#[path = "dynamic_files/users.rs"]
mod users;

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use steelyard_tests::http::{self, Connection};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, Up, service};
use steelyard_tests::wait;

/// A folder of manifests and one of dynamic configuration, and who answers.
struct Home {
    folder: Scratch,
    dynamic: Scratch,
    nas: Backend,
    _shop: Backend,
}

impl Home {
    fn new() -> Result<Self> {
        let (folder, nas, shop) =
            (Scratch::new()?, Backend::start("nas")?, Backend::start("shop")?);
        folder.write("service.yaml", &service("shop", shop.address))?;
        folder.write("shared.yaml", SHARED)?;
        let home = Self { folder, dynamic: Scratch::new()?, nas, _shop: shop };
        home.write("home.yml", &home.routers("nas.test"))?;
        Ok(home)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        self.dynamic.write(name, text)
    }

    fn routers(&self, host: &str) -> String {
        let nas = self.nas.address;
        format!(
            "http:\n  routers:\n    nas: {{rule: Host(`{host}`), entryPoints: [web], service: nas}}\n    \
             shop: {{rule: Host(`shop.test`), service: default-shared@kubernetescrd}}\n  services:\n    \
             nas: {{loadBalancer: {{servers: [{{url: 'http://{nas}'}}]}}}}\n"
        )
    }

    fn start(&self, more: &[String]) -> Result<Up> {
        let mut up = self.launch(more)?;
        up.wait_until_ready()?;
        Ok(up)
    }

    fn launch(&self, more: &[String]) -> Result<Up> {
        let dynamic = format!("--providers.file.directory={}", self.dynamic.path().display());
        let state = format!("--state-dir={}", self.folder.file(".state").display());
        let options: Vec<OsString> =
            [dynamic, state].iter().chain(more).map(OsString::from).collect();
        let options: Vec<_> = options.iter().map(OsString::as_os_str).collect();
        Up::launch(&[], self.folder.path(), &options)
    }
}

/// What files lead to, and what leads to files.
const SHARED: &str = "
apiVersion: traefik.io/v1alpha1
kind: TraefikService
metadata: {name: shared}
spec: {weighted: {services: [{name: shop, port: 80}]}}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: other}
spec:
  entryPoints: [web]
  routes: [{match: Host(`other.test`), services: [{name: nas@file, kind: TraefikService}]}]
";

#[test]
fn files_are_served_and_followed_under_load() -> Result<()> {
    let home = Home::new()?;
    let up = home.start(&[])?;
    for (host, workload) in [("nas.test", "nas"), ("shop.test", "shop"), ("other.test", "nas")] {
        let answer = up.wait_for(host, 200)?;
        ensure!(answer.workload() == workload, "{host}: {answer:?}");
    }
    let (sent, ends) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| -> Result<()> {
        let client = scope.spawn(|| requests(up.web, &sent, &ends));
        let edited = (|| {
            wait::until("some requests", || sent.load(Ordering::Relaxed) > 100)?;
            let toml = "[http.routers.files]\nrule = 'Host(`toml.test`)'\nservice = 'nas'\n";
            home.write("more.toml", toml)?;
            up.wait_for("toml.test", 200)?;
            // A mistake costs what it is in, whose last good version stays.
            home.write("more.toml", &toml.replace("rule =", "rulez ="))?;
            home.write("home.yml", &home.routers("nas.test").replace("Host(`nas", "Hots(`nas"))?;
            wait::until("the mistakes are said", || {
                let told = up.read("diagnostics").map(|it| it.to_string()).unwrap_or_default();
                told.contains("rulez") && told.contains("Hots")
            })?;
            up.wait_for("toml.test", 200)?;
            home.write("home.yml", "http:\n  routers: {nas: {rule: \"{{ env `HOST` }}\"}}\n")?;
            wait::until("the template is refused", || {
                let told = up.read("diagnostics").map(|it| it.to_string()).unwrap_or_default();
                told.contains("Go template")
            })?;
            up.wait_for("shop.test", 200)?;
            home.write("home.yml", &home.routers("moved.test"))?;
            home.write("more.toml", toml)?;
            up.wait_for("moved.test", 200)?;
            up.wait_for("nas.test", 404).map(drop)
        })();
        ends.store(true, Ordering::Relaxed);
        client.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        edited
    })
}

/// Asks for what is there all the time; all must succeed.
fn requests(web: SocketAddr, sent: &AtomicUsize, ends: &AtomicBool) -> Result<()> {
    let mut kept = Connection::open(web)?;
    while !ends.load(Ordering::Relaxed) {
        let answer = kept.get("shop.test", "/").context("a request during edits")?;
        ensure!(answer.status == 200 && answer.workload() == "shop", "{answer:?}");
        sent.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

#[test]
fn hostile_files_cost_themselves() -> Result<()> {
    let home = Home::new()?;
    let large = format!("# {}\n", "x".repeat(98)).repeat(100_000);
    let bomb = (1..12).fold("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, n| {
        let before = format!("*a{}", n - 1);
        format!("{text}a{n}: &a{n} [{}]\n", vec![before; 10].join(", "))
    });
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(50_000), close.repeat(50_000));
    let cycle = "http:\n  services:\n    a: {weighted: {services: [{name: b}]}}\n    b: {failover: \
                 {service: a, fallback: b}}\n  routers: {cycle: {rule: Host(`cycle.test`), service: a}}\n";
    home.write("alias.yml", &bomb)?;
    home.write("cycle.yml", cycle)?;
    home.write("deep.toml", &format!("a = {}", deep("[", "]")))?;
    home.write("deep.yml", &deep("{a: ", "}"))?;
    home.write("twice.toml", "[http.routers.a]\nrule = 'x'\nrule = 'y'\n")?;
    home.write("twice.yml", "http: {routers: {a: {rule: x}, a: {rule: y}}}\n")?;
    home.write("large.yml", &format!("{large}http: {{}}\n"))?;
    let up = home.start(&["--accept-broken-files".to_owned()])?;
    // One that cannot be seen at the start would keep it from being ready all the same.
    home.write("nul.yml", "http: {routers: {a: {rule: \"\0\"}}}\n")?;
    ensure!(up.wait_for("nas.test", 200)?.workload() == "nas", "the good file is served");
    let answer = up.get("cycle.test", "/")?;
    ensure!(answer.status >= 500, "a cycle leads nowhere: {answer:?}");
    for name in ["alias.yml", "deep.toml", "deep.yml", "twice.toml", "twice.yml", "nul.yml"] {
        home.dynamic.remove(name)?;
    }
    home.write("large.yml", "http: {}\n")?;
    home.write("home.yml", &home.routers("moved.test"))?;
    up.wait_for("moved.test", 200).map(drop)
}

/// What such a file would close is not known: it is not ready before that is mended, or accepted.
#[test]
fn a_file_that_was_never_read_keeps_it_from_being_ready() -> Result<()> {
    let home = Home::new()?;
    let good = "http:\n  routers:\n    adm: {rule: 'Host(`nas.test`) && PathPrefix(`/adm`)', \
                entryPoints: [web], service: nas, middlewares: [lan]}\n  middlewares:\n    \
                lan: {ipAllowList: {sourceRange: [192.0.2.1]}}\n";
    for (bad, line) in [
        (format!("{good}bad: ["), "line 6"),
        (format!("{good}bad: {{{{ env }}}}\n"), "line 6"),
        (good.replace("routers", "routerz"), "line 2"),
        ("http:\n  routers: [x]\n".to_owned(), "line 2"),
    ] {
        home.write("b.yml", &bad)?;
        let mut up = home.launch(&[])?;
        up.wait_for_reason("b.yml could not be read to its end")?;
        up.wait_for_reason(line)?;
        let told = up.read("diagnostics")?.to_string();
        ensure!(told.contains("file-never-read") && told.contains("b.yml"), "{told}");
        ensure!(up.process.printed().contains("file-never-read"), "{}", up.process.printed());
        // Others are served meanwhile.
        ensure!(up.wait_for("nas.test", 200)?.workload() == "nas");
        home.write("b.yml", good)?;
        up.wait_until_ready()?;
        ensure!(up.get("nas.test", "/adm")?.status == 403);
        // What was read once stands.
        home.write("b.yml", &bad)?;
        wait::until("the mistake is said", || {
            let told = up.read("diagnostics").map(|it| it.to_string()).unwrap_or_default();
            told.contains("last-good-kept")
        })?;
        ensure!(up.is_ready() && up.get("nas.test", "/adm")?.status == 403);
        drop(up);
        let accepted = home.start(&["--accept-broken-files".to_owned()])?;
        let told = http::get(accepted.admin, "localhost", "/readyz")?;
        ensure!(told.status == 200 && told.body.contains("note: ") && told.body.contains(line));
    }
    Ok(())
}

/// `false` is no mapping: such a router is a plain one.
#[test]
fn tls_that_is_false_is_none() -> Result<()> {
    let home = Home::new()?;
    let plain = home.routers("nas.test").replace("service: nas}", "service: nas, tls: false}");
    ensure!(plain.contains("tls: false"));
    home.write("home.yml", &plain)?;
    let up = home.start(&[])?;
    ensure!(up.wait_for("nas.test", 200)?.workload() == "nas");
    home.write("home.yml", &plain.replace("tls: false", "tls: 'true'"))?;
    up.wait_for("nas.test", 404).map(drop)
}

/// Who may connect, and how often at once; and what requests pass at a service.
#[test]
fn connections_and_services_pass_what_files_say() -> Result<()> {
    let (home, greeter) = (Home::new()?, TcpListener::bind("127.0.0.1:0")?);
    let (nas, db) = (home.nas.address, greeter.local_addr()?);
    let (first, closed) = (http::free_port()?, http::free_port()?);
    home.write(
        "db.yml",
        &format!(
            "tcp:\n  routers:\n    \
             first: {{rule: HostSNI(`*`), entryPoints: [db], service: db, middlewares: [own, one]}}\n    \
             closed: {{rule: HostSNI(`*`), entryPoints: [closed], service: db, middlewares: [other]}}\n  \
             middlewares:\n    \
             own: {{ipAllowList: {{sourceRange: [127.0.0.0/8]}}}}\n    \
             other: {{ipAllowList: {{sourceRange: [192.0.2.0/24]}}}}\n    \
             one: {{inFlightConn: {{amount: 1}}}}\n  \
             services: {{db: {{loadBalancer: {{servers: [{{address: '{db}'}}]}}}}}}\n\
             http:\n  routers:\n    \
             stamped: {{rule: Host(`stamped.test`), entryPoints: [web], service: stamped}}\n    \
             below: {{rule: Host(`below.test`), entryPoints: [web], service: below}}\n    \
             shut: {{rule: Host(`shut.test`), entryPoints: [web], service: shut}}\n  \
             serversTransports: {{timed: {{forwardingTimeouts: {{dialTimeout: 3s, \
             responseHeaderTimeout: 20s, idleConnTimeout: 30s}}}}}}\n  \
             middlewares:\n    \
             stamp: {{headers: {{customRequestHeaders: {{X-Stamp: of-a-file}}}}}}\n    \
             nobody: {{ipAllowList: {{sourceRange: [192.0.2.0/24]}}}}\n  services:\n    \
             stamped: {{loadBalancer: {{servers: [{{url: 'http://{nas}'}}]}}, middlewares: [stamp]}}\n    \
             below: {{loadBalancer: {{serversTransport: timed, servers: [{{url: \
             'http://{nas}/base/', preservePath: true}}]}}}}\n    \
             shut: {{loadBalancer: {{servers: [{{url: 'http://{nas}'}}]}}, middlewares: [nobody]}}\n"
        ),
    )?;
    let up = home.start(&[
        format!("--entrypoints.db.address=127.0.0.1:{first}"),
        format!("--entrypoints.closed.address=127.0.0.1:{closed}"),
    ])?;
    let answer = up.wait_for("stamped.test", 200)?;
    ensure!(answer.body.to_ascii_lowercase().contains("x-stamp: of-a-file"), "{answer:?}");
    let answer = up.get("below.test", "/page?a=b")?;
    ensure!(answer.body.contains("/base/page?a=b"), "{answer:?}");
    ensure!(up.get("shut.test", "/")?.status == 403, "nobody may pass to the service");
    // Greets each, and holds it until it goes.
    std::thread::spawn(move || {
        for mut stream in greeter.incoming().flatten() {
            std::thread::spawn(move || {
                let _ = stream.write_all(b"hello").and_then(|()| stream.read(&mut [0]).map(drop));
            });
        }
    });
    let greeted = |port: u16| -> Result<Option<TcpStream>> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(wait::PATIENCE))?;
        let is_greeted = stream.read(&mut [0; 5]).is_ok_and(|read| read > 0);
        Ok(is_greeted.then_some(stream))
    };
    let held = greeted(first)?.context("who may come in is let in")?;
    ensure!(greeted(first)?.is_none(), "one at a time");
    ensure!(greeted(closed)?.is_none(), "nobody of these addresses");
    drop(held);
    wait::until("another one once the first is gone", || {
        greeted(first).is_ok_and(|stream| stream.is_some())
    })
}

/// At a first start there is no version before: what a faulty router's rule names is closed, and
/// not led to a wider one; so is whatever names something faulty.
#[test]
fn what_is_faulty_from_the_start_opens_nothing() -> Result<()> {
    let home = Home::new()?;
    let nas = home.nas.address;
    let router = |name: &str, more: &str| {
        format!(
            "    {name}: {{rule: 'Host(`nas.test`) && PathPrefix(`/{name}`)', service: nas{more}}}\n"
        )
    };
    let faulty = [
        router("field", ", middleware: [deny]"),
        router("text", ", middlewares: {deny: 1}"),
        router("number", ", priority: x"),
        router("filter", ", middlewares: [broken]"),
        router("options", ", middlewares: [gone]"),
        router("behind", "").replace("service: nas", "service: broken"),
        router("by", "").replace("service: nas", "service: spoken"),
    ];
    let rest = format!(
        "  middlewares: {{broken: {{ipAllowList: {{sourceRanges: [192.0.2.0/24]}}}}}}\n  services:\n    \
         broken: {{loadBalancer: {{server: [{{url: 'http://{nas}'}}]}}}}\n    \
         spoken: {{loadBalancer: {{serversTransport: t, servers: [{{url: 'http://{nas}'}}]}}}}\n  \
         serversTransports: {{t: {{insecureSkipVerify: {{}}}}}}\n"
    );
    home.write("faulty.yml", &format!("http:\n  routers:\n{}{rest}", faulty.concat()))?;
    home.folder.write(
        "route.yaml",
        "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: kind}\nspec: \
         {entryPoints: [web], routes: [{match: 'Host(`nas.test`) && PathPrefix(`/kind`)', \
         middlewares: deny, services: [{name: shop, port: 80}]}]}\n",
    )?;
    // What cannot be read as a whole closes what can be read of it.
    home.write(
        "twice.yml",
        &format!("http:\n  routers:\n{}", router("twice", ", priority: 1000, priority: 1000")),
    )?;
    home.write("section.yml", &format!("http:\n  routerz:\n{}", router("section", "")))?;
    let route = |name: &str| {
        format!(
            "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {{name: {name}}}\nspec: \
             {{entryPoints: [web], routes: [{{match: 'Host(`nas.test`) && PathPrefix(`/{name}`)', \
             services: [{{name: shop, port: 80}}]}}]}}\n"
        )
    };
    home.folder.write("version.yaml", &route("version").replace("io/v1alpha1", "io/v1"))?;
    home.folder.write("yes.yaml", &route("yes"))?;
    home.folder.write("both.yaml", &format!("{}{}", route("one"), route("two")))?;
    let up = home.start(&["--accept-broken-files".to_owned()])?;
    up.wait_for("nas.test", 200)?;
    let whole = ["twice", "section", "version", "yes", "one", "two"];
    let parts = ["field", "text", "number", "filter", "options", "behind", "by", "kind"];
    for name in parts.into_iter().chain(whole) {
        let answer = up.get("nas.test", &format!("/{name}/x"))?;
        ensure!(answer.status == 503, "{name}: {answer:?}");
    }
    let told = up.read("diagnostics")?.to_string();
    ensure!(told.matches("closed-until-mended").count() >= 4 + whole.len(), "{told}");
    // Mended, it is served.
    home.write("faulty.yml", &format!("http:\n  routers:\n{}", router("field", "")))?;
    wait::until("the router is served", || {
        up.get("nas.test", "/field/x").is_ok_and(|it| it.status == 200)
    })?;
    ensure!(up.get("nas.test", "/kind/x")?.status == 503, "what was not mended");
    Ok(())
}

/// Rules are in Traefik's second language where that is said for all.
#[test]
fn rules_are_in_the_language_that_is_said() -> Result<()> {
    let home = Home::new()?;
    let text = home.routers("nas.test").replace("Host(`nas.test`)", "'Host(`nas.test`, `b.test`)'");
    home.write("home.yml", &text)?;
    let up = home.start(&["--core.defaultrulesyntax=v2".to_owned()])?;
    for host in ["nas.test", "b.test"] {
        up.wait_for(host, 200)?;
    }
    Ok(())
}

/// A router that leads to others has no endpoints of its own, and lacks none.
#[test]
fn a_parent_lacks_nothing() -> Result<()> {
    let home = Home::new()?;
    let children = format!(
        "http:\n  routers:\n    par: {{rule: Host(`par.test`), entryPoints: [web]}}\n    \
         kid: {{rule: Path(`/kid`), parentRefs: [par], service: s}}\n    \
         alone: {{rule: Host(`alone.test`), entryPoints: [web], service: none}}\n  services:\n    \
         s: {{loadBalancer: {{servers: [{{url: 'http://{}'}}]}}}}\n    \
         none: {{loadBalancer: {{servers: []}}}}\n",
        home.nas.address
    );
    home.write("children.yml", &children)?;
    let up = home.start(&[])?;
    up.wait_for("nas.test", 200)?;
    wait::until("the child", || {
        http::get(up.web, "par.test", "/kid").is_ok_and(|it| it.status == 200)
    })?;
    let routes = up.read("routes")?;
    let answers = |name: &str| {
        let row = routes.as_array()?.iter().find(|it| it["name"] == name)?;
        Some(row["answers"].clone())
    };
    ensure!(answers("par@file") == Some(Value::Null), "{routes:#}");
    ensure!(answers("alone@file").is_some_and(|it| it.is_string()), "{routes:#}");
    let readiness = http::get(up.admin, &up.admin.to_string(), "/readyz")?;
    let text = format!("{readiness:?}");
    ensure!(!text.contains("par@file") && text.contains("alone@file"), "{text}");
    Ok(())
}

#[test]
fn an_entry_point_leads_elsewhere() -> Result<()> {
    let home = Home::new()?;
    let old = SocketAddr::from(([127, 0, 0, 1], http::free_port()?));
    let redirection = "--entrypoints.old.http.redirections.entrypoint";
    let up = home.start(&[
        format!("--entrypoints.old.address={old}"),
        format!("{redirection}.to=:8443"),
        "--entrypoints.web.asdefault".to_owned(),
    ])?;
    up.wait_for("shop.test", 200)?;
    let answer = http::get(old, "shop.test", "/a?b=c")?;
    let to = answer.header("location").map(str::to_owned);
    ensure!(answer.status == 301, "{answer:?}");
    ensure!(to.as_deref() == Some("https://shop.test:8443/a?b=c"), "{to:?}");
    let mut stream = std::net::TcpStream::connect(old)?;
    let request = b"POST /a HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 0\r\n\
                    Connection: close\r\n\r\n";
    let answer = http::exchange(&mut stream, request)?;
    ensure!(answer.status == 308, "a method and its body stay: {answer:?}");
    Ok(())
}

/// Also where the scheme stays the same; who names no host is led nowhere.
#[test]
fn an_entry_point_leads_to_another_one_in_plain() -> Result<()> {
    let home = Home::new()?;
    let old = SocketAddr::from(([127, 0, 0, 1], http::free_port()?));
    let redirection = "--entrypoints.old.http.redirections.entrypoint";
    let up = home.start(&[
        format!("--entrypoints.old.address={old}"),
        format!("{redirection}.to=web"),
        format!("{redirection}.scheme=http"),
        "--entrypoints.web.asdefault".to_owned(),
    ])?;
    up.wait_for("shop.test", 200)?;
    let expected = format!("http://shop.test:{}/a?b=c", up.web.port());
    for host in ["shop.test".to_owned(), format!("shop.test:{}", old.port())] {
        let answer = http::get(old, &host, "/a?b=c")?;
        let to = answer.header("location");
        ensure!(answer.status == 301 && to == Some(&*expected), "{host}: {answer:?}");
    }
    let mut stream = TcpStream::connect(old)?;
    let answer = http::exchange(&mut stream, b"GET / HTTP/1.0\r\n\r\n")?;
    ensure!(answer.status == 404, "nobody is led to no host: {answer:?}");
    Ok(())
}

/// API and page are below the base path, and nothing else of them is anywhere.
#[test]
fn a_base_path_moves_the_page_too() -> Result<()> {
    let home = Home::new()?;
    let own = SocketAddr::from(([127, 0, 0, 1], http::free_port()?));
    let up = home.start(&[
        format!("--entrypoints.traefik.address={own}"),
        "--api.insecure".to_owned(),
        "--api.basePath=/ops.x".to_owned(),
        "--ping".to_owned(),
    ])?;
    up.wait_for("nas.test", 200)?;
    for (path, status) in [
        ("/ops.x/api/version", 200),
        ("/ops.x/dashboard/", 200),
        ("/ops.x/dashboard/page.js", 200),
        ("/ping", 200),
        ("/", 404),
        ("/dashboard/", 404),
        ("/api/version", 404),
    ] {
        let answer = http::get(own, "localhost", path)?;
        ensure!(answer.status == status, "{path}: {answer:?}");
    }
    for path in ["/ops.x", "/ops.x/"] {
        let answer = http::get(own, "localhost", path)?;
        let to = answer.header("location").unwrap_or_default();
        ensure!(answer.status == 302 && to.ends_with("/ops.x/dashboard/"), "{path}: {answer:?}");
    }
    Ok(())
}

/// A file that ends early costs each of its routers an edit: that is logged in one line, after what
/// is wrong with it, and noted.
#[test]
fn what_a_file_costs_its_objects_is_said_in_one_line() -> Result<()> {
    const MANY: usize = 300;
    let home = Home::new()?;
    let router = |n| format!("    r{n}: {{rule: Host(`r{n}.test`), service: nas}}\n");
    let text = format!("http:\n  routers:\n{}", (0..MANY).map(router).collect::<String>());
    home.write("many.yml", &text)?;
    let mut up = home.start(&[])?;
    up.wait_for("r7.test", 200)?;
    home.write("many.yml", &format!("{text}    last: [\n"))?;
    wait::until("the mistake is noted", || {
        http::get(up.admin, &up.admin.to_string(), "/readyz")
            .is_ok_and(|it| it.body.contains("300 objects stay as they were"))
    })?;
    wait::until("it is logged", || up.process.printed().contains("last-good-kept"))?;
    let printed = up.process.printed();
    ensure!(printed.matches("last-good-kept").count() == 1, "{printed}");
    ensure!(printed.contains("(and 299 more like it)"), "{printed}");
    let (wrong, kept) = (printed.find("many.yml:303"), printed.find("last-good-kept"));
    ensure!(wrong.is_some() && wrong < kept, "{printed}");
    ensure!(up.get("r7.test", "/")?.status == 200, "it is served as before");
    up.wait_until_ready()
}
