// What the API tells, as rows of cells. Pure: data in, data out; page.js makes elements of it.
// A cell is a list of parts; a part is a string or {text, kind, href, title} or {parts, kind}.

const RANK = { error: 0, warning: 1, info: 2 };

/** One row per address, and one per Service that waits for one. */
export function vipRows({ services, announcements, diagnostics, overview }) {
  const byAddress = group(announcements, (one) => `${one.service} ${bare(one.address)}`);
  const findings = group(diagnostics, (one) => one.object);
  return list(services).flatMap((service) => {
    const id = `${service.namespace}/${service.name}`;
    const addresses = list(service.addresses);
    if (!addresses.length && !list(service.events).length) return []; // does not ask for one
    const row = (address) => {
      const told = byAddress.get(`${id} ${bare(address ?? "")}`) ?? [];
      const status = vipState(address, told);
      return finish([
        [address ? { text: address, kind: "mono strong" } : { text: "pending", kind: "faint" }],
        [name(service.namespace, service.name)],
        [service.pool ?? dash()],
        [servedBy(service.servedBy), ...reached(service)],
        owner(told, overview?.node),
        [{ text: status.text, kind: `pill ${status.kind}`, title: status.title }],
        why(service, status, findings.get(`Service/${id}`) ?? []),
      ]);
    };
    return addresses.length ? addresses.map(row) : [row(null)];
  });
}

/** One row per route. */
export function routeRows({ routes, services, overview }) {
  const states = endpointStates(services);
  return list(routes).map((route) => {
    const { host, path } = split(route.rule ?? "");
    const backends = list(route.backends);
    return finish([
      [hostPart(host, path, route, overview)],
      [path ? { text: path, kind: "mono" } : dash()],
      chips(route.entryPoints),
      backends.length ? backends.map(backendPart) : [{ text: "none", kind: "bad" }],
      [...answers(route), ...endpointChips(backends, states)],
      [{ text: route.source ?? route.name ?? "", kind: "faint small" }],
    ]);
  });
}

/** One row per endpoint of each Service port. */
export function endpointRows({ services, routes, endpoints }, now = Date.now() / 1000) {
  const health = new Map(list(endpoints).map((one) => [`${one.service} ${one.address}`, one]));
  const rows = new Map();
  for (const service of list(services)) {
    for (const port of list(service.ports)) {
      const label = `${service.namespace}/${service.name}:${port.port}`;
      for (const one of list(port.endpoints)) rows.set(`${label} ${one.address}`, { label, ...one });
    }
  }
  for (const backend of list(routes).flatMap((route) => list(route.backends))) {
    const usable = list(backend.endpoints).map((address) => ({ address, state: "ready" }));
    for (const one of [...list(backend.states), ...usable]) {
      const key = `${backend.service} ${one.address}`;
      if (!rows.has(key)) rows.set(key, { label: backend.service, ...one });
    }
  }
  return [...rows.values()].map(({ label, address, state, node }) => {
    const known = health.get(`${label} ${address}`) ?? {};
    const isWorse = known.state === "down" || (known.state === "shunned" && state === "ready");
    const word = isWorse ? known.state : state;
    const since = known.since ? `for ${age(now - known.since)}` : undefined;
    const failure = known.lastFailure;
    return finish([
      [{ text: label, kind: "strong" }],
      [{ text: address, kind: "mono" }],
      [{ text: spaced(word), kind: `pill ${word === "down" ? "bad" : stateKind(word)}`, title: since }],
      [Number.isFinite(known.inFlight) ? String(known.inFlight) : dash()],
      [Number.isFinite(known.latencyMs) ? `${known.latencyMs.toFixed(1)} ms` : dash()],
      [node ?? dash()],
      [failure ? `${failure.why} (${age(now - failure.time)})` : dash()],
    ]);
  });
}

/** One row per node and interface, with what it owns there. */
export function memberRows({ members, announcements }) {
  const owned = group(list(announcements).filter((one) => one.owner), (one) => one.owner);
  return list(members).map((one) => finish([
    [{ text: one.self ? `${one.node} (here)` : one.node, kind: "strong" }],
    [one.interface ?? dash()],
    [one.address ? { text: one.address, kind: "mono" } : dash()],
    [{ text: spaced(one.state), kind: `pill ${one.state === "up" ? "good" : "careful"}` }],
    [Number.isFinite(one.roundTripMs) ? `${one.roundTripMs.toFixed(1)} ms` : dash()],
    addressesOf(owned.get(one.node)),
  ]));
}

