//! What filters add to a request on sockets: ours with them beside ours without, and gzip beside
//! nginx's at the same level.

use std::fs;

use anyhow::{Result, bail, ensure};

use super::workload::{Load, Workload};
use super::{Bench, Options};
use crate::peer::Proxy;
use crate::results::Row;

/// A host whose requests pass some filters, and what is asked of it.
struct Guarded {
    name: &'static str,
    host: &'static str,
    path: &'static str,
    filters: &'static [&'static str],
}

/// Nothing at all, what people hang before most routes, and ten. The paths are equally long, and
/// what the backend is asked for is small.
const HOSTS: [Guarded; 3] = [
    Guarded { name: "no filter", host: "none.example.com", path: "/some/app", filters: &[] },
    Guarded {
        name: "headers, strip prefix, redirect check",
        host: "three.example.com",
        path: "/app/some",
        filters: &["headers", "strip", "redirect"],
    },
    Guarded {
        name: "ten filters",
        host: "ten.example.com",
        path: "/app/some",
        filters: &[
            "addresses",
            "rate",
            "flight",
            "headers",
            "cors",
            "strip",
            "redirect",
            "retry",
            "breaker",
            "compress",
        ],
    },
];
/// What a request through them may cost, of what it costs without.
const GOALS: [f64; 3] = [1.0, 1.06, 1.15];

/// Text of 1 MiB, compressed.
const GZIP: Guarded = Guarded {
    name: "gzip of 1 MiB of text, 8 connections",
    host: "gzip.example.com",
    path: "/text",
    filters: &["compress"],
};

/// Those that the hosts use, under Traefik's names.
const MIDDLEWARES: &[(&str, &str)] = &[
    ("addresses", "ipAllowList: {sourceRange: [127.0.0.0/8]}"),
    ("rate", "rateLimit: {average: 10000000, burst: 10000000}"),
    ("flight", "inFlightReq: {amount: 10000}"),
    (
        "headers",
        "headers: {customRequestHeaders: {X-From: outside}, stsSeconds: 31536000, \
         frameDeny: true, contentTypeNosniff: true}",
    ),
    ("cors", "headers: {accessControlAllowOriginList: [\"https://app.example.com\"]}"),
    ("strip", "stripPrefix: {prefixes: [/app]}"),
    (
        "redirect",
        "redirectRegex: {regex: \"^http://old[.]example[.]com/(.*)\", replacement: \"https://new.example.com/$1\"}",
    ),
    ("retry", "retry: {attempts: 2}"),
    ("breaker", "circuitBreaker: {expression: NetworkErrorRatio() > 0.5}"),
    ("compress", "compress: {encodings: [gzip]}"),
];

/// Measures all of it.
pub(crate) fn rows(options: &Options) -> Result<Vec<Row>> {
    super::in_a_folder(options, |bench| {
        let manifests = bench.folder.join("ours-1/manifests");
        fs::create_dir_all(&manifests)?;
        fs::write(manifests.join("filters.yaml"), manifest())?;
        let ours = Proxy::steelyard(&options.binary, bench.folder, bench.backend, 1)?;
        let mut rows = added(bench, &ours)?;
        rows.push(gzip(bench, &ours)?);
        Ok(rows)
    })
}

/// What filters add: one process, whose hosts take turns.
fn added(bench: &Bench<'_>, ours: &Proxy) -> Result<Vec<Row>> {
    let loads = HOSTS.each_ref().map(asking);
    let figures = bench.rounds(Workload::Small, &[ours; 3], &loads)?;
    let [none, ..] = &figures[..] else { bail!("there are three") };
    let mut rows = Vec::new();
    for ((host, figure), goal) in HOSTS.iter().zip(&figures).zip(GOALS).skip(1) {
        ensure!(none.counts() && figure.counts(), "{}: {none}; {figure}", host.name);
        let rounds = bench.options.rounds;
        let row = Row::alone(host.name, "µs CPU", figure.cost(), goal, rounds);
        rows.push(row.beside(HOSTS[0].name, none.cost()));
    }
    Ok(rows)
}

/// A MiB that is compressed, here and by nginx.
fn gzip(bench: &Bench<'_>, ours: &Proxy) -> Result<Row> {
    let nginx = Proxy::nginx(bench.folder, bench.backend)?;
    let load = Load { connections: 8, ..asking(&GZIP) };
    let figures = bench.rounds(Workload::Large, &[ours, &nginx], &[load; 2])?;
    let [ours, theirs] = &figures[..] else { bail!("there are two") };
    ensure!(ours.counts() && theirs.counts(), "{}: {ours}; {theirs}", GZIP.name);
    let row = Row::alone(GZIP.name, "µs CPU", ours.cost(), 1.0, bench.options.rounds);
    Ok(row.beside(theirs.name, theirs.cost()))
}

fn asking(guarded: &Guarded) -> Load {
    Load { host: guarded.host, path: guarded.path, ..Workload::Small.load() }
}

fn manifest() -> String {
    let middlewares = MIDDLEWARES.iter().map(|(name, spec)| {
        format!(
            "apiVersion: traefik.io/v1alpha1\nkind: Middleware\nmetadata: {{name: {name}}}\n\
             spec: {{{spec}}}\n"
        )
    });
    let routes = HOSTS.iter().chain([&GZIP]).map(|Guarded { host, filters, .. }| {
        let filters: Vec<_> = filters.iter().map(|name| format!("{{name: {name}}}")).collect();
        format!(
            "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {{name: {name}}}\n\
             spec:\n  entryPoints: [web]\n  routes:\n  - match: Host(`{host}`)\n    \
             kind: Rule\n    middlewares: [{}]\n    services: [{{name: app, port: 80}}]\n",
            filters.join(", "),
            name = host.replace('.', "-"),
        )
    });
    middlewares.chain(routes).collect::<Vec<_>>().join("---\n")
}
