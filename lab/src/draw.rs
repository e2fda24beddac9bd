//! The laboratory as a drawing: hosts on their wires, what each node answers for, what to try.

use std::collections::BTreeMap;

use super::nodes::Life;
use super::topology::{Machine, Pod, Topology};
use super::view::{NodeView, View, VipView};
use super::wire::Faults;
use super::world::{Vip, World};
use steelyard_terminal::{Cell, Style, Table};

/// Blanks before everything.
const MARGIN: usize = 2;
/// With more nodes than this, each gets one line and the client's and router's details go.
const MOST_DETAILED: usize = 8;
/// URLs to try.
const MOST_URLS: usize = 5;
/// Addresses in the table; a screen holds no more.
const MOST_VIPS: usize = 12;
/// Pods in the table.
const MOST_PODS: usize = 24;
/// Columns from which on hardware addresses are shown.
const WIDE: usize = 100;
/// What the table of addresses does without when there are few columns, first one first.
const DISPENSABLE: [&str; 3] = ["PORTS", "SINCE", "EPOCH"];

/// How it is printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    /// Colours are wanted.
    pub(super) color: bool,
    /// How this program was called.
    pub(super) program: &'a str,
    /// ` --name NAME`, where the laboratory has another name than usual.
    pub(super) named: &'a str,
    /// Columns there are.
    pub(super) columns: usize,
    /// Lines there are; what does not fit is said in fewer words, or cut by who prints it.
    pub(super) rows: usize,
}

/// Everything, ready to print, what matters most first.
pub(super) fn laboratory(
    topology: &Topology,
    world: &World,
    view: &View,
    look: Look<'_>,
) -> String {
    let addresses = addresses(world, view, look);
    let rows = look.rows.saturating_sub(addresses.lines().count() + 1);
    let parts = [
        network(topology, view, Look { rows, ..look }),
        addresses,
        tries(topology, world, look),
        pods(&topology.pods, topology, look.color),
    ];
    parts.join("\n")
}

/// Who is plugged in where, and which addresses each node answers for.
pub(super) fn network(topology: &Topology, view: &View, look: Look<'_>) -> String {
    let width = topology.nodes.iter().map(|node| width(&node.name)).max().unwrap_or(0).max(7);
    let mut lines = surroundings(topology, width, look);
    let room = look.rows.saturating_sub(lines.len());
    let detailed = topology.nodes.len() <= MOST_DETAILED.min(room / 2);
    let is_told = |seen: &NodeView| topology.nodes.len() <= room || !is_idle(seen, view);
    let told: Vec<(&Machine, &NodeView)> =
        topology.nodes.iter().zip(&view.nodes).filter(|(_, seen)| is_told(seen)).collect();
    let untold = topology.nodes.len() - told.len();
    for (index, (node, seen)) in told.iter().enumerate() {
        let last = index + 1 == told.len() && untold == 0;
        let state = state(seen, &view.held(&node.name), width, look);
        lines.push(format!(" {} {state}", stub(last, seen)));
        if detailed {
            let rail = if last { ' ' } else { '│' };
            let place = faint(&place(node, look), look);
            lines.push(format!(" {rail}   {:width$}  {place}", ""));
        }
    }
    if untold > 0 {
        lines.push(format!(" └── {}", faint(&format!("… {untold} more nodes, ready"), look)));
    }
    lines.into_iter().map(|line| format!("{:MARGIN$}{}\n", "", line.trim_end())).collect()
}

/// The LAN, and who is on it besides the nodes.
fn surroundings(topology: &Topology, width: usize, look: Look<'_>) -> Vec<String> {
    let host = |name: &str, host: &Machine| {
        format!(" ├── {name:width$}  {}", faint(&place(host, look), look))
    };
    let outside = format!("{} ── visitor  {}", nets(&topology.outside), hosts(&topology.visitor));
    vec![
        Style::Heading.paint(&format!("LAN {}", nets(&topology.lan)), look.color),
        " │".to_owned(),
        host("client", &topology.client),
        host("router", &topology.router),
        format!(" │    └── {}", faint(&outside, look)),
        " │".to_owned(),
    ]
}