/** One row per finding, worst first. */
export function diagnosticRows({ diagnostics }) {
  const rank = (one) => RANK[one.severity] ?? 3;
  return [...list(diagnostics)].sort((a, b) => rank(a) - rank(b)).map((one) => ({
    severity: one.severity,
    ...finish([
      [{ text: one.severity ?? "", kind: `pill ${severityKind(one.severity)}` }],
      [{ text: one.message ?? "", kind: "block strong" }, { text: one.help ?? "", kind: "block help" },
        { text: one.code ?? "", kind: "block faint mono" }],
      [one.object ? one.object : dash(), { text: one.path ?? "", kind: "block faint mono" }],
      [one.file ? { text: place(one), kind: "mono" } : dash()],
    ]),
  }));
}

/** One row per event, newest first as told. */
export function eventRows({ events }, now = Date.now() / 1000) {
  return list(events).map((one) => finish([
    [{ text: age(now - one.time), title: new Date(one.time * 1000).toLocaleString() }],
    [{ text: one.type ?? "", kind: `pill ${one.type === "Normal" ? "" : "careful"}` }],
    [{ text: one.reason ?? "", kind: "strong" }],
    [one.object ?? dash()],
    [one.message ?? ""],
  ]));
}

/** One row per request that was not answered with success, newest first as told. */
export function requestRows({ requests }, now = Date.now() / 1000) {
  return list(requests).map((one) => finish([
    [{ text: age(now - one.time), title: new Date(one.time * 1000).toLocaleString() }],
    [{ text: String(one.status ?? ""), kind: `pill ${one.status >= 500 ? "bad" : "careful"}` }],
    [{ text: `${one.method ?? ""} ${one.host ?? ""}${one.path ?? ""}`, kind: "mono" },
      { text: one.id ?? "", kind: "block faint mono small" }],
    [one.router ?? dash()],
    [one.endpoint ? { text: one.endpoint, kind: "mono" } : dash()],
    list(one.why).map((text, index) => ({ text, kind: index ? "block faint small" : "block" })),
  ]));
}

/** `state` is a word, with `: why` behind it when it is not as it should be. */
function vipState(address, told) {
  if (!address) return { text: "no address", kind: "bad" };
  if (!told.length) return { text: "not announced", kind: "careful" };
  const state = told.find((one) => one.owner)?.state ?? told[0].state;
  if (state) {
    const [word, ...reason] = state.split(": ");
    return { text: spaced(word), kind: stateKind(word), reason: reason.join(": ") };
  }
  return { text: "nobody answers", kind: "bad" };
}

function stateKind(state) {
  if (["ready", "announced", "standby"].includes(state)) return "good";
  return ["conflict", "no-interface"].includes(state) ? "bad" : "careful";
}

/** Where its ports are really reached, and how packets get there. */
function reached(service) {
  return list(service.ports).flatMap((port) => list(port.reached)).map((one) => ({
    parts: [{ text: one.at, kind: "mono" }, ` ${one.how}`, one.obstacle ? `: ${one.obstacle}` : ""],
    kind: `block small ${one.works === false ? "careful" : "faint"}`,
  }));
}

function severityKind(severity) {
  return { error: "bad", warning: "careful" }[severity] ?? "";
}

function servedBy(value) {
  return { gateway: "gateway", forward: "forwarding" }[value] ?? value ?? dash();
}

function owner(told, self) {
  const nodes = [...new Set(told.flatMap((one) => [one.owner, ...list(one.nodes)]).filter(Boolean))];
  const standbys = [...new Set(told.flatMap((one) => list(one.standbys)))];
  if (!nodes.length) return [dash()];
  const parts = nodes.map((node) => ({
    text: node === self ? `${node} (here)` : node, kind: "block",
  }));
  const [first] = told;
  if (first?.since && first.reason) {
    const since = age(Date.now() / 1000 - first.since);
    parts.push({ text: `${since}: ${first.reason}`, kind: "block faint small" });
  }
  if (standbys.length) parts.push({ text: `then ${standbys.join(", ")}`, kind: "block faint small" });
  return parts;
}

/** What keeps it from working, why it is as it is, and the worst finding about it. */
function why(service, status, findings) {
  const parts = [];
  if (status.reason) parts.push({ text: status.reason, kind: `block ${status.kind === "bad" ? "bad" : "careful"}` });
  const said = list(service.events).at(-1);
  const sentences = list(service.why).length ? service.why : [said?.message ?? said?.reason].filter(Boolean);
  sentences.forEach((text, index) => parts.push({ text, kind: index ? "block faint small" : "block" }));
  const worst = [...findings].sort((a, b) => (RANK[a.severity] ?? 3) - (RANK[b.severity] ?? 3))[0];
  if (worst && worst.severity !== "info") {
    parts.push({ text: worst.message, kind: `block ${severityKind(worst.severity)}`, href: "#diagnostics" });
  }
  return parts.length ? parts : [dash()];
}

