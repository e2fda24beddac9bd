// The page: one table per question, made of what the API tells.
// Data only ever becomes text nodes, never markup.

import { follow } from "./source.js";
import {
  diagnosticRows, endpointRows, eventRows, memberRows, requestRows, routeRows, vipRows,
} from "./rows.js";

const MOST_ROWS = 300;
const EMPTY = {
  overview: {}, services: [], announcements: [], routes: [], members: [], diagnostics: [], events: [],
  requests: [], endpoints: [],
};
const SEVERITIES = ["error", "warning", "info"];

const $ = (id) => document.getElementById(id);
const state = { world: EMPTY, loaded: false, hidden: new Set(), all: new Set(), shown: new Map() };

const SECTIONS = {
  vips: {
    columns: ["Address", "Service", "Pool", "Served by", "Owner", "State", "Why"],
    rows: (world) => vipRows(world),
    empty: "No Service asks for an address. One of type LoadBalancer gets it from an IPAddressPool.",
  },
  routes: {
    columns: ["Host", "Path", "Entry points", "Backend", "Endpoints", "From"],
    rows: (world) => routeRows(world),
    empty: "No routes. An Ingress with a host or a path makes one.",
  },
  endpoints: {
    columns: ["Service", "Endpoint", "State", "Busy", "Latency", "Node", "Last failure"],
    rows: (world) => endpointRows(world),
    empty: "No endpoints. They come of EndpointSlices, Pods, or the annotation steelyard.dev/endpoints.",
  },
  members: {
    columns: ["Node", "Interface", "Address", "State", "Round trip", "Owns"],
    rows: (world) => memberRows(world),
    empty: "This machine shares its addresses with no other: `steelyard up --peer` does.",
  },
  diagnostics: {
    columns: ["Severity", "What", "Object", "Where"],
    rows: (world) => diagnosticRows(world).filter((row) => !state.hidden.has(row.severity)),
    empty: "Nothing to complain about.",
  },
  events: {
    columns: ["When", "Type", "Reason", "Object", "Message"],
    rows: (world) => eventRows(world),
    empty: "Nothing has happened yet.",
  },
  requests: {
    columns: ["When", "Status", "Request", "Route", "Endpoint", "Why"],
    rows: (world) => requestRows(world),
    empty: "Every request was answered with success.",
  },
};

/** An element; `fill` is text or nodes, `marks` its classes and attributes. */
function make(tag, marks = {}, ...fill) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(marks)) {
    if (value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...fill.filter((part) => part !== null && part !== undefined && part !== ""));
  return element;
}

/** A cell's content: a part is text, or {text, kind, href, title}; see rows.js. */
function piece(part) {
  if (typeof part !== "object") return String(part);
  const { text, kind, href, title } = part;
  if (part.parts) return make("span", { class: kind, title }, ...part.parts.map(piece));
  if (href) {
    const outside = href.startsWith("http") ? { target: "_blank", rel: "noreferrer noopener" } : {};
    return make("a", { class: kind, href, title, ...outside }, text);
  }
  return make("span", { class: kind, title }, text);
}

/** Nothing to tell: left out where rows are cards. */
function isNone(parts) {
  return parts.length === 1 && parts[0].text === "–";
}

function table(name, columns, rows) {
  const head = make("tr", {}, ...columns.map((column) => make("th", { scope: "col" }, column)));
  const cell = (parts, index) =>
    make("td", { "data-column": columns[index], class: isNone(parts) ? "none" : undefined },
      ...parts.map(piece));
  const line = (row) => make("tr", { class: row.kind }, ...row.cells.map(cell));
  return make("div", { class: "sheet" }, make("table", { class: name },
    make("thead", {}, head), make("tbody", {}, ...rows.map(line))));
}

function draw(name, force) {
  const section = SECTIONS[name];
  const rows = section.rows(state.world);
  const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const matching = rows.filter((row) => words.every((word) => row.search.includes(word)));
  const most = state.all.has(name) ? Infinity : MOST_ROWS;
  const key = JSON.stringify([state.loaded, matching, most, rows.length]);
  if (!force && state.shown.get(name) === key) return; // keeps selection and scrolling
  state.shown.set(name, key);

  $(name).querySelector(".count").textContent =
    words.length ? `${matching.length} of ${rows.length}` : rows.length || "";
  const body = $(name).querySelector(".body");
  if (!state.loaded) return body.replaceChildren();
  if (!matching.length) {
    return body.replaceChildren(make("p", { class: "empty" },
      rows.length ? "No row matches the filter." : section.empty));
  }
  const parts = [table(name, section.columns, matching.slice(0, most))];
  if (matching.length > most) {
    const more = make("button", { class: "more", type: "button" }, `Show all ${matching.length}`);
    more.addEventListener("click", () => { state.all.add(name); draw(name); });
    parts.push(more);
  }
  body.replaceChildren(...parts);
}

