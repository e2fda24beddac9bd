//! The steps of a case, one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::case::Case;
use crate::client::{Answer, Target, raw};
use crate::controller::Controller;
use crate::expect;
use crate::handshake;
use crate::record::Received;
use crate::rpc;

/// How long a case that is known not to hold is tried again.
const BRIEFLY: Duration = Duration::from_secs(1);
/// Longest wait for an answer, some of which take a minute, nearly; and for one that is known not
/// to be as it should.
const MOST: Duration = Duration::from_secs(70);
pub(crate) const LESS: Duration = Duration::from_secs(30);
/// How long what somebody else receives may be on its way.
const ON_THE_WAY: Duration = Duration::from_secs(2);

/// What the runner itself cannot do, if a case takes that.
pub(crate) fn beyond(case: &Case) -> Option<&'static str> {
    let text = case.content.to_string();
    let has = |part: &str| text.contains(part);
    let found =
        [("\"status_of\":", "there is no API server"), ("\"events\":", "there is no API server")];
    found.into_iter().find(|(part, _)| has(part)).map(|(_, why)| why)
}

/// Runs a case; a case that is known not to hold is not waited for.
pub(crate) fn run(case: &Case, is_known: bool) -> Result<()> {
    let controller = Controller::start(case)?;
    let mut run = Run { controller, saved: BTreeMap::new(), admitted: None, is_known };
    for (index, step) in case.steps().iter().enumerate() {
        run.step(step).with_context(|| format!("step {}", index + 1))?;
    }
    Ok(())
}

struct Run<'c> {
    controller: Controller<'c>,
    saved: BTreeMap<String, String>,
    /// What the webhook has said last: whether an object may come in, and why not.
    admitted: Option<(bool, String)>,
    is_known: bool,
}

/// What came of a step.
#[derive(Default)]
struct Seen {
    answers: Vec<Answer>,
    failed: Option<String>,
    received: Vec<Received>,
    heard: Vec<u8>,
}

