//! What ingress-nginx's annotations come to that are read by groups: a module each.
//!
//! A value that ingress-nginx would not take is no value here either, and where it leaves out the
//! whole Ingress then, the routes are closed. Values are data from end to end: none of them is a
//! part of any configuration, so there is nothing to escape from.

mod access;
mod backend;
mod canary;
mod clients;
mod cors;
mod expressions;
pub(crate) mod external;
mod hosts;
mod led;
mod limit;
mod mirror;
mod pages;
pub(crate) mod passed_on;
pub(crate) mod spoken;
pub(crate) mod value;

use std::sync::Arc;

use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::nginx::NginxStep;
use steelyard_model::routing::id::RouteId;
use steelyard_model::{ClassReading, Labels, NginxReading, OwnFilter, PassPhase, RouteDraft};

use crate::annotation;
use crate::findings::Findings;
use crate::{LowerOptions, codes};

/// An Ingress with its annotations, and what they come to.
pub(crate) struct Asked<'a, 'f> {
    words: OwnWords<'a>,
    prefix: &'a str,
    routes: &'a [RouteDraft],
    reading: &'a mut ClassReading,
    findings: &'a mut Findings<'f>,
}

/// What is written in these words, by names without their prefix. Each group asks for a dozen
/// names, and nearly every Ingress has few of them, or none: no key is put together to look for it.
struct OwnWords<'a>(Vec<(&'a str, &'a str)>);

/// Reads all groups.
pub(crate) fn read(
    annotations: &Labels,
    routes: &[RouteDraft],
    reading: &mut ClassReading,
    findings: &mut Findings<'_>,
    options: &LowerOptions,
) {
    let prefix = options.nginx_prefix.as_str();
    let words = OwnWords::new(annotations, prefix);
    let mut asked = Asked { words, prefix, routes, reading, findings };
    hosts::read(&mut asked);
    cors::read(&mut asked);
    pages::read(&mut asked);
    passed_on::read(&mut asked);
    led::read(&mut asked);
    expressions::read(&mut asked);
    limit::read(&mut asked);
    access::read(&mut asked);
    external::read(&mut asked);
    clients::read(&mut asked);
    backend::read(&mut asked);
    spoken::read(&mut asked);
    mirror::read(&mut asked);
    canary::read(&mut asked);
    asked.reading.passes.sort_by_key(|it| it.phase);
    let is_nothing =
        asked.reading.nginx.as_deref().is_some_and(|it| *it == NginxReading::default());
    if is_nothing {
        asked.reading.nginx = None;
    }
}

/// All annotations in these words, as they are written; none where there are none.
pub(crate) fn written(annotations: &Labels, options: &LowerOptions) -> Option<Arc<Labels>> {
    let prefix = options.nginx_prefix.as_str();
    let own = annotations.iter().filter(|(key, _)| name_of(key, prefix).is_some());
    let own: Labels = own.map(|(key, value)| (key.clone(), value.clone())).collect();
    (!own.is_empty()).then(|| own.into())
}

/// What is written at a key; an empty value is none.
pub(crate) fn written_at<'a>(lines: &'a Labels, key: &str) -> Option<&'a str> {
    lines.get(key).map(String::as_str).filter(|it| !it.is_empty())
}

/// The name of an annotation in these words.
fn name_of<'k>(key: &'k str, prefix: &str) -> Option<&'k str> {
    key.strip_prefix(prefix)?.strip_prefix('/')
}

impl<'a> OwnWords<'a> {
    /// They are in order, as their keys are: these begin alike.
    fn new(annotations: &'a Labels, prefix: &str) -> Self {
        let named =
            |(key, value): (&'a String, &'a String)| Some((name_of(key, prefix)?, value.as_str()));
        Self(annotations.iter().filter_map(named).collect())
    }

    /// What is written; an empty value is none.
    fn written(&self, name: &str) -> Option<&'a str> {
        let at = self.0.binary_search_by(|(known, _)| (*known).cmp(name)).ok()?;
        Some(self.0[at].1).filter(|it| !it.is_empty())
    }
}

impl<'a> Asked<'a, '_> {
    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    /// What is written; an empty value is none.
    fn written(&self, name: &str) -> Option<&'a str> {
        self.words.written(name)
    }

    /// What is written, read; what cannot be read is said, and as if it were not there.
    fn value<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&'a str) -> Option<T>,
        help: &str,
    ) -> Option<T> {
        let written = self.written(name)?;
        let read = read(written);
        if read.is_none() {
            let key = self.key(name);
            let message = format!(
                "annotation `{key}: {written}` is no value that ingress-nginx takes: it is as if it \
                 were not there"
            );
            annotation::not_honoured(&key, message, help, self.findings);
        }
        read
    }

    /// What only these annotations ask for.
    fn own(&mut self) -> &mut NginxReading {
        self.reading.nginx.get_or_insert_default()
    }

    /// The location does not have what all others have by this name.
    fn without(&mut self, name: &'static str) {
        self.own().without.push(name);
    }

    fn boolean(&mut self, name: &str) -> Option<bool> {
        self.value(name, value::boolean, "write \"true\" or \"false\"")
    }

    fn number(&mut self, name: &str) -> Option<i64> {
        self.value(name, |it| it.parse().ok(), "write a whole number, without a unit")
    }

    fn number_above_0(&mut self, name: &str) -> Option<u64> {
        self.number(name).and_then(|it| u64::try_from(it).ok()).filter(|it| *it > 0)
    }

    /// The same for a word for which ingress-nginx leaves out the Ingress where it is none.
    fn switch(&mut self, name: &str) -> Option<bool> {
        let read = value::boolean(self.written(name)?);
        if read.is_none() {
            self.close(name, "write \"true\" or \"false\"");
        }
        read
    }

    /// Closes the routes: ingress-nginx leaves out an Ingress with such a value.
    fn close(&mut self, name: &str, help: &str) {
        let key = self.key(name);
        let message = format!(
            "annotation `{key}` has a value for which ingress-nginx leaves out the Ingress: its \
             routes answer 503"
        );
        let code = codes::ANNOTATION_INVALID;
        annotation::close(code, &key, message, help, self.reading, self.findings);
    }

    fn pass(&mut self, phase: PassPhase, name: &str, step: NginxStep, of: Option<RouteId>) {
        let filter = Filter::Nginx(step.into());
        self.reading.passes.push(OwnFilter { of, ..OwnFilter::new(phase, name, filter) });
    }
}
