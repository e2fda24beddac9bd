//! The laboratory as a drawing: LAN, hosts, pods, addresses, and what to try.

use super::topology::{Machine, Pod, Topology};
use super::world::World;
use crate::text::{Cell, Style, Table};

/// Blanks between two boxes.
const GAP: usize = 2;
/// Blanks before everything.
const MARGIN: usize = 2;
/// Boxes beside each other; more hosts are listed instead.
const MOST_BOXES: usize = 5;
/// URLs to try.
const MOST_URLS: usize = 8;

/// How it is printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    /// Colours are wanted.
    pub(super) color: bool,
    /// How this program was called.
    pub(super) program: &'a str,
}

/// Everything, ready to print.
pub(super) fn laboratory(topology: &Topology, world: &World, look: Look<'_>) -> String {
    let color = look.color;
    let mut text = String::from("\n");
    text += &network(topology, color);
    text += "\n";
    text += &pods(&topology.pods, topology, color);
    text += "\n";
    text += &addresses(world, color);
    text += "\n";
    text += &tries(topology, world, look);
    text
}

/// A box of text lines; the first is set off.
struct Box {
    lines: Vec<String>,
    style: Style,
    on_pod_network: bool,
}

fn network(topology: &Topology, color: bool) -> String {
    if topology.nodes.len() >= MOST_BOXES {
        return list(topology, color);
    }
    let mut boxes = vec![machine(&topology.client, "asks", Style::Plain)];
    for (index, node) in topology.nodes.iter().enumerate() {
        let (does, style) = if index == 0 { ("serves", Style::Good) } else { ("", Style::Plain) };
        boxes.push(machine(node, does, style));
    }
    let height = boxes.iter().map(|it| it.lines.len()).max().unwrap_or(0);
    for it in &mut boxes {
        it.lines.resize(height, String::new());
    }
    let lan: Vec<String> = topology.lan.iter().map(ToString::to_string).collect();
    let mut text = wire(&boxes, |_| true, ['┌', '┬'], &format!("LAN {}", lan.join(", ")), color);
    text += &row(&boxes, |it| format!("┌{}┐", with_stub(it.width() + 2, '┴')));
    for line in 0..height {
        text += &row(&boxes, |it| {
            let style = if line == 0 { it.style } else { Style::Plain };
            let pad = " ".repeat(it.width() - width(&it.lines[line]));
            format!("│ {}{pad} │", style.paint(&it.lines[line], color))
        });
    }
    text += &row(&boxes, |it| {
        let stub = if it.on_pod_network { '┬' } else { '─' };
        format!("└{}┘", with_stub(it.width() + 2, stub))
    });
    let pods: Vec<String> = topology.pod_networks.iter().map(ToString::to_string).collect();
    text + &wire(
        &boxes,
        |it| it.on_pod_network,
        ['└', '┴'],
        &format!("pods {}", pods.join(", ")),
        color,
    )
}

/// The hosts when there are too many to draw.
fn list(topology: &Topology, color: bool) -> String {
    let mut table = Table::new(&["HOST", "ADDRESSES", "MAC"]);
    for host in std::iter::once(&topology.client).chain(&topology.nodes) {
        let addresses: Vec<String> =
            host.addresses.iter().map(|it| it.addr().to_string()).collect();
        table.row([host.name.clone().into(), addresses.join(", ").into(), host.mac.clone().into()]);
    }
    table.render(MARGIN, color)
}

fn machine(host: &Machine, does: &str, style: Style) -> Box {
    let mut lines = vec![format!("{} {does}", host.name).trim_end().to_owned()];
    lines.extend(host.addresses.iter().map(|address| address.addr().to_string()));
    lines.push(host.mac.clone());
    Box { lines, style, on_pod_network: !host.pod_side.is_empty() }
}

impl Box {
    /// Of its text.
    fn width(&self) -> usize {
        self.lines.iter().map(|line| width(line)).max().unwrap_or(0)
    }
}

/// A line from the first box chosen by `on`, joining all of them, and its name.
fn wire(
    boxes: &[Box],
    on: impl Fn(&Box) -> bool,
    [corner, joins]: [char; 2],
    name: &str,
    color: bool,
) -> String {
    let (mut line, mut drawing) = (String::new(), ' ');
    for (index, it) in boxes.iter().enumerate() {
        let (width, last) = (it.width() + 4, index + 1 == boxes.len());
        line.extend(std::iter::repeat_n(drawing, width / 2));
        let stub = match (on(it), drawing) {
            (true, ' ') => corner,
            (true, _) => joins,
            (false, _) => drawing,
        };
        if on(it) {
            drawing = '─';
        }
        line.push(stub);
        let rest = if last { GAP } else { width - width / 2 - 1 + GAP };
        line.extend(std::iter::repeat_n(drawing, rest));
    }
    format!("{:MARGIN$}{line} {}\n", "", Style::Heading.paint(name, color))
}

/// `width` times a horizontal line, with a stub in the middle.
fn with_stub(width: usize, stub: char) -> String {
    let left = width / 2;
    format!("{}{stub}{}", "─".repeat(left), "─".repeat(width - left - 1))
}

fn row(boxes: &[Box], part: impl Fn(&Box) -> String) -> String {
    let parts: Vec<String> = boxes.iter().map(part).collect();
    format!("{:MARGIN$}{}\n", "", parts.join(&" ".repeat(GAP)))
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn pods(pods: &[Pod], topology: &Topology, color: bool) -> String {
    if pods.is_empty() {
        return format!("{:MARGIN$}no workload is behind a Service, so nothing is played\n", "");
    }
    let mut table = Table::new(&["POD", "ADDRESS", "PORTS", "NODE"]);
    for pod in pods {
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
    table.render(MARGIN, color)
}

fn addresses(world: &World, color: bool) -> String {
    let mut table = Table::new(&["SERVICE", "ADDRESS", "PORTS", "SERVED BY"]);
    for vip in &world.vips {
        let addresses: Vec<String> = vip.addresses.iter().map(ToString::to_string).collect();
        let address = match addresses.is_empty() {
            true => Cell::new("none", Style::Careful),
            false => Cell::new(addresses.join(", "), Style::Good),
        };
        table.row([
            vip.service.to_string().into(),
            address,
            vip.ports.join(" ").into(),
            vip.served_by().into(),
        ]);
    }
    if table.is_empty() {
        return format!("{:MARGIN$}no Service is of type LoadBalancer\n", "");
    }
    table.render(MARGIN, color)
}

fn tries(topology: &Topology, world: &World, look: Look<'_>) -> String {
    let Look { color, program } = look;
    let serving = &topology.nodes[0].name;
    let own = topology.nodes[0].addresses[0].addr();
    let mut commands: Vec<String> =
        world.urls(own).into_iter().take(MOST_URLS).map(|url| format!("curl {url}")).collect();
    commands.push("arp".to_owned());
    commands.extend(world.answering().map(|at| format!("exec client ping -c 1 {at}")));
    commands.push(format!("exec {serving} {program} get services"));
    let mut text =
        format!("{:MARGIN$}{}", "", Style::Heading.paint("Try in another terminal", color));
    for command in commands {
        text += &format!("\n{:MARGIN$}  sudo {program} lab {command}", "");
    }
    text + "\n"
}
