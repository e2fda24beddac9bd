//! A client, a node, three pods at links of their own and a host elsewhere, as namespaces; servers
//! that say who they are and whom they see; and what a user would type.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use steelyard_forward::{
    Carried, Desired, ForwardOptions, Forwarded, ForwardedPort, Forwarder, Listening, Observed,
    Served,
};
use steelyard_host::netns::{self, Namespace};
use steelyard_model::{NamespacedName, Protocol};

pub(crate) const SERVED4: &str = "10.1.1.100";
pub(crate) const SERVED6: &str = "fd00::100";
pub(crate) const VIP4: &str = "10.1.1.101";
pub(crate) const VIP6: &str = "fd00::101";
/// What rp_filter is for IPv4.
pub(crate) const RPFILTER: &str = "table ip6 rpfilter {
  chain prerouting {
    type filter hook prerouting priority raw; policy accept;
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    fib saddr . mark . iif oif missing drop
  }
}
";
/// A listener that has the port itself.
pub(crate) const LISTENING: Listening = Listening { protocol: Protocol::Tcp, port: 80, at: 80 };
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Net {
    pub(crate) client: Namespace,
    pub(crate) node: Namespace,
    pub(crate) pods: Vec<Namespace>,
    /// Knows no way back to the client.
    pub(crate) far: Namespace,
    pub(crate) state: PathBuf,
}