/** Host and path of a rule of the usual form; any other rule is shown whole. */
function split(rule) {
  const parts = /^(?:Host\(`([^`]*)`\))?(?: && )?(?:(Path|PathPrefix)\(`([^`]*)`\))?$/.exec(rule);
  if (!parts || !rule) return { host: { text: rule }, path: "" };
  const [, host, kind, path] = parts;
  const below = kind === "PathPrefix" ? (path.endsWith("/") ? "…" : "/…") : "";
  return { host: host ? { name: host } : { any: true }, path: kind ? path + below : "/…", at: path ?? "/" };
}

function hostPart(host, path, route, overview) {
  if (host.text !== undefined) return { text: host.text, kind: "mono" };
  if (host.any) return { text: "any host", kind: "faint" };
  const href = host.name.includes("*") ? undefined : address(host.name, path, route, overview);
  return { text: host.name, kind: "strong", href };
}

/** Where a browser finds it, as far as the entry points tell. */
function address(host, path, route, overview) {
  const points = list(overview?.entryPoints).filter((point) => list(route.entryPoints).includes(point.name));
  const port = list(points[0]?.addresses)[0]?.split(":").at(-1) ?? "80";
  try {
    return new URL(path.replace(/\/?…$/, "") || "/", `http://${host}:${port}`).href;
  } catch {
    return undefined;
  }
}

function backendPart(backend, _index, all) {
  const share = all.length > 1 ? ` ×${backend.weight ?? 1}` : "";
  return { text: `${backend.service}${share}`, kind: "block" };
}

/** What requests are answered with, where nobody is served. */
function answers(route) {
  return route.answers ? [{ text: `answers ${route.answers}`, kind: "block bad" }] : [];
}

function endpointStates(services) {
  const states = new Map();
  for (const service of list(services)) {
    for (const port of list(service.ports)) {
      const label = `${service.namespace}/${service.name}:${port.port}`;
      states.set(label, new Map(list(port.endpoints).map((one) => [one.address, one.state])));
    }
  }
  return states;
}

function endpointChips(backends, states) {
  const parts = backends.flatMap((backend) => {
    const told = list(backend.states).map((one) => [one.address, one.state]);
    const known = told.length ? new Map(told) : states.get(backend.service) ?? new Map();
    const addresses = new Set([...list(backend.endpoints), ...known.keys()]);
    return [...addresses].map((address) => {
      const state = known.get(address) ?? "ready";
      return { text: address, kind: `chip dot mono ${stateKind(state)}`, title: spaced(state) };
    });
  });
  return parts.length ? parts : [{ text: "none", kind: "pill bad" }];
}

function addressesOf(announcements) {
  return chips([...new Set(list(announcements).map((one) => bare(one.address)))]);
}

function chips(values) {
  const parts = list(values).map((text) => ({ text, kind: "chip" }));
  return parts.length ? parts : [dash()];
}

function name(namespace, name) {
  return { parts: [{ text: `${namespace}/`, kind: "faint" }, { text: name, kind: "strong" }] };
}

function place(one) {
  return [one.file, one.line, one.column].filter((part) => part !== null && part !== undefined).join(":");
}

/** `notReady` for people. */
function spaced(state) {
  return String(state ?? "unknown").replace(/([a-z])([A-Z])/g, "$1 $2").replaceAll("-", " ").toLowerCase();
}

function age(seconds) {
  if (!Number.isFinite(seconds)) return "";
  const steps = [[120, 1, "s"], [7200, 60, "min"], [172800, 3600, "h"], [Infinity, 86400, "d"]];
  const [, unit, mark] = steps.find(([below]) => seconds < below);
  return `${Math.max(0, Math.floor(seconds / unit))} ${mark} ago`;
}

function bare(address) {
  return String(address).replace(/\/(32|128)$/, "");
}

function dash() {
  return { text: "–", kind: "faint" };
}

function group(values, key) {
  const groups = new Map();
  for (const value of list(values)) {
    const of = key(value);
    if (!groups.has(of)) groups.set(of, []);
    groups.get(of).push(value);
  }
  return groups;
}

function list(value) {
  return Array.isArray(value) ? value : [];
}

/** A row with its text for the filter. */
function finish(cells) {
  const text = (part) => (typeof part === "object" ? part.text ?? part.parts.map(text).join("") : part);
  return { cells, search: cells.flat().map(text).join(" ").toLowerCase() };
}
