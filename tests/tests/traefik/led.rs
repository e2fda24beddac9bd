//! Who is led where while endpoints come and go: cookies, failover, and hosts of other terms than
//! the handshake's.

use super::*;

/// A Service at these backends.
fn of(backends: &[&Backend]) -> String {
    let all: Vec<String> = backends.iter().map(|it| it.address.to_string()).collect();
    let endpoints = match all.as_slice() {
        [] => String::new(),
        some => format!("steelyard.dev/endpoints: \"{}\"", some.join(",")),
    };
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: herd\n  annotations: \
         {{{endpoints}}}\nspec:\n  ports: [{{port: 80}}]\n"
    )
}

/// Who answers a client with this cookie, and the cookie that it has then.
fn asked(up: &Up, host: &str, cookie: Option<&str>) -> Result<(String, Option<String>)> {
    let line = cookie.map(|it| format!("Cookie: {it}\r\n")).unwrap_or_default();
    let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n{line}Connection: close\r\n\r\n");
    let answer = http::exchange(&mut connect(up.web)?, text.as_bytes())?;
    ensure!(answer.status == 200, "{answer:?}");
    let set = answer.header("set-cookie").and_then(|it| it.split(';').next());
    let cookie = set.or(cookie).map(str::to_owned);
    Ok((answer.workload().to_owned(), cookie))
}

#[test]
fn cookies_lead_back_while_a_service_grows_and_shrinks() -> Result<()> {
    let folder = Scratch::new()?;
    let [a, b, c] = ["a", "b", "c"].map(Backend::start);
    let (a, b, c) = (a?, b?, c?);
    folder.write("herd.yaml", &of(&[&a, &b]))?;
    folder.write(
        "route.yaml",
        "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: herd}\nspec:\n  \
         entryPoints: [web]\n  routes:\n  - match: Host(`herd.test`)\n    services:\n    \
         - {name: herd, port: 80, sticky: {cookie: {name: lead}}}\n",
    )?;
    let up = Up::start(folder.path())?;
    let ask = |cookie: Option<&str>| asked(&up, "herd.test", cookie);
    let (first, cookie) = ask(None)?;
    // Each core takes its own turns.
    let (second, other) =
        wait::until_some("the other one", || ask(None).ok().filter(|(who, _)| *who != first))?;
    ensure!(cookie != other, "each has a cookie of its own: {cookie:?}");
    let are_led_back = || -> Result<()> {
        for (who, cookie) in [(&first, &cookie), (&second, &other)] {
            for _ in 0..4 {
                let found = ask(cookie.as_deref())?;
                ensure!(found == (who.clone(), cookie.clone()), "{who}: {found:?}");
            }
        }
        Ok(())
    };
    are_led_back()?;
    // It grows: who comes first is led to the new one as well, and nobody else is.
    folder.write("herd.yaml", &of(&[&a, &b, &c]))?;
    wait::until("a third one", || ask(None).is_ok_and(|(who, _)| who == "c"))?;
    are_led_back()?;
    // It shrinks: who was led to the one that is gone is led to another, and back to that.
    folder.write("herd.yaml", &of(&[if first == "a" { &b } else { &a }, &c]))?;
    let gone = || ask(cookie.as_deref()).is_ok_and(|(who, _)| who != first);
    wait::until("the first one goes", gone)?;
    let (now, anew) = ask(cookie.as_deref())?;
    ensure!(anew != cookie, "another cookie: {anew:?}");
    for _ in 0..4 {
        ensure!(ask(anew.as_deref())? == (now.clone(), anew.clone()), "led to {now}");
        ensure!(ask(other.as_deref())?.0 == second, "who was led to one that stays");
    }
    Ok(())
}

#[test]
fn failover_goes_back_and_forth() -> Result<()> {
    let folder = Scratch::new()?;
    let (spare, first) = (Backend::start("spare")?, Backend::start("first")?);
    let at = first.address;
    folder.write("herd.yaml", &of(&[&first]))?;
    folder.write("spare.yaml", &service("spare", spare.address))?;
    folder.write(
        "route.yaml",
        "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: led}\nspec:\n  \
         entryPoints: [web]\n  routes:\n  - match: Host(`led.test`)\n    services: [{name: both, kind: \
         TraefikService}]\n---\napiVersion: traefik.io/v1alpha1\nkind: TraefikService\nmetadata: \
         {name: both}\nspec:\n  failover:\n    service: {name: herd, port: 80, healthCheck: {path: /, \
         interval: 100ms, timeout: 1s}}\n    fallback: {name: spare, port: 80}\n",
    )?;
    let up = Up::start(folder.path())?;
    let goes_to = |who: &str| {
        let is_it = || up.get("led.test", "/").is_ok_and(|it| it.workload() == who);
        wait::until(&format!("requests to go to {who}"), is_it)
    };
    goes_to("first")?;
    // It dies, and comes back; then its Service has nobody, and somebody again.
    drop(first);
    goes_to("spare")?;
    let first = Backend::start_at("first", at)?;
    goes_to("first")?;
    folder.write("herd.yaml", &of(&[]))?;
    goes_to("spare")?;
    folder.write("herd.yaml", &of(&[&first]))?;
    goes_to("first")
}

#[test]
fn a_host_of_other_terms_than_the_handshakes_is_misdirected() -> Result<()> {
    let (folder, _shop, _api) = shop()?;
    let route = |name: &str, tls: &str| {
        format!(
            "---\napiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {{name: \
             {name}}}\nspec:\n  entryPoints: [websecure]\n  routes:\n  - match: \
             Host(`{name}.test`)\n    services: [{{name: shop, port: 80}}]\n  tls: {{{tls}}}\n"
        )
    };
    let option = "---\napiVersion: traefik.io/v1alpha1\nkind: TLSOption\nmetadata: {name: modern}\n\
                  spec: {minVersion: VersionTLS13}\n";
    let all = route("strict", "options: {name: modern}") + &route("usual", "") + &route("same", "");
    folder.write("routes.yaml", &(all + option))?;
    let up = Up::start(folder.path())?;
    for (name, host, status) in [
        ("usual.test", "usual.test", 200),
        ("usual.test", "same.test", 200),
        ("usual.test", "strict.test", 421),
        ("strict.test", "usual.test", 421),
        ("strict.test", "strict.test", 200),
        ("usual.test", "nobody.test", 404),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let said = openssl(up.websecure, &["-servername", name], &request)?;
        ensure!(said.starts_with(&format!("HTTP/1.1 {status}")), "{name}, {host}: {said}");
    }
    Ok(())
}
