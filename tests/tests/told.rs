//! What serves nobody is told alike wherever one asks: `/readyz`, `get`, `explain`, the API (which
//! the page shows) and the log. It makes nothing else unready.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use steelyard_tests::machine::Machine;
use steelyard_tests::process::Running;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Up, ingress, load_balancer, service};
use steelyard_tests::{binary, http, manifests, needs_lab, wait};

/// What `steelyard` prints when it asks this instance.
fn shown(up: &Up, arguments: &[&str]) -> Result<String> {
    let mut command = binary::command([]);
    command.args(arguments).args(["--admin", &up.admin.to_string()]);
    let output = command.output()?;
    ensure!(output.status.success(), "{arguments:?}: {output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn a_second_instance_is_told_that_another_runs() -> Result<()> {
    needs_lab!();
    let machine = Machine::new("second-told")?;
    machine.folder.write("all.yaml", &manifests::pool(manifests::BOTH_FAMILIES))?;
    let up = machine.up(&[])?;
    machine.ready(&up)?;
    let second = machine.command(&[]).output()?;
    let said = String::from_utf8_lossy(&second.stderr);
    let lock = machine.file("state").join("forward.lock");
    let expected =
        format!("error: another steelyard forwards on this host: it holds {}\n", lock.display());
    ensure!(!second.status.success() && said == expected, "{said}");
    ensure!(machine.reasons() == Some(Vec::new()), "{:?}", machine.reasons());
    Ok(())
}

/// An instance with a route that is refused, one without an endpoint, one whose endpoint takes no
/// connections, and the port of that endpoint.
fn instance(folder: &Scratch) -> Result<(Up, u16)> {
    let port = http::free_port()?;
    let closed = (Ipv4Addr::LOCALHOST, port).into();
    let none = "---\napiVersion: v1\nkind: Service\nmetadata: {name: none}\n\
                spec: {selector: {app: none}, ports: [{port: 80}]}\n";
    let auth = "nginx.ingress.kubernetes.io/server-snippet: deny all;";
    let all = [
        service("closed", closed),
        none.to_owned(),
        ingress("refused", "refused.test", "closed", auth),
        ingress("none", "none.test", "none", ""),
        ingress("silent", "silent.test", "closed", ""),
    ];
    folder.write("all.yaml", &all.concat())?;
    Ok((Up::start(folder.path())?, port))
}

#[test]
fn routes_that_answer_nobody_are_told_everywhere() -> Result<()> {
    let folder = Scratch::new()?;
    let (up, port) = instance(&folder)?;
    for (host, status) in [("refused.test", 503), ("none.test", 503), ("silent.test", 502)] {
        up.wait_for(host, status)?;
    }
    let readyz = || http::get(up.admin, &up.admin.to_string(), "/readyz");
    wait::until("the silent endpoint to be told", || {
        readyz().is_ok_and(|it| it.body.contains("answers 502"))
    })?;
    let (ready, overview) = (readyz()?, up.read("overview")?);
    ensure!(ready.status == 200 && ready.body.starts_with("ok\n"), "{ready:?}");
    let routes = up.read("routes")?;
    for (name, word, log) in [
        ("refused", "503: ", "access-not-honoured"),
        ("none", "503: no endpoint is ready", "no endpoint is ready"),
        ("silent", "502: its endpoints take no connections", "does not take connections"),
    ] {
        let row = routes.as_array().context("routes")?.iter();
        let row = row.clone().find(|it| it["source"].as_str().is_some_and(|it| it.contains(name)));
        let row = row.context("a row")?;
        let answers = row["answers"].as_str().with_context(|| row.to_string())?;
        ensure!(answers.starts_with(word), "{row}");
        let note = format!("route {} answers {answers}", row["name"].as_str().context("a name")?);
        ensure!(ready.body.contains(&format!("note: {note}\n")), "{}", ready.body);
        let notes = overview["notes"].as_array().context("notes")?;
        ensure!(notes.iter().any(|it| *it == *note), "{overview}");
        ensure!(shown(&up, &["get", "routes"])?.contains(answers), "{name}");
        ensure!(shown(&up, &["get", "overview"])?.contains(&note), "{name}");
        let explained = shown(&up, &["explain", &format!("ingress/{name}")])?;
        ensure!(explained.contains(&format!("answers {answers}")), "{explained}");
        ensure!(up.process.printed().contains(log), "{log}: {}", up.process.printed());
    }
    let table = shown(&up, &["get", "endpoints"])?;
    ensure!(table.contains("silent") && table.contains("refused"), "{table}");
    let explained = shown(&up, &["explain", "ingress/silent"])?;
    ensure!(explained.contains("; failed ") && explained.contains(" ago: "), "{explained}");
    let all = up.read("endpoints")?;
    let at = format!("127.0.0.1:{port}");
    let row = all.as_array().context("endpoints")?.iter().find(|it| it["address"] == *at);
    let failure = &row.context("a row")?["lastFailure"];
    ensure!(failure["time"].is_f64() && failure["why"].is_string(), "{all}");
    // What answers again is no longer told of, from the first request on.
    let _server = Running::start(binary::command(["echo", "--name", "closed", "--tcp", &at]))?;
    up.wait_for("silent.test", 200)?;
    wait::until("the note to go", || readyz().is_ok_and(|it| !it.body.contains("answers 502")))
}

/// An IngressRoute of a.test over TLS, with these words in it.
fn secure_route(name: &str, path: &str, tls: &str) -> String {
    format!(
        "---\napiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {{name: {name}}}\nspec:\n  \
         entryPoints: [websecure]\n  routes:\n  - match: Host(`a.test`) && PathPrefix(`{path}`)\n    \
         services: [{{name: app, port: 80}}]\n  tls: {tls}\n"
    )
}

/// Also where it is mended before it is looked at certificates again.
#[test]
fn that_no_handshake_is_held_is_logged_at_the_edit() -> Result<()> {
    let folder = Scratch::new()?;
    let options = "---\napiVersion: traefik.io/v1alpha1\nkind: TLSOption\nmetadata: {name: strict}\n\
                   spec: {minVersion: VersionTLS13}\n";
    let first = [
        service("app", "127.0.0.1:1".parse()?),
        options.to_owned(),
        secure_route("one", "/one", "{}"),
    ];
    folder.write("all.yaml", &first.concat())?;
    let mut up = Up::start(folder.path())?;
    let generation = || up.read("overview").ok()?["generation"].as_u64();
    let edit = |tls: &str| -> Result<()> {
        let before = generation();
        folder.write("two.yaml", &secure_route("two", "/two", tls))?;
        wait::until("an edit in force", || generation() > before)
    };
    edit("{}")?;
    edit("{options: {name: strict}}")?;
    edit("{}")?;
    up.process.wait_for("tls-options-conflict")
}

#[test]
fn what_is_left_out_is_told_to_who_asks_for_it() -> Result<()> {
    let folder = Scratch::new()?;
    let at = "127.0.0.1:1".parse()?;
    let canary = "nginx.ingress.kubernetes.io/canary: 'true'";
    let all = [
        service("app", at),
        ingress("alone", "alone.test", "app", canary),
        ingress("main", "main.test", "app", ""),
        ingress("beside", "main.test", "app", canary),
    ];
    folder.write("all.yaml", &all.concat())?;
    let up = Up::start(folder.path())?;
    let said = "Ingress/default/alone serves nobody: it is a canary";
    let ready = http::get(up.admin, &up.admin.to_string(), "/readyz")?.body;
    ensure!(ready.contains(&format!("note: {said}")) && !ready.contains("beside"), "{ready}");
    ensure!(shown(&up, &["get", "overview"])?.contains(said));
    let answer = up.get("alone.test", "/")?;
    let id = answer.header("x-request-id").context("an id")?;
    let explained = shown(&up, &["explain", &format!("request/{id}")])?;
    ensure!(answer.status == 404 && explained.contains(said), "{explained}");
    let explained = shown(&up, &["explain", "ingress/beside"])?;
    ensure!(explained.contains("route default-main-0@ingress"), "{explained}");
    Ok(())
}

/// A live instance says what it does, not what a plan would come to.
#[test]
fn what_is_not_spoken_yet_is_told_so() -> Result<()> {
    let folder = Scratch::new()?;
    let pool = "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\n\
                metadata: {name: pool, namespace: metallb-system}\n\
                spec: {addresses: [10.9.0.0/24]}\n---\n\
                apiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\n\
                metadata: {name: all, namespace: metallb-system}\n---\n\
                apiVersion: metallb.io/v1beta2\nkind: BGPPeer\n\
                metadata: {name: tor, namespace: metallb-system}\n\
                spec: {myASN: 64512, peerASN: 64513, peerAddress: 10.0.0.1}\n";
    let routed = load_balancer("routed", "127.0.0.1:1".parse()?);
    folder.write("all.yaml", &[pool, &routed].concat())?;
    let up = Up::start(folder.path())?;
    let explained = shown(&up, &["explain", "service/routed"])?;
    let would = "10.9.0.1/32 would be announced by ";
    let said = " to tor; BGP is not spoken yet\n";
    ensure!(explained.contains(would) && explained.contains(said), "{explained}");
    for what in ["services", "announcements"] {
        let told = shown(&up, &["get", what])?;
        ensure!(!told.contains("is announced"), "{told}");
    }
    let told = shown(&up, &["get", "announcements"])?;
    ensure!(told.contains("not-announced: BGP is not spoken yet"), "{told}");
    Ok(())
}

/// The first few by name, however many there are.
#[test]
fn the_log_names_files_whose_loss_is_not_believed_yet() -> Result<()> {
    let folder = Scratch::new()?;
    let at = "127.0.0.1:1".parse()?;
    let name = |n: usize| format!("file-{n}.yaml");
    for n in 0..9 {
        let both = [service(&format!("a{n}"), at), service(&format!("b{n}"), at)];
        folder.write(&name(n), &both.concat())?;
    }
    let mut up = Up::start(folder.path())?;
    folder.write(&name(0), &service("b0", at))?;
    up.process.wait_for("in force, but for files with less in them than before")?;
    let line = |up: &Up| {
        let printed = up.process.printed();
        let last = printed.lines().rfind(|line| line.contains("but for files")).map(str::to_owned);
        last.unwrap_or_default()
    };
    let (first, is_whole) = (line(&up), !line(&up).contains(", …"));
    ensure!(first.contains("file-0.yaml") && !first.contains("file-1") && is_whole, "{first}");
    for n in 1..9 {
        folder.write(&name(n), &service(&format!("b{n}"), at))?;
    }
    wait::until("more files than are named", || line(&up).contains(", …"))
        .with_context(|| line(&up))?;
    Ok(())
}

/// What `steelyard` prints when it asks the instance on a machine.
fn shown_on(machine: &Machine, arguments: &[&str]) -> Result<String> {
    let program = binary::steelyard();
    let output = machine.node.output(&program.to_string_lossy(), arguments)?;
    ensure!(output.status.success(), "{arguments:?}: {output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

/// Checks that `fault` is told of each of `services` wherever one looks.
fn told_everywhere(
    machine: &Machine,
    up: &mut Running,
    fault: &str,
    services: &[&str],
) -> Result<()> {
    machine.says(fault)?;
    up.wait_for(fault)?;
    let listed = shown_on(machine, &["get", "services"])?;
    let told = machine.read("services").context("services")?;
    for service in services {
        let row = listed.lines().find(|line| line.contains(&format!(" {service} ")));
        ensure!(row.is_some_and(|row| row.contains(fault)), "get services: {service}: {listed}");
        let explained = shown_on(machine, &["explain", &format!("service/{service}")])?;
        ensure!(explained.contains(fault), "explain: {explained}");
        let row = told.as_array().context("rows")?.iter().find(|row| row["name"] == *service);
        let row = row.context("a row")?.to_string();
        ensure!(row.contains(fault), "the API, and so the page: {row}");
    }
    ensure!(shown_on(machine, &["get", "overview"])?.contains(fault));
    Ok(())
}

#[test]
fn a_fault_of_the_host_is_told_alike_everywhere() -> Result<()> {
    needs_lab!();
    let machine = Machine::new("faults")?;
    let leads = load_balancer("leads", "10.1.1.1:8000".parse()?);
    let world = |pool: &str, gate: &str| {
        manifests::all(&[&manifests::pool(pool), &manifests::gateway_at("gate", gate), &leads])
    };
    machine.folder.write("all.yaml", &world("10.1.1.100-10.1.1.110", "10.1.1.100"))?;
    let mut up = machine.up(&[])?;
    machine.ready(&up)?;
    for rule in [
        "add table inet fw",
        "add chain inet fw out { type filter hook output priority 0; }",
        "add rule inet fw out tcp sport 80 drop",
    ] {
        ensure!(machine.node.output("nft", &[rule])?.status.success(), "{rule}");
    }
    let wall = "another firewall drops what clients are answered: table inet fw chain out: `tcp \
                sport 80 drop`";
    told_everywhere(&machine, &mut up, wall, &["gate", "leads"])?;
    let help = "help: put a rule that accepts before it: `nft insert rule inet fw out ";
    for service in ["service/gate", "service/leads"] {
        let explained = shown_on(&machine, &["explain", service])?;
        ensure!(explained.contains(help), "{explained}");
    }
    ensure!(machine.node.output("nft", &["delete table inet fw"])?.status.success());
    machine.ready(&up)?;
    ensure!(!shown_on(&machine, &["get", "services"])?.contains("another firewall"));

    machine.node.ip(&["addr", "add", "10.1.1.100/24", "dev", "eth0"])?;
    let own = "it is an address of this host, on eth0";
    told_everywhere(&machine, &mut up, own, &["gate"])?;
    let taken = shown_on(&machine, &["get", "announcements"])?;
    ensure!(taken.contains(own), "{taken}");
    Ok(())
}

/// As in a container, whose settings are not its own.
#[test]
fn forwarding_that_cannot_be_turned_on_is_told_as_that() -> Result<()> {
    needs_lab!();
    let machine = Machine::new("locked")?;
    let leads = load_balancer("leads", "10.1.1.1:8000".parse()?);
    let pool = manifests::pool("10.1.1.100-10.1.1.110");
    machine.folder.write("all.yaml", &manifests::all(&[&pool, &leads]))?;
    let lock = "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && \
                exec \"$@\"";
    let mut command = machine.node.command("unshare");
    command.args(["--mount", "sh", "-c", lock, "locked"]);
    command.args(machine.command(&["--ip-forward"]).get_args().skip(3));
    let up = Running::start(command)?;
    machine.ready(&up)?;
    let said = "in process: forwarding of packets cannot be turned on: ";
    let explained = shown_on(&machine, &["explain", "service/leads"])?;
    ensure!(explained.contains(said) && explained.contains("Read-only"), "{explained}");
    Ok(())
}
