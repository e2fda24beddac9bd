//! docs/performance.md, made from bench/results/*.json.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::results::Results;

const HEAD: &str = "\
# Performance

Every figure here was measured, and says how to measure it again. Machines differ and are noisy:
what is compared runs side by side in one interleaved run, the figures are medians over the rounds.
In every row lower is better; the goal bounds the ratio, or where there is no peer, the figure.

This page is written by `cargo xtask bench`; edit `bench/src/page.rs` instead.
";

/// What each measurement is, by name.
const ABOUT: &[(&str, &str)] = &[
    (
        "failover",
        "How long a client gets no answer when the node that has the address goes: [failover.md]\
         (failover.md) says how it works. The client is in a network namespace of its own in \
         `steelyard lab` with three nodes, and begins a request each 5 ms, each on a new \
         connection, given up after 300 ms. *Outage* is from the act to the end of the first answer \
         of which all later requests of the round were answered too; *p50* and *p99* are over the \
         rounds. *Crash*: SIGKILL to every process of the node, the service too; *SIGSTOP* to the \
         same; *link down*: carrier lost; *planned leave*: SIGTERM to who announces; *two leave at \
         once*: on two of the three nodes; *heartbeats cut, then crash*: no heartbeat passes, the \
         rest of the LAN does, and 1.2 s later the owner is killed; *one way*: only the owner's are \
         lost; *deaf*: nothing gets in to the owner, what it sends passes; *dark switch*: no frame \
         passes for 2 s, counted from the moment when they do again; *own address changes*, \
         *interface added again*: of the owner, at once. *Two answer* is how long a node still said \
         that it has the address after another had begun to. A round ends \
         when another node has the address and 40 requests in a row were answered; the next begins \
         when the struck node is a settled member again. Steelyard's heartbeats are each 100 ms, \
         5 may be missing (its default), or 50 ms and 3. keepalived is Debian's, in the same \
         laboratory: VRRP adverts each 1 s (the least of VRRP 2), priorities 150, 100 and 50, \
         `nopreempt`, nginx on each node. Several laboratories stand side by side on one machine. \
         *Heartbeats* are the machines' own cost while nothing happens, in one process over \
         virtual time, without sockets and kernel; bytes are UDP payload.",
    ),
    (
        "gateway",
        "CPU time of the whole proxy per proxied HTTP/1.1 request, at saturation: the proxy with \
         one worker on core 0, load generator and backend in one thread on core 1, all on \
         loopback. nginx, HAProxy and Caddy are Debian's, with keep-alive to the backend. Everybody's \
         access log is on, and Steelyard counts its metrics. *HTTP/2 from clients* is asked by \
         h2load, by prior knowledge; *to the backend*, which is nginx then, clients speak HTTP/1.1, \
         and nginx as a proxy cannot. *p99* is at four fifths of the rate \
         that each one reached itself, with requests due at fixed times, beside the better of the \
         two. *Memory* is of the process that serves (VmRSS): of 3,000 client connections that \
         have asked once and wait, and what is left 12 s after a burst is gone. *f_epoll* and *d_feat* are no proxies to use, but sketches of how little a request \
         can cost: a bare loop over epoll, and one with timeouts, a log and a histogram. Who fails \
         more than one request of a thousand has no row, and is named below. Of a request's time the kernel's \
         part is the same for all who read and write four times (two sockets, once each way), and \
         that is most of it: *f_epoll* itself was seen at 0.56 to 0.75 of nginx. Outside of the kernel \
         *f_epoll* is for 0.7 to 0.9 µs of a small request, Steelyard for 4 to 6 µs, and within it both \
         as long; so 1.20 of *f_epoll* leaves about 4 µs for two \
         messages, routing, deadlines, log and metrics. With 1,000 requests under way nothing of a \
         connection is in the processor's own cache when its turn comes: of 1 MiB a request misses 108 \
         lines (callgrind's simulation), most of them its task, of 2.3 KiB, once when the request \
         comes and once when its answer does; and 1,100 lines of code do not fit in the first cache, \
         at any number. Such ratios move from run to run: two builds that came to 0.58 and 0.73 of nginx with 1,000 \
         connections, in runs of their own, took 24.0 and 23.9 µs, and 25.5 and 25.1, when they ran by \
         turns. In user space a small request takes \
         18,500 instructions over HTTP/1.1 and 52,600 where the client speaks HTTP/2 (callgrind, log \
         and metrics on), of which the codec of frames and fields is the \
         largest part, then taking memory and giving it back; to a backend of HTTP/2 83,800, a \
         seventh of them for memory. A new connection costs \
         eight system calls: two of them tell epoll of the socket and make it forget, which *f_epoll* \
         never does since the request is there when it accepts. With 100,000 routes asked at random \
         what is cold is what belongs to each route: its host, the route, its state, its series; \
         huge pages for the heap (`GLIBC_TUNABLES=glibc.malloc.hugetlb=1`) took 1.17 of one route's \
         cost down to 1.10, so a part of it is finding pages.",
    ),
    (
        "balance",
        "Wall time of one choice among 1,000 endpoints of two weights, and of counting the request: \
         a million choices, each core with 256 requests under way. *Keys of late*: of 1,000 clients \
         that come again and again; *new keys*: each comes once. On two cores both choose among the \
         same endpoints, whose counts they share: what one writes, the other one has to fetch before it \
         writes there, once for each request that begins and once for each that ends. *Least* reads \
         four others beside, of which the other core has written some, and finds twice as much changed \
         as alone. That hangs on the processor and not on the algorithm, so it does not shrink with it: \
         when a choice of *least* took 152 ns alone it took 249 beside another core, and at 51 ns alone \
         190. *Rendezvous* has to look at all thousand for a key that it has not seen of late: that is \
         what it is.",
    ),
    (
        "filters",
        "*ns* are wall time that a filter adds to one request: a stack with it, entered, left and ended, \
         less one without, on one core. *Known*: a token that was believed before, on any core; \
         *the first time*: each comes once. The bucket is asked all the time by two threads that \
         share it; what is taken is told beside what its rate allows. *µs CPU* is what a request takes \
         of the program over 64 connections, as in [gateway](#gateway), with filters beside none, \
         in one process whose hosts take turns; a MiB of text through gzip at level 5 beside \
         Debian's nginx at the same level, over 8 connections. *Ten filters*: address list, rate, \
         in-flight, headers, CORS, strip prefix, redirect check, retry, circuit breaker, compress \
         of what is too short.",
    ),
    (
        "kubernetes",
        "In a cluster of its own: API server, etcd and controllers of Kubernetes 1.36.1 on \
         the same two cores. *At once*: 1,000 Services wait, a pool is created, and the \
         clock runs until all have an address in their status; beside it a loop that writes \
         as many statuses by server-side apply, as many at a time, alone, before. Writes \
         are counted by the API server. *An endpoint changes*: from the API server's answer \
         to the edit of one EndpointSlice until a client of the gateway is answered by the \
         other endpoint. *10,000 Services with endpoints*: each with an EndpointSlice; memory is \
         VmRSS, the pages of the program included, in millions of bytes, once it stays the same \
         for 20 s: the controller's after it has given all of them their addresses, the \
         speaker's while it answers for all of them.",
    ),
    (
        "plan",
        "Which Service gets which address, in one thread: ms are its CPU \
         time, µs a mean of 200 by the clock. Every round runs every case in a process \
         of its own. *From loaded objects* is everything from parsed YAML to the whole plan: each \
         object validated, all joined, addresses assigned, announcements, routes and diagnostics. \
         Its memory is the peak of the whole process (VmHWM), YAML text included. *Address \
         decided* is the decision alone, by the allocator that keeps the state of all others; \
         *everything planned again* is what a running instance does after an edit, from the text \
         of the one changed file to the whole plan, diagnostics included: it reads this file, and \
         derives and plans what hangs on it; *new plan* is the same where a route leads to the \
         Service, and an EndpointSlice says where it runs. An edit of pools, namespaces or entry \
         points plans the Services that come out otherwise. There is a file for each Service, \
         where nothing else is said. Of *from loaded objects* a quarter is validation, a third the \
         join and a third the plan; a fifth of it all is spent on taking memory and giving it \
         back, since the tree of each object goes when it is validated. *`up`* is the program itself, a process without privileges, whose Services have no \
         addresses of their own: its memory is VmRSS, the program's own pages included, 4 s after \
         it began to serve, and after 1,000 edits of routes. An edit is measured by the clock, \
         from the moment a file is replaced to the end of the first answer by the new route; the \
         client asks all the time, and the watch waits for 3 ms whether more is written. Some 13 MiB \
         are pages of the program; the rest is what stays of the manifests, the text itself a \
         tenth of it. Neither jemalloc nor mimalloc needs clearly less of it, so the allocator is \
         the system's.",
    ),
    (
        "routing",
        "*From loaded objects to the table*: CPU time of one thread, from parsed YAML to what \
         requests are routed by, each object validated, all joined, planned and compiled; a file for \
         each. *Until it serves* is measured by the clock as in *plan*, of `up` with nothing but \
         Ingresses and a Service in each of twenty namespaces. *Memory* is VmRSS of such an `up` \
         whose routes are Traefik's own, 4 s after it began to serve, the program's own pages \
         included, in millions of bytes. A *choice* is which route a request takes, all of it, by the \
         clock; 64 requests are drawn and written down at a time, so that of the routes nothing is in \
         the processor's cache but by chance. *Rules without a host*: a third by a path's prefix, a \
         third by an expression that begins with `^/`, a third by the value of a header. *One after \
         the other* is how Traefik chooses: routes in their order, each asked until one holds.",
    ),
    (
        "tls",
        "CPU time of the whole proxy per request over TLS 1.3, on the cores and with the peers of \
         *gateway*; all have one certificate, on P-256. Connections that stay are asked by h2load. \
         *A handshake per request*: eight clients, each of which connects, asks once and is closed; \
         the key exchange is X25519, for which the peers are asked too, or X25519MLKEM768, which \
         Debian's peers do not have. *Resumed* goes on by a ticket, with a key exchange. *Memory* is \
         of the process that serves (VmRSS), of 1,000 connections that have asked once and wait.",
    ),
    (
        "health",
        "*Asked once a second*: CPU time of the one thread that asks, over connections that stay, of \
         1,000 addresses of one server. *All endpoints broken*: ten endpoints end each connection \
         when they have read a request; what they are asked for each request of a client, GETs one \
         after the other, past the attempts that are there in any case at first. *One of four backends is \
         slowed*: an answer takes 2 ms, of one backend 20 ms, however many ask; 1,500 requests a second \
         over 64 connections, due at fixed times; each proxy with the algorithm that comes nearest: \
         Steelyard's least time, leastconn of HAProxy, least_conn of nginx.",
    ),
    (
        "streams",
        "CPU time of the whole proxy for what is carried as it comes: the proxy with one worker on \
         core 0, generator and backend on core 1, all on loopback. Of UDP it is the time per \
         datagram, of those that come back, counted both ways: 64 clients with 100 bytes that wait \
         for their answer each, and 4 that send 32 datagrams of 1,200 bytes in a row, as tunnels \
         do; nginx is Debian's stream module, sessions last 3 s. Of TCP it is the time per \
         gigabyte (10⁹ bytes), four connections that carry as much as they can, both ways; HAProxy \
         may splice. *TLS passed on* is `up` with an Ingress that asks for it, and HAProxy by server \
         name; the others have routes that no manifest can ask for yet.",
    ),
];

