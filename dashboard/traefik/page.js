// Routers, services and middlewares, as the API of Traefik's shape beside this page tells them.

const API = "../api/";
const LISTS = [
  ["http/routers", "HTTP routers", ["status", "name", "rule", "entryPoints", "service", "error"]],
  ["http/services", "HTTP services", ["status", "name", "type", "serverStatus", "error"]],
  ["http/middlewares", "HTTP middlewares", ["status", "name", "type", "usedBy", "error"]],
  ["tcp/routers", "TCP routers", ["status", "name", "rule", "entryPoints", "service", "error"]],
  ["tcp/services", "TCP services", ["status", "name", "type", "serverStatus", "error"]],
  ["udp/routers", "UDP routers", ["status", "name", "entryPoints", "service", "error"]],
  ["udp/services", "UDP services", ["status", "name", "type", "serverStatus", "error"]],
];
const EVERY = 5000;
const at = (id) => document.getElementById(id);

function element(name, text, kind) {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

// Lists are joined; of servers it is said how each stands.
function shown(value) {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return value.join(", ");
  if (typeof value === "object") {
    return Object.entries(value).map(([key, is]) => `${key} ${is}`).join(", ");
  }
  return String(value);
}

function row(item, columns) {
  const made = document.createElement("tr");
  for (const column of columns) {
    const kind = column === "status" ? item.status : column;
    made.append(element("td", shown(item[column]), kind));
  }
  return made;
}

function table(title, items, columns) {
  const made = document.createElement("table");
  const head = document.createElement("tr");
  head.append(...columns.map((column) => element("th", column)));
  made.append(head, ...items.map((item) => row(item, columns)));
  const section = document.createElement("section");
  section.append(element("h2", `${title} (${items.length})`), made);
  return section;
}

// All pages of a list, as far as anybody reads on.
async function all(path, query) {
  const items = [];
  for (let page = 1; page < 11; page += 1) {
    query.set("page", String(page));
    const answer = await fetch(`${API}${path}?${query}`);
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    items.push(...await answer.json());
    if (answer.headers.get("X-Next-Page") === "1") break;
  }
  return items;
}

async function show() {
  const query = new URLSearchParams();
  for (const name of ["search", "status"]) {
    if (at(name).value) query.set(name, at(name).value);
  }
  try {
    const lists = await Promise.all(LISTS.map(([path]) => all(path, new URLSearchParams(query))));
    const tables = LISTS.map(([, title, columns], index) => table(title, lists[index], columns));
    at("lists").replaceChildren(...tables.filter((_, index) => lists[index].length > 0));
    at("told").textContent = "";
  } catch (error) {
    at("told").textContent = `Nothing new is heard: ${error.message}`;
  }
}

for (const name of ["search", "status"]) at(name).addEventListener("input", show);
setInterval(show, EVERY);
show();
