//! Users in a file that dynamic configuration names: whoever is added to it is let in, and who is
//! taken out is not.

use std::net::TcpStream;

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use steelyard_tests::http;
use steelyard_tests::up::Up;
use steelyard_tests::wait;

use super::Home;

/// `secret` in SHA-1, as `htpasswd -s` writes it.
const SECRET: &str = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=";

/// What somebody with the password `secret` is answered.
fn status(up: &Up, user: &str) -> Result<u16> {
    let said = STANDARD.encode(format!("{user}:secret"));
    let request = format!(
        "GET / HTTP/1.1\r\nHost: kept.test\r\nAuthorization: Basic {said}\r\n\
         Connection: close\r\n\r\n"
    );
    Ok(http::exchange(&mut TcpStream::connect(up.web)?, request.as_bytes())?.status)
}

#[test]
fn users_in_a_file_are_followed() -> Result<()> {
    let home = Home::new()?;
    let file = home.folder.file("users.txt");
    home.write(
        "kept.yml",
        &format!(
            "http:\n  routers:\n    kept: {{rule: Host(`kept.test`), entryPoints: [web], service: \
             nas, middlewares: [kept]}}\n  middlewares:\n    kept: {{basicAuth: {{usersFile: '{}', \
             users: ['own:{SECRET}']}}}}\n",
            file.display()
        ),
    )?;
    let up = home.start(&[])?;
    up.wait_for("kept.test", 503)?;
    wait::until("the file is missed", || {
        up.read("diagnostics").is_ok_and(|it| it.to_string().contains("filter-secret"))
    })?;
    let becomes = |what: &str, user: &str, expected: u16| {
        wait::until(what, || status(&up, user).is_ok_and(|status| status == expected))
    };
    std::fs::write(&file, format!("# who\nann:{SECRET}\nbob:odd\n"))?;
    becomes("who is in the file is let in", "ann", 200)?;
    ensure!(status(&up, "own")? == 200 && status(&up, "bob")? == 401);
    let told = up.read("diagnostics")?.to_string();
    ensure!(told.contains("filter-user") && !told.contains("5en6G6M"), "{told}");
    // The last line of a name counts, and those that are written come last.
    std::fs::write(&file, format!("bob:{SECRET}\nown:{{SHA}}AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"))?;
    becomes("who is added is let in", "bob", 200)?;
    ensure!(status(&up, "ann")? == 401 && status(&up, "own")? == 200);
    // A file that is gone takes nobody's access, and gives none.
    std::fs::remove_file(&file)?;
    wait::until("the file is missed", || {
        up.read("diagnostics").is_ok_and(|it| it.to_string().contains("cannot be read"))
    })?;
    ensure!(status(&up, "bob")? == 200 && status(&up, "ann")? == 401);
    Ok(())
}
