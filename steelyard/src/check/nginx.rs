//! `check --as nginx`: what an installation of ingress-nginx comes to here, object by object. The
//! summary goes first.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;
use steelyard_dialects::nginx::{self, NginxVerdict};
use steelyard_manifest::{Object, ReadLimits, Source, load};
use steelyard_model::{Diagnostic, FieldPath, Location, NginxOptions, Severity};

use crate::entry_points::flag_of_nginx;

/// What annotations begin with.
const PREFIX: &str = "nginx.ingress.kubernetes.io/";
/// The class annotation of old.
const CLASS: &str = "kubernetes.io/ingress.class";
/// What runs in the containers that have the flags.
const PROGRAM: &str = "nginx-ingress-controller";

/// What there is to say of an object.
struct Judged {
    object: String,
    at: Location,
    sort: Sort,
    /// How each part of it is served that is not as there.
    lines: Vec<(Place, String)>,
    /// The worst of them.
    is: Place,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Ingress,
    Settings,
    Flags,
}

/// How it is served, worst last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Same,
    Different,
    MustChange,
}

/// The flags that the controllers in `sources` are started with, by their names.
pub(super) fn flags(sources: &[Source]) -> Vec<(String, String)> {
    let all = objects(sources);
    let all = all.iter().filter(|it| is_workload(it)).filter_map(arguments).flatten();
    all.map(|Argument { name, given, .. }| (name, given)).collect()
}

fn objects(sources: &[Source]) -> Vec<Object> {
    let limits = ReadLimits::default();
    sources.iter().flat_map(|it| load(it, &limits).objects).collect()
}

fn is_workload(object: &Object) -> bool {
    matches!(&*object.reference.kind, "Deployment" | "DaemonSet")
}

/// The report; `found` is what is said of the objects in `sources`, by the options of the
/// installation.
pub(super) fn report(sources: &[Source], found: &[Diagnostic], options: &NginxOptions) -> String {
    let objects = objects(sources);
    let classes = Classes::of(&objects, options);
    let mut all: Vec<Judged> = objects
        .iter()
        .filter_map(|object| match &*object.reference.kind {
            "Ingress" => ingress(object, &classes, found),
            "ConfigMap" if object.reference.id() == options.settings => Some(configured(object)),
            _ if is_workload(object) => started(object),
            _ => None,
        })
        .collect();
    all.sort_by(|a, b| (a.sort, b.is, &a.object).cmp(&(b.sort, a.is, &b.object)));
    let mut out = summary(&all);
    for judged in all.iter().filter(|it| it.is != Place::Same) {
        let Judged { object, at, lines, is, .. } = judged;
        let _ = writeln!(out, "\n{object} ({}:{}): {}", at.file, at.line, is.words());
        for (_, line) in lines {
            let _ = writeln!(out, "  {line}");
        }
    }
    out
}

fn summary(all: &[Judged]) -> String {
    let mut out = String::new();
    for (sort, one, many) in [
        (Sort::Ingress, "Ingress", "Ingresses"),
        (Sort::Settings, "ConfigMap", "ConfigMaps"),
        (Sort::Flags, "workload with flags", "workloads with flags"),
    ] {
        let of: Vec<&Judged> = all.iter().filter(|it| it.sort == sort).collect();
        let count = |is: Place| of.iter().filter(|it| it.is == is).count();
        let [same, different, must] = [Place::Same, Place::Different, Place::MustChange].map(count);
        let what = if of.len() == 1 { one } else { many };
        if !of.is_empty() || sort == Sort::Ingress {
            let _ = writeln!(
                out,
                "{} {what}: {same} the same, {different} different, {must} must change",
                of.len()
            );
        }
    }
    out
}

/// Whose Ingresses are the installation's.
struct Classes<'o> {
    names: BTreeSet<String>,
    options: &'o NginxOptions,
    /// What annotations begin with there, where that is not the usual.
    prefix: Option<String>,
}

impl<'o> Classes<'o> {
    fn of(objects: &[Object], options: &'o NginxOptions) -> Self {
        let of_it = objects.iter().filter(|it| &*it.reference.kind == "IngressClass");
        let is_its = |it: &&Object| {
            let by_name = options.is_by_name && *it.reference.name == *options.class;
            by_name || value(it)["spec"]["controller"] == *options.controller
        };
        let named = of_it.filter(is_its).map(|it| it.reference.name.to_string());
        let names = named.chain([options.class.clone()]).collect();
        let flags = objects.iter().filter(|it| is_workload(it)).filter_map(arguments).flatten();
        let is_prefix = |it: &Argument| it.name == "annotations-prefix";
        let prefix = flags.filter(is_prefix).map(|it| it.given + "/").find(|it| it != PREFIX);
        Self { names, options, prefix }
    }

    /// Whether an Ingress of this class is; of one without a class it is `likely` where nothing is
    /// said of those.
    fn has(&self, object: &Object, class: Option<&str>, likely: bool) -> bool {
        let namespace = &*object.reference.namespace;
        let is_seen = self.options.namespace.as_deref().is_none_or(|it| it == namespace);
        let takes_unnamed = self.options.takes_unnamed.unwrap_or(likely);
        is_seen && class.map_or(takes_unnamed, |class| self.names.contains(class))
    }
}

fn value(object: &Object) -> Value {
    object.read_lenient().value.unwrap_or_default()
}