impl Net {
    /// None, and a word on stderr, where namespaces cannot be made.
    pub(crate) fn create(name: &str) -> Option<Self> {
        if let Some(why) = netns::unavailable() {
            eprintln!("skipped: {why}");
            return None;
        }
        let make = |role: &str| Namespace::create(&format!("fw-{name}-{role}")).unwrap();
        let state = std::env::temp_dir().join(format!("fw-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&state);
        let net = Self {
            client: make("client"),
            node: make("node"),
            pods: vec![make("pod2"), make("pod3"), make("pod4")],
            far: make("far"),
            state,
        };
        net.wire();
        net.strict();
        Some(net)
    }

    fn wire(&self) {
        netns::cable((&self.client, "eth0"), (&self.node, "eth0")).unwrap();
        netns::cable((&self.far, "eth0"), (&self.node, "eth1")).unwrap();
        address(&self.client, "eth0", &["10.1.1.5/24", "fd00::5/64"]);
        address(&self.node, "eth0", &["10.1.1.11/24", "fd00::11/64"]);
        address(&self.node, "eth1", &["10.2.0.1/24", "fd02::1/64"]);
        address(&self.far, "eth0", &["10.2.0.2/24", "fd02::2/64"]);
        for (pod, number) in self.pods.iter().zip(2..) {
            let link = format!("pod{number}");
            netns::cable((&self.node, &link), (pod, "eth0")).unwrap();
            for (router, at, bits) in [
                ("10.244.0.1", format!("10.244.0.{number}"), 32),
                ("fd44::1", format!("fd44::{number}"), 128),
            ] {
                address(&self.node, &link, &[&format!("{router}/{bits}")]);
                address(pod, "eth0", &[&format!("{at}/{bits}")]);
                self.node.ip(&["route", "add", &format!("{at}/{bits}"), "dev", &link]).unwrap();
                pod.ip(&["route", "add", &format!("{router}/{bits}"), "dev", "eth0"]).unwrap();
                let default = if bits == 32 { "0.0.0.0/0" } else { "::/0" };
                pod.ip(&["route", "add", default, "via", router, "dev", "eth0"]).unwrap();
            }
        }
        // Nobody announces vips here: the client is told whom to send them to.
        let links = self.node.ip(&["link", "show", "eth0"]).unwrap();
        let mac = links.split("link/ether ").nth(1).unwrap().split(' ').next().unwrap();
        for vip in [SERVED4, SERVED6, VIP4, VIP6] {
            let neighbour = ["neigh", "replace", vip, "lladdr", mac, "dev", "eth0"];
            self.client.ip(&neighbour).unwrap();
        }
    }

    /// As hardened hosts are set.
    fn strict(&self) {
        let links = ["all", "default", "eth0", "eth1", "pod2", "pod3", "pod4", "lo"];
        for link in links {
            self.node.set(&format!("net.ipv4.conf.{link}.rp_filter"), "1").unwrap();
            self.node.set(&format!("net.ipv4.conf.{link}.src_valid_mark"), "1").unwrap();
        }
        nft(&self.node, RPFILTER);
    }

    /// The host forwards already, as routers do.
    pub(crate) fn forwarding(&self) {
        self.node.set("net.ipv4.ip_forward", "1").unwrap();
        self.node.set("net.ipv6.conf.all.forwarding", "1").unwrap();
    }

    pub(crate) fn options(&self) -> ForwardOptions {
        ForwardOptions { ip_forward: true, state_dir: self.state.clone(), ..Default::default() }
    }

    /// Pods, as the endpoints of `vip`'s family.
    pub(crate) fn endpoints(&self, vip: &str, port: u16) -> Vec<SocketAddr> {
        let prefix = if vip.contains(':') { "fd44::" } else { "10.244.0." };
        (2..5).map(|n| SocketAddr::new(ip(&format!("{prefix}{n}")), port)).collect()
    }

    /// Both vips of each kind, with TCP 80 and UDP 53 to all pods.
    pub(crate) fn everything(&self) -> Desired {
        let served = |vip| Served { address: ip(vip), listening: vec![LISTENING] };
        let forwarded = |vip| {
            let ports = vec![
                port(Protocol::Tcp, 80, self.endpoints(vip, 8080)),
                port(Protocol::Udp, 53, self.endpoints(vip, 5353)),
            ];
            forward(vip, ports)
        };
        Desired::new([SERVED4, SERVED6].map(served), [VIP4, VIP6].map(forwarded))
    }

    /// Servers of both transports and families in every pod.
    pub(crate) fn serve_pods(&self) {
        for (pod, number) in self.pods.iter().zip(2..) {
            for address in [format!("10.244.0.{number}"), format!("fd44::{number}")] {
                serve(pod, &format!("pod{number}"), &address, 8080, false);
                serve_udp(pod, &format!("pod{number}"), &address, 5353);
            }
        }
    }

    /// Everything on the node that we might leave behind.
    pub(crate) fn footprint(&self) -> String {
        // Stateless: how long elements have left changes by itself.
        let output = self.node.output("nft", &["-s", "list", "ruleset"]).unwrap();
        let mut all = String::from_utf8(output.stdout).unwrap();
        for family in ["-4", "-6"] {
            all.push_str(&self.node.ip(&[family, "rule"]).unwrap());
            all.push_str(&self.node.ip(&[family, "route", "show", "table", "all"]).unwrap());
            all.push_str(&self.node.ip(&[family, "addr", "show"]).unwrap());
        }
        all
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.state);
    }
}

fn address(host: &Namespace, link: &str, addresses: &[&str]) {
    for address in addresses {
        let mut arguments = vec!["addr", "add", address, "dev", link];
        if address.contains(':') {
            arguments.push("nodad");
        }
        host.ip(&arguments).unwrap();
    }
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn port(protocol: Protocol, port: u16, endpoints: Vec<SocketAddr>) -> ForwardedPort {
    ForwardedPort { protocol, port, endpoints }
}

pub(crate) fn forward(vip: &str, ports: Vec<ForwardedPort>) -> Forwarded {
    let service = NamespacedName { namespace: "default".into(), name: "first-service".into() };
    Forwarded { address: ip(vip), service, is_closed: false, ports }
}

pub(crate) fn nft(host: &Namespace, batch: &str) {
    let file = std::env::temp_dir().join(format!("{}.nft", host.name()));
    std::fs::write(&file, batch).unwrap();
    let output = host.output("nft", &["-f", file.to_str().unwrap()]).unwrap();
    let _ = std::fs::remove_file(&file);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs async `work` inside `host`; a forwarder started there belongs to it.
pub(crate) fn inside<T: Send>(host: &Namespace, work: impl Future<Output = T> + Send) -> T {
    host.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(work)
    })
    .unwrap()
}

pub(crate) fn start(net: &Net, options: ForwardOptions) -> Forwarder {
    inside(&net.node, Forwarder::start(options)).unwrap()
}

/// Everything that is desired is also this node's at once.
pub(crate) fn apply(net: &Net, forwarder: &Forwarder, desired: &Desired) -> Observed {
    let observed = inside(&net.node, forwarder.apply(desired));
    open(net, forwarder, desired);
    observed
}

/// The same, looking at nothing but what differs from what was desired last.
pub(crate) fn change(net: &Net, forwarder: &Forwarder, desired: &Desired) -> Observed {
    let observed = inside(&net.node, forwarder.change(desired));
    open(net, forwarder, desired);
    observed
}

fn open(net: &Net, forwarder: &Forwarder, desired: &Desired) {
    let served = desired.served.values().map(|it| it.address);
    let vips = served.chain(desired.forwarded.values().map(|it| it.address));
    let vips: Vec<IpAddr> = vips.collect();
    net.node.run(|| forwarder.intake().open(&vips)).unwrap();
}

/// How the one port of the one forwarded vip is carried.
pub(crate) fn carried(observed: &Observed, index: usize) -> &Carried {
    &observed.ports[index].carried
}

/// Serves TCP for as long as the test process runs: one line in, `NAME sees CLIENT` out.
pub(crate) fn serve(host: &Namespace, name: &str, address: &str, port: u16, transparent: bool) {
    use socket2::{Domain, Socket, Type};
    let name = name.to_owned();
    let at = SocketAddr::new(ip(address), port);
    let listener: TcpListener = host
        .run(|| {
            let socket = Socket::new(Domain::for_address(at), Type::STREAM, None).unwrap();
            match at {
                SocketAddr::V4(_) => socket.set_ip_transparent_v4(transparent).unwrap(),
                SocketAddr::V6(_) => socket.set_ip_transparent_v6(transparent).unwrap(),
            }
            socket.set_reuse_address(true).unwrap();
            socket.bind(&at.into()).unwrap();
            socket.listen(1024).unwrap();
            socket.into()
        })
        .unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let name = name.clone();
            std::thread::spawn(move || answer_lines(&stream, &name));
        }
    });
}