/// Writes the page from all results in `folder`.
pub(crate) fn write(folder: &Path, page: &Path) -> Result<()> {
    let mut text = HEAD.to_owned();
    let mut names: Vec<_> = std::fs::read_dir(folder)?
        .filter_map(|entry| entry.ok())
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    names.sort();
    for path in names {
        let results: Results = serde_json::from_slice(&std::fs::read(&path)?)
            .with_context(|| path.display().to_string())?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        text += &section(&name, &results);
    }
    std::fs::write(page, text).with_context(|| format!("cannot write {}", page.display()))
}

fn section(name: &str, results: &Results) -> String {
    let about = ABOUT.iter().find(|(known, _)| *known == name).map_or("", |(_, about)| about);
    let compares = results.rows.iter().any(|row| row.beside.is_some());
    let head = if compares {
        "| what | unit | steelyard | peer | theirs | ratio | goal | rounds |\n\
         |---|---|--:|---|--:|--:|--:|--:|"
    } else {
        "| what | unit | steelyard | goal | rounds |\n|---|---|--:|--:|--:|"
    };
    let mut out = format!(
        "\n## {name}\n\n`cargo xtask bench {name}` · commit {} · {}\n\n{about}\n\n{head}\n",
        results.commit, results.machine
    );
    for row in &results.rows {
        let peer = match &row.beside {
            Some(it) => format!(" {} | {:.2} | {:.2} |", it.peer, it.theirs, it.ratio),
            None if compares => " - | - | - |".to_owned(),
            None => String::new(),
        };
        let _ = writeln!(
            out,
            "| {} | {} | {:.2} |{peer} {:.2} | {} |",
            row.name, row.unit, row.ours, row.goal, row.rounds
        );
    }
    for note in &results.notes {
        let _ = write!(out, "\n- {note}");
    }
    if !results.notes.is_empty() {
        out.push('\n');
    }
    out
}
