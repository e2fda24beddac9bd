//! Tells people what a decision changes for Services, and logs what is wrong, once.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use steelyard_gateway::Lacking;
use steelyard_model::routing::id::CertificateId;
use steelyard_model::{Code, Diagnostic, Diagnostics, ObjectRef, Severity};
use steelyard_pipeline::codes;
use steelyard_plan::{Plan, ServiceEventKind};

use super::history::History;
use super::{Applied, Doing, Hand};
use crate::certificates;
use crate::mind::Decided;

/// Most files that one line of the log names.
const MOST_NAMED: usize = 5;

/// Said of objects whose file, or which themselves, have a mistake that is said besides.
const FOLLOWING: [Code; 2] = [codes::LAST_GOOD_KEPT, codes::CLOSED_UNTIL_MENDED];

/// How often it is looked at what is to be said of certificates: once something was decided, and
/// for what time alone brings.
const SOON: Duration = Duration::from_secs(30);
const LATE: Duration = Duration::from_hours(1);

/// The teller, and what was told last.
#[derive(Default)]
pub(crate) struct Chronicle {
    history: History,
    told: Option<Arc<Decided>>,
    /// Hosts whose handshakes are refused, of which it was said.
    disputes: Diagnostics,
    /// What was said of certificates, of which decision and when.
    certificates: Option<(Diagnostics, Arc<Decided>, Instant)>,
}

impl Chronicle {
    pub(crate) fn new(history: History) -> Self {
        Self { history, ..Self::default() }
    }

    /// Says that an edit was taken in; not so of files that stand as they were before it.
    pub(crate) fn tell_taken(&self) {
        let Some(Decided { seen, generation, doubted, .. }) = self.told.as_deref() else { return };
        let took_ms = u64::try_from(seen.elapsed().as_millis()).unwrap_or(u64::MAX);
        if doubted.is_empty() {
            tracing::info!(generation, took_ms, "in force");
            return;
        }
        let named = doubted.iter().take(MOST_NAMED).map(|name| &**name);
        let mut files = named.collect::<Vec<_>>().join(", ");
        if doubted.len() > MOST_NAMED {
            files += ", …";
        }
        tracing::info!(
            generation,
            took_ms,
            files,
            "in force, but for files with less in them than before: each stands as it was until \
             that has lasted a moment"
        );
    }

    /// Says for which hosts no handshake is held, at the edit by which it comes to that: clients
    /// are refused from then on.
    pub(crate) fn tell_of_disputes(&mut self) {
        let Some(decided) = &self.told else { return };
        let now = certificates::disputes(&decided.snapshot, &decided.places);
        log_found(&self.disputes, &now);
        self.disputes = now;
    }

    /// Says what there is to say of certificates, where that is new and it is time to look;
    /// `asked` is what came of asking their signers, and `is_news` that it is another than before.
    pub(crate) fn tell_of_certificates(
        &mut self,
        asked: &BTreeMap<CertificateId, Lacking>,
        is_news: bool,
    ) {
        let (Some(decided), now) = (&self.told, Instant::now()) else { return };
        let nothing = Diagnostics::default();
        let before = match &self.certificates {
            None => &nothing,
            Some((before, of, at)) => {
                let pace = if Arc::ptr_eq(of, decided) { LATE } else { SOON };
                if !is_news && now.duration_since(*at) < pace {
                    return;
                }
                before
            }
        };
        let today = certificates::lasting(&decided.snapshot, &decided.places, asked);
        log_found(before, &today);
        self.certificates = Some((today, decided.clone(), now));
    }

    fn tell(&mut self, decided: &Arc<Decided>) {
        let before = self.told.replace(Arc::clone(decided));
        let nothing = Plan::default();
        let (former, plan) = (before.as_ref().map_or(&nothing, |it| &it.plan), &decided.plan);
        self.tell_services(former, plan);
        if former.diagnostics != plan.diagnostics {
            log_found(&former.diagnostics, &plan.diagnostics);
            before.iter().for_each(|before| tell_of_others(before, plan));
        }
    }

    fn tell_services(&self, before: &Plan, plan: &Plan) {
        for id in plan.services.differing(&before.services) {
            let Some(service) = plan.services.get(id) else { continue };
            if before.services.get(id).is_some_and(|before| before.outcome() == service.outcome()) {
                continue;
            }
            for event in service.events {
                let object = format!("Service/{id}");
                let normal = event.kind == ServiceEventKind::Normal;
                self.history.note(normal, event.reason, &object, &event.message);
            }
        }
    }
}

impl Hand for Chronicle {
    fn apply<'a>(
        &'a mut self,
        decided: &'a Arc<Decided>,
        _: &'a mut Applied,
    ) -> Doing<'a, Result<()>> {
        self.tell(decided);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Says of objects that were served that they are another controller's now. Of others, which were