fn ingress(object: &Object, classes: &Classes<'_>, found: &[Diagnostic]) -> Option<Judged> {
    let written = value(object);
    let annotations = &written["metadata"]["annotations"];
    let class =
        written["spec"]["ingressClassName"].as_str().or_else(|| annotations[CLASS].as_str());
    let begin_with = |prefix: &str| -> Vec<&str> {
        let entries = annotations.as_object().into_iter().flatten();
        entries.filter_map(|(key, _)| key.strip_prefix(prefix)).collect()
    };
    let own = begin_with(PREFIX);
    let others = classes.prefix.as_deref().map(begin_with).unwrap_or_default();
    if !classes.has(object, class, !own.is_empty() || !others.is_empty()) {
        return None;
    }
    let mut lines = Vec::new();
    for name in others {
        let prefix = classes.prefix.as_deref().unwrap_or_default();
        let path = FieldPath::annotation(&format!("{prefix}{name}"));
        let why = format!("write {PREFIX}{name}: others are not read here");
        lines.push((Place::MustChange, line(object, &path, name, &why)));
    }
    // What is missing is missing for ingress-nginx too, or from the dump alone.
    let of_it =
        |it: &&Diagnostic| it.object.as_ref() == Some(&*object.reference) && it.missing.is_none();
    let found: Vec<&Diagnostic> = found.iter().filter(of_it).collect();
    for name in own {
        let key = format!("{PREFIX}{name}");
        let told = found.iter().find(|it| it.path.as_annotation() == Some(&*key));
        let path = FieldPath::annotation(&key);
        if let Some(prefix) = &classes.prefix {
            let why = format!("it is read here, and not there, where others begin with {prefix}");
            lines.push((Place::Different, line(object, &path, name, &why)));
        }
        let (is, why) = judged(nginx::annotation(name, told.map(|it| &*it.message)));
        lines.extend(why.map(|why| (is, line(object, &path, name, why))));
    }
    for said in found.iter().filter(|it| it.path.as_annotation().is_none()) {
        let is = match said.severity {
            Severity::Error => Place::MustChange,
            Severity::Warning => Place::Different,
            Severity::Info => continue,
        };
        lines.push((is, line(object, &said.path, said.code.as_str(), &said.message)));
    }
    Some(of(object, Sort::Ingress, lines))
}

fn configured(object: &Object) -> Judged {
    let written = value(object);
    let mut lines = Vec::new();
    for (key, _) in written["data"].as_object().into_iter().flatten() {
        let (is, why) = judged(nginx::setting(key));
        let path = FieldPath::from("data").key(key);
        lines.extend(why.map(|why| (is, line(object, &path, key, why))));
    }
    of(object, Sort::Settings, lines)
}

/// A flag that a controller is started with.
struct Argument {
    at: FieldPath,
    name: String,
    given: String,
}

/// The flags of a controller, if it is one.
fn arguments(object: &Object) -> Option<Vec<Argument>> {
    let written = value(object);
    let containers = written["spec"]["template"]["spec"]["containers"].as_array()?.iter();
    let texts = |it: &Value| -> Vec<String> {
        let list = it.as_array().into_iter().flatten();
        list.filter_map(|it| it.as_str().map(str::to_owned)).collect()
    };
    let mut all = None;
    for (index, container) in containers.enumerate() {
        let arguments = texts(&container["args"]);
        let is_it = |it: &String| it.contains(PROGRAM);
        if !arguments.iter().chain(&texts(&container["command"])).any(is_it) {
            continue;
        }
        let all = all.get_or_insert_with(Vec::new);
        for (at, argument) in arguments.iter().enumerate() {
            let Some(flag) = argument.strip_prefix("--") else { continue };
            let (name, given) = flag.split_once('=').unwrap_or((flag, "true"));
            let path = FieldPath::from("spec.template.spec.containers").index(index);
            // Names of the pod's own namespace are filled in by the kubelet.
            let given = given.replace("$(POD_NAMESPACE)", &object.reference.namespace);
            all.push(Argument { at: path.key("args").index(at), name: name.to_owned(), given });
        }
    }
    all
}

fn started(object: &Object) -> Option<Judged> {
    let mut lines = Vec::new();
    for Argument { at, name, given } in arguments(object)? {
        let (is, why) = match (&*name, flag_of_nginx(&name, &given)) {
            ("annotations-prefix", _) if !PREFIX.starts_with(&format!("{given}/")) => {
                let why = format!("write nginx.ingress.kubernetes.io/ for {given}/ everywhere");
                (Place::MustChange, why)
            }
            ("enable-annotation-validation", _) if given == "false" => {
                (Place::Different, "values are validated in any case".to_owned())
            }
            (_, Ok(None)) => (Place::Different, format!("start with --nginx.{name}={given}")),
            (_, Ok(Some(why))) => (Place::Same, why),
            (_, Err(why)) => (Place::MustChange, why),
        };
        if is != Place::Same {
            lines.push((is, line(object, &at, &name, &why)));
        }
    }
    Some(of(object, Sort::Flags, lines))
}

fn of(object: &Object, sort: Sort, mut lines: Vec<(Place, String)>) -> Judged {
    lines.sort_by_key(|(is, _)| std::cmp::Reverse(*is));
    let is = lines.first().map_or(Place::Same, |(is, _)| *is);
    let at = object.locate(&FieldPath::root());
    Judged { object: object.reference.to_string(), at, sort, lines, is }
}

fn judged(verdict: NginxVerdict<'_>) -> (Place, Option<&str>) {
    match verdict {
        NginxVerdict::Same => (Place::Same, None),
        NginxVerdict::Different(why) => (Place::Different, Some(why)),
        NginxVerdict::MustChange(why) => (Place::MustChange, Some(why)),
    }
}

fn line(object: &Object, path: &FieldPath, name: &str, why: &str) -> String {
    let at = object.locate(path);
    format!("{}:{} {name}: {why}", at.file, at.line)
}

impl Place {
    fn words(self) -> &'static str {
        match self {
            Self::Same => "the same",
            Self::Different => "different",
            Self::MustChange => "must change",
        }
    }
}