/// Whether there is nothing to tell of a node but that it is there.
fn is_idle(seen: &NodeView, view: &View) -> bool {
    let is_well = seen.life == Life::Running && seen.ready && seen.faults == Faults::default();
    is_well && view.held(&seen.name).is_empty()
}

/// The way from the LAN to a node; a pulled plug leaves a gap.
fn stub(last: bool, node: &NodeView) -> String {
    let corner = if last { '└' } else { '├' };
    let wire = if node.faults.unplugged { "╴ " } else { "──" };
    format!("{corner}{wire}")
}

/// A node's name, how it is, and what it answers for.
fn state(node: &NodeView, held: &[std::net::IpAddr], width: usize, look: Look<'_>) -> String {
    let faults = node.faults.words();
    let (word, style) = match (node.life, node.ready) {
        (Life::Running, true) => ("serves", Style::Good),
        (Life::Running, false) => ("is not ready", Style::Careful),
        (Life::Leaving | Life::Returning | Life::Left, _) => (node.life.words(), Style::Careful),
        (life, _) => (life.words(), Style::Bad),
    };
    let style = if faults.is_empty() { style } else { Style::Bad };
    let word = if faults.is_empty() { word.to_owned() } else { format!("{word}, {faults}") };
    let shown: Vec<String> = held.iter().take(3).map(ToString::to_string).collect();
    let more = if held.len() > 3 { format!(" and {} more", held.len() - 3) } else { String::new() };
    let arrow =
        if held.is_empty() { String::new() } else { format!("◀ {}{more}", shown.join(" ")) };
    let pad = " ".repeat(8_usize.saturating_sub(self::width(&word)));
    let word = style.paint(&word, look.color);
    format!("{:width$}  {word}{pad}  {}", node.name, Style::Good.paint(&arrow, look.color))
}

/// Addresses of a host, and its hardware address where there is room.
fn place(host: &Machine, look: Look<'_>) -> String {
    let mac = if look.columns >= WIDE { format!("  {}", host.mac) } else { String::new() };
    format!("{}{mac}", hosts(host))
}

fn hosts(host: &Machine) -> String {
    let addresses: Vec<String> = host.addresses.iter().map(|net| net.addr().to_string()).collect();
    addresses.join("  ")
}

fn nets(nets: &[ipnet::IpNet]) -> String {
    let nets: Vec<String> = nets.iter().map(|net| net.trunc().to_string()).collect();
    nets.join(", ")
}

