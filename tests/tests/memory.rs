//! Memory: what edits needed is given back, however many there were.

use anyhow::{Context, Result, ensure};
use steelyard_tests::http;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, Up, ingress, service};
use steelyard_tests::wait;

/// Routes, each in a file of its own.
const ROUTES: usize = 200;
/// Edits until everything that is set aside once was needed.
const FIRST: usize = 50;
/// Edits after that.
const MORE: usize = 2_000;

struct Edited {
    folder: Scratch,
    up: Up,
    _backend: Backend,
    edits: usize,
}

impl Edited {
    fn start() -> Result<Self> {
        let (backend, folder) = (Backend::start("shop")?, Scratch::new()?);
        folder.write("service.yaml", &service("shop", backend.address))?;
        for n in 0..ROUTES {
            folder
                .write(&file(n), &ingress(&format!("app-{n}"), &format!("{n}.test"), "shop", ""))?;
        }
        let up = Up::start(folder.path())?;
        Ok(Self { folder, up, _backend: backend, edits: 0 })
    }

    /// Leads other hosts to the Service, one edit after the other, here and there.
    fn edit(&mut self, times: usize) -> Result<()> {
        for _ in 0..times {
            self.edits += 1;
            let n = self.edits * 37 % ROUTES;
            let host = format!("edit-{}.test", self.edits);
            self.folder.write(&file(n), &ingress(&format!("app-{n}"), &host, "shop", ""))?;
            self.up.wait_for(&host, 200)?;
        }
        Ok(())
    }

    /// Its memory in bytes, the pages of the program included.
    fn resident(&self) -> Result<f64> {
        let metrics = http::get(self.up.admin, "localhost", "/metrics")?.body;
        let name = "process_resident_memory_bytes ";
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        Ok(line.with_context(|| metrics.clone())?.parse()?)
    }
}

fn file(n: usize) -> String {
    format!("app-{n}.yaml")
}

/// Allowed is half of what comes to be when the Snapshot and the plan of each edit are kept.
#[test]
fn edits_leave_as_much_memory_as_there_was() -> Result<()> {
    let mut edited = Edited::start()?;
    edited.edit(FIRST)?;
    let before = edited.resident()?;
    edited.edit(MORE)?;
    let mut after = before;
    let given_back = wait::until("memory to be given back", || {
        after = edited.resident().unwrap_or(f64::MAX);
        after <= before * 1.15
    });
    ensure!(given_back.is_ok(), "{before} bytes, and {after} after {MORE} edits");
    Ok(())
}