impl Run<'_> {
    fn step(&mut self, step: &Value) -> Result<()> {
        if let Some(seconds) = step["wait"].as_f64() {
            std::thread::sleep(Duration::from_secs_f64(seconds));
        }
        self.change(step)?;
        if step["request"].is_null() && step["expect"].is_null() {
            return Ok(());
        }
        let patience =
            step["retry"]["for"].as_f64().map_or(Duration::ZERO, Duration::from_secs_f64);
        let patience = if self.is_known { patience.min(BRIEFLY) } else { patience };
        let deadline = Instant::now() + patience;
        loop {
            match self.once(step) {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    fn change(&mut self, step: &Value) -> Result<()> {
        let filled = |key: &str| self.controller.filled(&step[key], &self.saved);
        let (applied, deleted, submitted) = (filled("apply"), filled("delete"), filled("submit"));
        if let Some(objects) = applied.as_array() {
            self.controller.apply(objects)?;
        }
        if let Some(objects) = deleted.as_array() {
            self.controller.delete(objects)?;
        }
        for (key, replaces) in [("configmap", false), ("configmap_replace", true)] {
            if !step[key].is_null() {
                self.controller.configure(&step[key], replaces)?;
            }
        }
        for (name, count) in step["scale"].as_object().into_iter().flatten() {
            let count = usize::try_from(count.as_u64().context("a count")?)?;
            self.controller.scale_to(name, count, step["fresh"] == true)?;
        }
        if !step["stop"].is_null() {
            let names = step["stop"].as_array().into_iter().flatten();
            let names: Vec<String> = names.map(expect::text).collect();
            self.controller.stop(&names)?;
        }
        if !step["tcp"].is_null() {
            self.controller.open_ports(&step["tcp"])?;
        }
        if let Some(name) = step["signal"].as_str() {
            self.controller.signal(name)?;
        }
        if !submitted.is_null() {
            self.admitted = Some(self.controller.submit(&submitted)?);
        }
        match ["clear_status"].into_iter().find(|key| !step[*key].is_null()) {
            Some(key) => bail!("{key}: nothing like it is read"),
            None => Ok(()),
        }
    }

    fn once(&mut self, step: &Value) -> Result<()> {
        let before = self.controller.records.count();
        let mut seen = self.ask(&step["request"]);
        seen.received = self.controller.records.since(before);
        let expected = self.controller.filled(&step["expect"], &self.saved);
        self.judge(&expected, &mut seen, before)?;
        for (name, what) in step["save"].as_object().into_iter().flatten() {
            let last = seen.answers.last().context("an answer to save something of")?;
            let value = match what["cookie"].as_str() {
                Some(cookie) => last.cookies().get(cookie).map(|(value, _)| value.clone()),
                None => last.served().map(|(backend, number)| format!("{backend}#{number}")),
            };
            self.saved.insert(name.clone(), value.context("nothing to save")?);
        }
        Ok(())
    }

    fn ask(&self, request: &Value) -> Seen {
        let mut seen = Seen::default();
        if request.is_null() {
            return seen;
        }
        let request = self.controller.filled(request, &self.saved);
        let (address, certs) = (self.controller.address(), &self.controller.certs);
        if let Some(bytes) = request["raw"].as_str() {
            match raw(address, bytes.as_bytes()) {
                Ok(heard) => seen.heard = heard,
                Err(error) => seen.failed = Some(format!("{error:#}")),
            }
            return seen;
        }
        let patience = if self.is_known { LESS } else { MOST };
        let target = Target { address, request: &request, certs, patience };
        let count = request["count"].as_u64().unwrap_or(1);
        let answers: Vec<Result<Answer>> = if request["parallel"] == true {
            std::thread::scope(|scope| {
                let asked: Vec<_> = (0..count).map(|_| scope.spawn(|| alone(&target))).collect();
                asked.into_iter().map(|it| it.join().unwrap()).collect()
            })
        } else if !request["one_connection"].is_null() {
            together(&target, count, &request)
        } else {
            let is_call = !request["grpc"].is_null();
            let ask = if is_call { rpc::call } else { alone };
            (0..count).map(|_| ask(&target)).collect()
        };
        for answer in answers {
            match answer {
                Ok(answer) => seen.answers.push(answer),
                Err(error) => seen.failed = Some(format!("{error:#}")),
            }
        }
        seen
    }

    fn judge(&self, expected: &Value, seen: &mut Seen, before: usize) -> Result<()> {
        if expected["error"].is_string() {
            ensure!(seen.failed.is_some(), "an answer came: {:?}", seen.answers.last());
            return Ok(());
        }
        if !expected["grpc_status"].is_null() {
            calls(&expected["grpc_status"], seen)?;
            if expected["grpc_status"].is_string() {
                return Ok(());
            }
        }
        if let Some(why) = &seen.failed {
            bail!("no answer: {why}");
        }
        if let Some(expected) = expected["admitted"].as_bool() {
            // The words of its reason are its own.
            let (is_admitted, why) = self.admitted.as_ref().context("nobody was asked")?;
            ensure!(*is_admitted == expected, "admitted: {is_admitted} {why}");
        }
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for answer in &seen.answers {
            if !expected["status"].is_null() {
                expect::status(&expected["status"], answer.status)?;
            }
            expect::answer(expected, answer)?;
            *counts.entry(answer.status.to_string()).or_default() += 1;
        }
        for (status, count) in expected["statuses"].as_object().into_iter().flatten() {
            let got = counts.get(status).copied().unwrap_or_default();
            ensure!(Some(got) == count.as_u64(), "statuses: {counts:?}");
        }
        self.who(expected, seen)?;
        self.backends(expected, seen, before)?;
        self.rest(expected, seen)
    }

    /// Who has answered.
    fn who(&self, expected: &Value, seen: &Seen) -> Result<()> {
        let served: Vec<(String, usize)> = seen.answers.iter().filter_map(Answer::served).collect();
        if let Some(backend) = expected["served_by"].as_str() {
            ensure!(served.len() == seen.answers.len(), "not all were answered by a backend");
            let others: BTreeSet<&str> =
                served.iter().map(|(it, _)| it.as_str()).filter(|it| *it != backend).collect();
            ensure!(others.is_empty(), "{backend} is to answer, and {others:?} did");
        }
        for (backend, bounds) in expected["distribution"].as_object().into_iter().flatten() {
            let got = served.iter().filter(|(it, _)| it == backend).count() as u64;
            let least = bounds["min"].as_u64().unwrap_or(0);
            let most = bounds["max"].as_u64().unwrap_or(u64::MAX);
            ensure!((least..=most).contains(&got), "{backend} has answered {got} times");
        }
        let who: BTreeSet<&(String, usize)> = served.iter().collect();
        let instances = &expected["instances"];
        if let Some(count) = instances["distinct"].as_u64() {
            ensure!(who.len() as u64 == count, "{} have answered: {who:?}", who.len());
        }
        if let Some(only) = instances["only"].as_array() {
            let numbers: BTreeSet<u64> = who.iter().map(|(_, number)| *number as u64).collect();
            let only: BTreeSet<u64> = only.iter().filter_map(Value::as_u64).collect();
            ensure!(numbers == only, "{numbers:?} have answered");
        }
        let last = served.last().map(|(backend, number)| format!("{backend}#{number}"));
        for (key, same) in [("same_instance_as", true), ("other_instance_than", false)] {
            if let Some(name) = expected[key].as_str() {
                let is_same = last.as_ref() == self.saved.get(name);
                ensure!(is_same == same, "{last:?} has answered, {name} is {:?}", self.saved);
            }
        }
        Ok(())
    }

    /// What backends have received.
    fn backends(&self, expected: &Value, seen: &mut Seen, before: usize) -> Result<()> {
        if !expected["backend_saw"].is_null() {
            let last = seen.answers.last().and_then(Answer::served);
            let by =
                |it: &&Received| last.as_ref().is_none_or(|(backend, _)| it.backend == *backend);
            let got = seen.received.iter().rev().find(by).context("no backend got anything")?;
            expect::received(&expected["backend_saw"], got)?;
            if let Some(most) = expected["backend_saw"]["max_requests_per_connection"].as_u64() {
                let all = seen.received.iter().filter(|it| it.backend == got.backend);
                let got = all.map(|it| it.nth).max().unwrap_or_default();
                ensure!(got as u64 <= most, "{got} came on one connection");
            }
        }
        for (backend, wanted) in expected["saw"].as_object().into_iter().flatten() {
            let deadline = Instant::now() + ON_THE_WAY;
            loop {
                seen.received = self.controller.records.since(before);
                let got = seen.received.iter().rev().find(|it| it.backend == *backend);
                let judged = match got {
                    Some(got) => expect::received(wanted, got),
                    None => Err(anyhow::anyhow!("it got nothing")),
                };
                match judged.with_context(|| backend.clone()) {
                    Ok(()) => break,
                    Err(error) if Instant::now() >= deadline => return Err(error),
                    Err(_) => std::thread::sleep(Duration::from_millis(20)),
                }
            }
        }
        for backend in expected["not_reached"].as_array().into_iter().flatten() {
            let name = expect::text(backend);
            ensure!(!seen.received.iter().any(|it| it.backend == name), "{name} was reached");
        }
        Ok(())
    }

    fn rest(&self, expected: &Value, seen: &Seen) -> Result<()> {
        if let Some(last) = seen.answers.last() {
            expect::answer(&expected["last"], last).context("the last answer")?;
            let took = last.took.as_secs_f64();
            let least = expected["took"]["min"].as_f64().unwrap_or(0.0);
            let most = expected["took"]["max"].as_f64().unwrap_or(f64::MAX);
            ensure!(least <= took && took <= most, "it took {took} s");
        }
        if !expected["tls"].is_null() {
            self.tls(&expected["tls"], seen.answers.last().context("an answer over TLS")?)?;
        }
        if let Some(count) = expected["connections"].as_u64() {
            let fresh = seen.answers.iter().filter(|it| it.on_same == 0).count() as u64;
            ensure!(fresh == count, "{fresh} connections were needed");
        }
        if let Some(count) = expected["responses"].as_u64() {
            let got = String::from_utf8_lossy(&seen.heard).matches("HTTP/1.1 ").count() as u64;
            ensure!(got == count, "{got} answers");
        }
        for wanted in expected["metrics"].as_array().into_iter().flatten() {
            expect::series(wanted, &self.controller.metrics()?)?;
        }
        self.log(&expected["log"])
    }

    fn tls(&self, expected: &Value, got: &Answer) -> Result<()> {
        let shown = got.shown.as_ref().context("no certificate was shown")?;
        let leaf = &shown.leaf;
        let says = |name: &str, wanted: &Value| {
            let said = handshake::particulars(leaf)?;
            let said = said.iter().filter(|(it, _)| it == name).map(|(_, value)| value.as_str());
            let said: Vec<&str> = said.collect();
            match wanted {
                Value::Array(all) => {
                    let all: Vec<String> = all.iter().map(expect::text).collect();
                    ensure!(said == all, "{name}: {said:?}");
                    Ok(())
                }
                one => expect::matches(one, &said).context(name.to_owned()),
            }
        };
        for (key, wanted) in expected.as_object().into_iter().flatten() {
            match (key.as_str(), wanted.as_str()) {
                ("cert", Some("fake")) => {
                    let known = self.controller.certs.iter().find(|(_, it)| it.ders[0] == *leaf);
                    ensure!(known.is_none(), "a certificate of the case was shown");
                }
                ("cert", Some(name)) => {
                    let made = self.controller.certs.get(name).context("a certificate")?;
                    ensure!(made.ders[0] == *leaf, "another certificate was shown");
                }
                ("version", _) => expect::matches(wanted, &[shown.version]).context("version")?,
                ("cipher", _) => expect::matches(wanted, &[&shown.cipher]).context("cipher")?,
                ("session_ticket", _) => {
                    let has = shown.has_ticket;
                    ensure!(Some(has) == wanted.as_bool(), "a ticket came: {has}");
                }
                ("ocsp", _) => expect::matches(wanted, &[&handshake::standing(&shown.staple)?])?,
                ("dns", _) => says("dns", wanted)?,
                ("cn", _) => says("subject.CN", wanted)?,
                ("organization", _) => says("subject.O", wanted)?,
                ("issuer_cn", _) => says("issuer.CN", wanted)?,
                (other, _) => bail!("the runner does not look at {other} of TLS"),
            }
        }
        Ok(())
    }

    fn log(&self, expected: &Value) -> Result<()> {
        if expected.is_null() {
            return Ok(());
        }
        let deadline = Instant::now() + ON_THE_WAY;
        let matcher = expected.as_object().into_iter().flatten().filter(|(key, _)| *key != "file");
        let matcher: Value = matcher.map(|(key, it)| (key.clone(), it.clone())).collect();
        // What must not be there is looked for when it could be.
        if !expected["excludes"].is_null() {
            std::thread::sleep(Duration::from_millis(1_200));
        }
        loop {
            let text = match expected["file"].as_str() {
                Some(file) => std::fs::read_to_string(file).unwrap_or_default(),
                None => self.controller.printed(),
            };
            match expect::matches(&matcher, &[&text]) {
                Ok(()) => return Ok(()),
                Err(_) if Instant::now() >= deadline => bail!("the log has no {matcher}"),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

/// How calls have ended: with a status, or with any that is not good.
fn calls(expected: &Value, seen: &Seen) -> Result<()> {
    let statuses: Vec<_> = seen.answers.iter().map(rpc::status).collect();
    match expected.as_u64() {
        None => ensure!(!statuses.contains(&Some(0)), "a call was good: {statuses:?}"),
        wanted => {
            let is_so = seen.failed.is_none() && statuses.iter().all(|it| *it == wanted);
            ensure!(is_so, "calls ended in {statuses:?}: {:?} {:?}", seen.failed, seen.answers);
        }
    }
    Ok(())
}

/// On a connection of its own.
pub(crate) fn alone(target: &Target<'_>) -> Result<Answer> {
    target.ask(&mut target.connect()?)
}

/// On one connection, as long as it lasts.
fn together(target: &Target<'_>, count: u64, request: &Value) -> Vec<Result<Answer>> {
    let pause = request["pause"].as_f64().unwrap_or_default();
    let (mut open, mut answers) = (None, Vec::new());
    for index in 0..count {
        if index > 0 {
            std::thread::sleep(Duration::from_secs_f64(pause));
        }
        let answer = match open.take().map_or_else(|| target.connect(), Ok) {
            Ok(mut on) => {
                let answer = target.ask(&mut on);
                open = answer.as_ref().is_ok_and(|it| !on.has_ended(it)).then_some(on);
                answer
            }
            Err(error) => Err(error),
        };
        answers.push(answer);
    }
    answers
}