fn faint(text: &str, look: Look<'_>) -> String {
    Style::Faint.paint(text, look.color)
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Every address: whose it is, who answers for it and who is next.
pub(super) fn addresses(world: &World, view: &View, look: Look<'_>) -> String {
    let ports: BTreeMap<String, &Vip> =
        world.vips.iter().map(|vip| (vip.service.to_string(), vip)).collect();
    let header = ["ADDRESS", "SERVICE", "PORTS", "ANSWERED BY", "EPOCH", "SINCE", "NEXT"];
    let mut table = Table::new(&header);
    let vips = all_vips(world, view);
    for vip in vips.iter().take(MOST_VIPS) {
        let ports = ports.get(&vip.service).map(|it| it.ports.join(" ")).unwrap_or_default();
        let [who, epoch, since, next] = owned(vip);
        let service = vip.service.clone().into();
        table.row([vip.address.to_string().into(), service, ports.into(), who, epoch, since, next]);
    }
    let nothing = || ["", "", "", ""].map(Cell::from);
    for vip in world.vips.iter().filter(|vip| vip.addresses.is_empty()) {
        let [who, epoch, since, next] = nothing();
        let address = Cell::new("none", Style::Careful);
        let service = vip.service.to_string().into();
        table.row([address, service, vip.ports.join(" ").into(), who, epoch, since, next]);
    }
    if table.is_empty() {
        return format!("{:MARGIN$}no Service of type LoadBalancer has an address\n", "");
    }
    let more = vips.len().saturating_sub(MOST_VIPS);
    let more = if more > 0 {
        format!("{:MARGIN$}… and {more} more: lab show -o json\n", "")
    } else {
        String::new()
    };
    table.narrow(look.columns.saturating_sub(MARGIN), &DISPENSABLE);
    table.render(MARGIN, look.color) + &more
}

/// What the nodes tell of; where none is left to tell, what the manifests come to.
fn all_vips(world: &World, view: &View) -> Vec<VipView> {
    if !view.vips.is_empty() {
        return view.vips.clone();
    }
    let of = |vip: &Vip| {
        let service = vip.service.to_string();
        let nobodys =
            move |&address| VipView { address, service: service.clone(), owners: Vec::new() };
        vip.addresses.iter().map(nobodys).collect::<Vec<_>>()
    };
    world.vips.iter().flat_map(of).collect()
}

/// Owners, epoch, since when, who is next.
fn owned(vip: &VipView) -> [Cell; 4] {
    let names: Vec<&str> = vip.owners.iter().map(|owner| owner.node.as_str()).collect();
    let who = match &names[..] {
        [] => Cell::new("nobody", Style::Bad),
        [one] => Cell::new(*one, Style::Good),
        several => Cell::new(several.join(" and "), Style::Bad),
    };
    let epochs = vip.owners.iter().filter_map(|owner| owner.epoch);
    let epochs: Vec<String> = epochs.map(|epoch| epoch.to_string()).collect();
    let first = vip.owners.first();
    let since = first.and_then(|owner| owner.since).map(time).unwrap_or_default();
    let next = first.map(|owner| owner.standbys.join(" ")).unwrap_or_default();
    [who, epochs.join(" ").into(), since.into(), next.into()]
}

/// The time of day, UTC.
fn time(since: u64) -> String {
    format!("{:02}:{:02}:{:02}", since / 3600 % 24, since / 60 % 60, since % 60)
}

fn pods(pods: &[Pod], topology: &Topology, color: bool) -> String {
    if pods.is_empty() {
        return format!("{:MARGIN$}no workload is behind a Service, so nothing is played\n", "");
    }
    let mut table = Table::new(&["POD", "ADDRESS", "PORTS", "NODE"]);
    for pod in pods.iter().take(MOST_PODS) {
        let addresses: Vec<String> = pod.addresses.iter().map(ToString::to_string).collect();
        let ports: Vec<String> =
            pod.replica.ports.iter().map(|(protocol, port)| format!("{port}/{protocol}")).collect();
        table.row([
            pod.name.clone().into(),
            addresses.join(", ").into(),
            ports.join(" ").into(),
            topology.nodes[pod.node].name.clone().into(),
        ]);
    }
    let more = pods.len().saturating_sub(MOST_PODS);
    let more =
        if more > 0 { format!("{:MARGIN$}… and {more} more\n", "") } else { String::new() };
    table.render(MARGIN, color) + &more
}

fn tries(topology: &Topology, world: &World, look: Look<'_>) -> String {
    let Look { color, program, named, .. } = look;
    let first = &topology.nodes[0];
    let own = first.addresses[0].addr();
    let urls = world.urls(own);
    let mut commands: Vec<String> =
        urls.iter().take(MOST_URLS).map(|url| format!("curl {url}")).collect();
    commands.push("arp".to_owned());
    commands.extend(world.answering().next().map(|at| format!("exec client ping -c 1 {at}")));
    commands.push(format!("exec {} {program} get services", first.name));
    if topology.nodes.len() > 1 && world.answering().next().is_some() {
        commands.push("watch          # then, in a third terminal:".to_owned());
        commands.push(format!("kill {:9} # or stop, cut, loss, leave", first.name));
        commands.push("heal".to_owned());
    }
    let mut text =
        format!("{:MARGIN$}{}", "", Style::Heading.paint("Try in another terminal", color));
    for command in commands {
        text += &format!("\n{:MARGIN$}  sudo {program} lab{named} {command}", "");
    }
    text + "\n"
}