function drawOverview() {
  const { overview } = state.world;
  const identity = [overview.node, overview.version && `v${overview.version}`,
    overview.generation !== undefined && `generation ${overview.generation}`];
  $("identity").replaceChildren(...identity.filter(Boolean).map((text) => make("span", {}, text)));
  document.title = overview.node ? `${overview.node} · Steelyard` : "Steelyard";

  const ready = overview.ready === true;
  $("ready").className = state.loaded ? `pill ${ready ? "good" : "bad"}` : "pill";
  $("ready").textContent = state.loaded ? (ready ? "ready" : "not ready") : "";
  notice($("reasons"), "Not ready: ", ready ? [] : list(overview.reasons));
  notice($("notes"), "Note: ", list(overview.notes));
  $("since").textContent = overview.since
    ? `up since ${new Date(overview.since * 1000).toLocaleString()}` : "";
  $("facts").replaceChildren(...(state.loaded ? facts(overview) : []));
}

/** Sentences under a word; hidden where there are none. */
function notice(place, word, texts) {
  place.hidden = !texts.length;
  place.replaceChildren(make("strong", {}, word),
    texts.length === 1 ? texts[0] : make("ul", {}, ...texts.map((text) => make("li", {}, text))));
}

function facts(overview) {
  const counts = overview.diagnostics ?? {};
  const endpoints = overview.endpoints ?? {};
  const lacking = endpoints.ready < endpoints.total;
  const fact = (href, value, label, kind) =>
    make("a", { href, class: `fact ${kind ?? ""}` }, make("b", {}, String(value ?? 0)), make("span", {}, label));
  const facts = [
    fact("#vips", overview.vips, overview.vips === 1 ? "address" : "addresses"),
    fact("#routes", overview.routes, overview.routes === 1 ? "route" : "routes"),
    fact("#endpoints", `${endpoints.ready ?? 0}/${endpoints.total ?? 0}`, "endpoints ready",
      lacking ? "careful" : ""),
    fact("#diagnostics", counts.error, counts.error === 1 ? "error" : "errors", counts.error ? "bad" : ""),
    fact("#diagnostics", counts.warning, counts.warning === 1 ? "warning" : "warnings",
      counts.warning ? "careful" : ""),
  ];
  const listens = list(overview.entryPoints).map((point) =>
    make("div", {}, make("b", {}, point.name), " ", make("span", { class: "mono" },
      list(point.addresses).join(", ") || "not listening")));
  if (overview.privileges) listens.push(make("div", {}, make("b", {}, "privileges"), " ", overview.privileges));
  return listens.length ? [...facts, make("div", { class: "fact listens" }, ...listens)] : facts;
}

function drawSeverities() {
  const rows = diagnosticRows(state.world);
  const buttons = SEVERITIES.map((severity) => {
    const count = rows.filter((row) => row.severity === severity).length;
    if (!count) return null;
    const pressed = !state.hidden.has(severity);
    const button = make("button", { type: "button", class: severity, "aria-pressed": String(pressed) },
      `${count} ${severity}`);
    button.addEventListener("click", () => {
      if (pressed) state.hidden.add(severity); else state.hidden.delete(severity);
      drawSeverities();
      draw("diagnostics");
    });
    return button;
  });
  $("severities").replaceChildren(...buttons.filter(Boolean));
}

function drawAll(force) {
  drawOverview();
  drawSeverities();
  for (const name of Object.keys(SECTIONS)) draw(name, force);
}

function list(value) {
  return Array.isArray(value) ? value : [];
}

const source = follow({
  part(name, value) {
    state.world = { ...state.world, [name]: value };
    draw(name);
  },
  data(world) {
    state.world = { ...EMPTY, ...world };
    state.loaded = true;
    $("login").hidden = true;
    drawAll();
  },
  state(text) {
    $("live").textContent = text === "live" ? "live" : "reconnecting";
    $("live").className = `live ${text === "live" ? "on" : "off"}`;
    document.body.classList.toggle("stale", text !== "live" && state.loaded);
  },
  login() {
    $("login").hidden = false;
    $("live").textContent = "locked";
    $("live").className = "live off";
    $("token").focus();
  },
});

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  source.login($("token").value.trim());
  $("token").value = "";
});
$("filter").addEventListener("input", () => drawAll());
// Times are shown as ages, and requests are no news that anybody publishes.
setInterval(() => {
  if (document.hidden) return;
  draw("events");
  source.again("requests");
  source.again("endpoints");
}, 5000);
drawAll(true);