/// Serves TCP until the value is dropped: then the port refuses.
pub(crate) fn serve_until(host: &Namespace, name: &str, address: &str, port: u16) -> impl Drop {
    struct Stop(std::process::Child);
    impl Drop for Stop {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
    let script = format!(
        "import socketserver\nclass H(socketserver.StreamRequestHandler):\n def handle(s):\n  \
         s.rfile.readline(); s.wfile.write(b'{name} sees you\\n')\nsocketserver.TCPServer.\
         allow_reuse_address=True\nsocketserver.TCPServer(('{address}',{port}),H).serve_forever()"
    );
    let child = host.command("python3").args(["-c", &script]).spawn().unwrap();
    let stop = Stop(child);
    eventually("it serves", || connect(host, address, port).is_ok());
    stop
}

/// The name of who answers soon.
pub(crate) fn ask_soon(host: &Namespace, vip: &str) -> String {
    let at = SocketAddr::new(ip(vip), 80);
    let stream = host.run(|| TcpStream::connect_timeout(&at, Duration::from_millis(300))).unwrap();
    let answer = stream.and_then(|stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        exchange(&stream)
    });
    answer.unwrap_or_default().split(' ').next().unwrap_or_default().to_owned()
}

fn answer_lines(mut stream: &TcpStream, name: &str) {
    let Ok(peer) = stream.peer_addr() else { return };
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(_)) = lines.next() {
        if writeln!(stream, "{name} sees {}", peer.ip()).is_err() {
            return;
        }
    }
    let _ = write!(stream, "end");
}

pub(crate) fn serve_udp(host: &Namespace, name: &str, address: &str, port: u16) {
    let name = name.to_owned();
    let at = SocketAddr::new(ip(address), port);
    let socket = host.run(|| UdpSocket::bind(at).unwrap()).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((_, peer)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(format!("{name} sees {}", peer.ip()).as_bytes(), peer);
        }
    });
}

pub(crate) fn connect(host: &Namespace, vip: &str, port: u16) -> std::io::Result<TcpStream> {
    let at = SocketAddr::new(ip(vip), port);
    let stream = host.run(|| TcpStream::connect_timeout(&at, PATIENCE)).unwrap()?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// One line out, one line back.
pub(crate) fn exchange(mut stream: &TcpStream) -> std::io::Result<String> {
    stream.write_all(b"hello\n")?;
    let mut answer = String::new();
    let mut byte = [0];
    while unless_interrupted(|| stream.read(&mut byte))? == 1 && byte != *b"\n" {
        answer.push(byte[0].into());
    }
    Ok(answer)
}

/// A read with a time limit ends with a signal (a child's end), and is then begun again.
fn unless_interrupted<T>(mut call: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// A connection of its own, one line out, one line back; or the error's kind.
pub(crate) fn ask(host: &Namespace, vip: &str, port: u16) -> String {
    let answer = connect(host, vip, port).and_then(|stream| exchange(&stream));
    answer.unwrap_or_else(|error| error.kind().to_string())
}

pub(crate) fn udp_client(host: &Namespace, vip: &str, port: u16) -> UdpSocket {
    let any = if vip.contains(':') { "[::]:0" } else { "0.0.0.0:0" };
    host.run(|| {
        let socket = UdpSocket::bind(any).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        socket.connect(SocketAddr::new(ip(vip), port)).unwrap();
        socket
    })
    .unwrap()
}

pub(crate) fn ask_udp(socket: &UdpSocket) -> String {
    let mut buffer = [0; 2048];
    let answer = socket.send(b"hello");
    match answer.and_then(|_| unless_interrupted(|| socket.recv(&mut buffer))) {
        Ok(length) => String::from_utf8_lossy(&buffer[..length]).into_owned(),
        Err(error) => error.kind().to_string(),
    }
}

/// Compares what two footprints have; says only what differs.
pub(crate) fn assert_same(now: &str, want: &str, what: &str) {
    let lines = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    let (now, want) = (lines(now), lines(want));
    let more: Vec<&String> = now.iter().filter(|line| !want.contains(line)).collect();
    let less: Vec<&String> = want.iter().filter(|line| !now.contains(line)).collect();
    assert!(now == want, "{what}: too much {more:#?}, missing {less:#?}");
}

/// Waits until `condition` holds, bounded.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + 2 * PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
