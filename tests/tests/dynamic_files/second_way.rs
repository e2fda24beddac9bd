//! Who is asked second by a status, as files of dynamic configuration say it.

use super::*;

/// The first way is `first`; the second one is `nas`, whose middleware is `stamp` or a plugin.
fn failover(first: &str, nas: &str) -> String {
    format!(
        "http:\n  routers:\n    both: {{rule: Host(`both.test`), entryPoints: [web], service: both}}\n    \
         shut: {{rule: Host(`shut.test`), entryPoints: [web], service: shut}}\n  \
         middlewares:\n    \
         one: {{headers: {{customRequestHeaders: {{X-First: first}}}}}}\n    \
         two: {{headers: {{customRequestHeaders: {{X-Stamp: second}}}}}}\n    \
         never: {{plugin: {{somebody-elses: {{}}}}}}\n  services:\n    \
         both: {{failover: {{service: first, fallback: second, errors: {{status: ['502'], \
         maxRequestBodyBytes: 20}}}}}}\n    \
         shut: {{failover: {{service: first, fallback: never, errors: {{status: ['502']}}}}}}\n    \
         first: {{loadBalancer: {{servers: [{{url: 'http://{first}'}}]}}, middlewares: [one]}}\n    \
         second: {{loadBalancer: {{servers: [{{url: 'http://{nas}'}}]}}, middlewares: [two]}}\n    \
         never: {{loadBalancer: {{servers: [{{url: 'http://{nas}'}}]}}, middlewares: [never]}}\n"
    )
}

/// What is answered to this body, and what the backend says that it heard.
fn post(up: &Up, host: &str, body: &str) -> Result<http::Answer> {
    let length = body.len();
    let text = format!(
        "POST /x HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    http::exchange(&mut TcpStream::connect(up.web)?, text.as_bytes())
}

/// The second way's middlewares are passed, and nothing of the first way's is left; a larger body
/// is refused; and a way that is closed closes nobody who does not go there, as findings say.
#[test]
fn who_is_asked_second_passes_what_files_say() -> Result<()> {
    let home = Home::new()?;
    let nas = home.nas.address.to_string();
    let gone = format!("127.0.0.1:{}", http::free_port()?);
    home.write("second.yml", &failover(&gone, &nas))?;
    let up = home.start(&[])?;
    let answer = post(&up, "both.test", "twenty bytes at most")?;
    let heard = answer.body.to_ascii_lowercase();
    ensure!(answer.status == 200 && answer.workload() == "nas", "{answer:?}");
    ensure!(heard.contains("x-stamp: second") && !heard.contains("x-first"), "{answer:?}");
    ensure!(heard.contains("content-length: 20"), "all of its body: {answer:?}");
    let answer = post(&up, "both.test", "more than twenty bytes")?;
    ensure!(answer.status == 413, "{answer:?}");
    ensure!(up.get("shut.test", "/")?.status == 503, "the second way is closed");
    let said = up.read("diagnostics")?.to_string();
    ensure!(said.contains("this way serves nobody"), "{said}");
    // The first one is there: nobody goes the other way.
    home.write("second.yml", &failover(&nas, &gone))?;
    for host in ["both.test", "shut.test"] {
        let heard = || up.get(host, "/").map(|it| it.body.to_ascii_lowercase()).unwrap_or_default();
        wait::until("the first one to be asked", || heard().contains("x-first: first"))?;
        ensure!(!heard().contains("x-stamp"), "{}", heard());
    }
    Ok(())
}
