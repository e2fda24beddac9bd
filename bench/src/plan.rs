//! `bench plan`: from loaded objects to addresses, for thousands of Services.
//!
//! Every case runs in a process of its own, so that its peak memory is its own; rounds go over all
//! cases. Inputs are YAML through the real loader.

mod carried;
mod cases;
mod reporting;
pub(crate) mod running;
pub(crate) mod worlds;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::results::{Row, median, write};

pub(crate) use cases::{Case, Sample};
use running::{Home, Lived};
use worlds::{CLUSTER_IP, led_to_live, routed};

/// What to measure.
pub(crate) struct Options {
    /// The release binary, for what is measured of `up`.
    pub(crate) binary: PathBuf,
    pub(crate) rounds: u32,
    pub(crate) output: PathBuf,
}

/// What `up` runs on: Services, each with a route.
const HOME: Home = Home {
    routes: 5_000,
    edits: 1_000,
    written: |n| routed(n, "/", 80, CLUSTER_IP),
    led: led_to_live,
};

/// Medians over the rounds, by case.
struct Medians {
    rounds: u32,
    samples: BTreeMap<Case, Vec<Sample>>,
    lived: Vec<Lived>,
}

/// Runs all cases and writes the rows.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (samples, lived) = (BTreeMap::new(), Vec::new());
    let mut medians = Medians { rounds: options.rounds, samples, lived };
    for _ in 0..options.rounds {
        for &case in Case::ALL {
            let sample = in_child(case)?;
            eprintln!("{case:?}: {:.3} ms, {:.1} MiB", sample.milliseconds, sample.peak_mebibytes);
            medians.samples.entry(case).or_default().push(sample);
        }
        let lived = running::run(&options.binary, &HOME)?;
        let Lived { after_start_mebibytes: start, after_edits_mebibytes: later, .. } = lived;
        eprintln!("up: {start:.1} MiB, {later:.1} MiB, an edit {:.2} ms", lived.edit_milliseconds);
        medians.lived.push(lived);
    }
    write(&options.output, medians.rows())
}

fn in_child(case: Case) -> Result<Sample> {
    let name = serde_json::to_value(case)?;
    let name = name.as_str().context("a case is written as its name")?.to_owned();
    let output = Command::new(std::env::current_exe()?).args(["plan-case", &name]).output()?;
    if !output.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

impl Medians {
    fn rows(&self) -> Vec<Row> {
        let ms = |case| self.of(case, |it| it.milliseconds);
        let row =
            |name: &str, unit: &str, ours, goal| Row::alone(name, unit, ours, goal, self.rounds);
        let memory = self.of(Case::Sixteen, |it| it.peak_mebibytes);
        let full =
            row("a /16 is full, one more asks: address decided", "µs", ms(Case::Full) * 1e3, 5.0);
        let six =
            row("250 Services, IPv6 /64: addresses decided", "µs", ms(Case::SixtyFour) * 1e3, 1.25);
        let reserved = "10,000 addresses of machines: those that 1,000 pools have";
        let reserved = row(reserved, "µs", ms(Case::Reserved) * 1e3, 1000.0);
        let reported = "one of 10,000 Ingresses changes: what statuses are to say";
        let reported = row(reported, "µs", ms(Case::Reported) * 1e3, 1000.0);
        let carried = "an endpoint of one of 10,000 forwarded vips changes: in force in the kernel";
        let carried = row(carried, "ms", ms(Case::Carried), 20.0);
        let again = |what: &str, case, goal| {
            let name = format!("one of 10,000 Services {what}: everything planned again");
            row(&name, "ms", ms(case), goal)
        };
        let routed = |what: &str, case| {
            let name = format!("one of 5,000 Services with a route, of 10,000: {what}: new plan");
            row(&name, "ms", ms(case), 5.0)
        };
        let mut rows = vec![
            row("10,000 Services, a /16: from loaded objects", "ms", ms(Case::Sixteen), 300.0),
            row("10,000 Services, a /16: memory", "MiB", memory, 90.0),
            row(
                "one of 10,000 Services changes: address decided",
                "µs",
                ms(Case::Change) * 1e3,
                5000.0,
            ),
            again("changes", Case::Edit, 5.0),
            // A hundred Services are read there.
            again("changes, of 100 in its file", Case::EditOfHundred, 10.0),
            again("comes, to 100 in its file", Case::Come, 10.0),
            routed("an endpoint changes", Case::Endpoint),
            routed("the route changes", Case::Route),
            routed("it gets a mistake", Case::Mistake),
            routed("its mistake is mended", Case::Mended),
            reported,
            reserved,
            carried.beside("everything looked at anew", ms(Case::CarriedAnew)),
            full.beside("an empty /16", ms(Case::Empty) * 1e3),
            six.beside("a /24", ms(Case::TwentyFour) * 1e3),
            row(
                "1,000 pools for all × 10,000 Services: from loaded objects",
                "ms",
                ms(Case::PoolsForAll),
                1000.0,
            ),
            row(
                "1,000 pools, each for some, × 10,000 Services: from loaded objects",
                "ms",
                ms(Case::PoolsForSome),
                1000.0,
            ),
        ];
        rows.extend(self.of_up());
        rows
    }

    /// What is measured of the program itself.
    fn of_up(&self) -> [Row; 3] {
        let row = |what: &str, unit: &str, ours, goal| {
            let name = format!("`up`, 5,000 Services with a route: {what}");
            Row::alone(&name, unit, ours, goal, self.rounds)
        };
        let edit = self.lived(|it| it.edit_milliseconds);
        let start = self.lived(|it| it.after_start_mebibytes);
        let later = self.lived(|it| it.after_edits_mebibytes);
        [
            row("an edited route, until the gateway serves by it", "ms", edit, 10.0),
            row("memory after start", "MiB", start, 45.0),
            row("memory after 1,000 edits", "MiB", later, 50.0),
        ]
    }

    fn lived(&self, figure: impl Fn(&Lived) -> f64) -> f64 {
        median(self.lived.iter().map(figure).collect())
    }

    fn of(&self, case: Case, figure: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples[&case].iter().map(figure).collect())
    }
}