/// so all the while, nobody wants to hear.
fn tell_of_others(before: &Decided, plan: &Plan) {
    let is_others = |it: &&Diagnostic| {
        it.code == codes::CLASS_NOT_OURS && it.severity == Severity::Info && it.object.is_some()
    };
    let known: BTreeSet<_> =
        before.plan.diagnostics.iter().filter(is_others).map(|it| &it.object).collect();
    let new = plan.diagnostics.iter().filter(is_others).filter(|it| !known.contains(&it.object));
    let mut new = new.peekable();
    if new.peek().is_none() {
        return;
    }
    let routes = before.snapshot.routing.routes.values();
    let served: BTreeSet<&ObjectRef> = routes.map(|route| &*route.place.object).collect();
    for found in new.filter(|it| it.object.as_ref().is_some_and(|it| served.contains(it))) {
        let (at, code) = (place(found), found.code);
        tracing::warn!(%code, %at, "{}; it was served until now", found.message);
    }
}

fn log_found(before: &Diagnostics, now: &Diagnostics) {
    let identity = |it: &Diagnostic| (it.code, it.object.clone(), it.message.clone());
    let known: BTreeSet<_> = before.iter().map(identity).collect();
    let mut new: Vec<&Diagnostic> =
        now.iter().filter(|it| !known.contains(&identity(it))).collect();
    // What is wrong comes before what follows from it.
    new.sort_by_key(|found| found.severity);
    for (found, more) in once_by_file(new) {
        let (at, code) = (place(found), found.code);
        let more = if more == 0 { String::new() } else { format!(" (and {more} more like it)") };
        match found.severity {
            Severity::Error => tracing::error!(%code, %at, "{}{more}", found.message),
            Severity::Warning => tracing::warn!(%code, %at, "{}{more}", found.message),
            Severity::Info => tracing::debug!(%code, %at, "{}{more}", found.message),
        }
    }
}

/// Findings that objects of one file have for the same mistake are one, with how many there are
/// besides: a file that cannot be read to its end has thousands.
fn once_by_file(found: Vec<&Diagnostic>) -> Vec<(&Diagnostic, usize)> {
    let mut once: Vec<(&Diagnostic, usize)> = Vec::new();
    let mut places: BTreeMap<_, usize> = BTreeMap::new();
    for found in found {
        let file = found.location.as_ref().map(|it| &*it.file);
        if FOLLOWING.contains(&found.code)
            && let Some(file) = file
        {
            match places.entry((found.code, file)) {
                Entry::Occupied(at) => {
                    once[*at.get()].1 += 1;
                    continue;
                }
                Entry::Vacant(at) => _ = at.insert(once.len()),
            }
        }
        once.push((found, 0));
    }
    once
}

/// Where a finding is: the line of a file, and of a cluster, which has none, the object.
fn place(found: &Diagnostic) -> String {
    let line = found.location.as_ref().filter(|it| it.line > 0 || found.object.is_none());
    let object = || found.object.as_ref().map(ToString::to_string);
    line.map(ToString::to_string).or_else(object).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use steelyard_model::Location;

    use super::*;

    #[test]
    fn what_a_file_costs_its_objects_is_said_once() {
        let found = |name: &str, file: &str, code| {
            let object = ObjectRef::new("IngressRoute", "shop", name);
            let mut found = Diagnostic::new(Severity::Warning, code, &object, "", "m", "x");
            found.location = Some(Location { file: file.into(), line: 1, column: 1, width: 0 });
            found
        };
        let all = [
            found("a", "a.yml", codes::LAST_GOOD_KEPT),
            found("b", "a.yml", codes::POOL_HAS_NODE),
            found("b", "a.yml", codes::LAST_GOOD_KEPT),
            found("c", "b.yml", codes::LAST_GOOD_KEPT),
            found("d", "a.yml", codes::LAST_GOOD_KEPT),
            found("d", "a.yml", codes::POOL_HAS_NODE),
        ];
        let once = once_by_file(all.iter().collect());
        let once: Vec<(String, usize)> =
            once.iter().map(|(it, more)| (place(it) + it.code.as_str(), *more)).collect();
        let expected = [
            ("a.yml:1:1last-good-kept", 2),
            ("a.yml:1:1pool-has-node", 0),
            ("b.yml:1:1last-good-kept", 0),
            ("a.yml:1:1pool-has-node", 0),
        ];
        assert_eq!(once, expected.map(|(text, more)| (text.to_owned(), more)));
    }

    #[test]
    fn a_finding_is_at_its_line_or_is_of_its_object() {
        let object = ObjectRef::new("Service", "shop", "web");
        let code = codes::POOL_HAS_NODE;
        let mut found = Diagnostic::new(Severity::Error, code, &object, "", String::new(), "x");
        assert_eq!(place(&found), "Service/shop/web");
        let at = |line| Location { file: "cluster".into(), line, column: 3, width: 0 };
        found.location = Some(at(0));
        assert_eq!(place(&found), "Service/shop/web");
        found.location = Some(at(7));
        assert_eq!(place(&found), "cluster:7:3");
        found.object = None;
        found.location = Some(at(0));
        assert_eq!(place(&found), "cluster");
    }
}
