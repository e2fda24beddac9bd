//! What a scrape gets is what is declared, and what Prometheus takes without complaint.

use anyhow::{Context, Result, ensure};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, Up, ingress, service};
use steelyard_tests::{exposition, http};

#[test]
fn a_scrape_is_what_is_declared() -> Result<()> {
    let backend = Backend::start("shop")?;
    let folder = Scratch::new()?;
    folder.write("service.yaml", &service("shop", backend.address))?;
    folder.write("app.yaml", &ingress("app", "app.test", "shop", ""))?;
    let up = Up::start(folder.path())?;
    up.wait_for("app.test", 200)?;
    let text = http::get(up.admin, "localhost", "/metrics")?.body;
    exposition::check(&text)?;
    let value = |series: &str| -> Result<f64> {
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        value.with_context(|| format!("no {series} in {text}"))
    };
    ensure!(value("traefik_config_reloads_total")? >= 1.0);
    ensure!(value("process_resident_memory_bytes")? > 1e6);
    ensure!(value("process_open_fds")? > 3.0 && value("process_max_fds")? > 3.0);
    ensure!(value("process_start_time_seconds")? > 1.6e9);
    ensure!(value("process_cpu_seconds_total")? > 0.0);
    ensure!(text.contains("\nsteelyard_build_info{version=\"") && text.contains("router=\""));
    Ok(())
}
