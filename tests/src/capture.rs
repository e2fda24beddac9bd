//! Who said "this address is mine" on a LAN, in the order in which a host heard it.
//!
//! A [`Capture`] hears on one host's `eth0`, from its start to its end, every ARP packet and
//! neighbor advertisement. It reads them by itself, not with the codec under test: a sender
//! protocol address in ARP (RFC 826), the target of an advertisement (RFC 4861 §4.4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use steelyard_host::links;
use steelyard_host::netns::Namespace;
use steelyard_host::packet::PacketSocket;

/// How often it looks whether it shall end.
const GLANCE: Duration = Duration::from_millis(50);
const ARP: [u8; 2] = [0x08, 0x06];
const IPV6: [u8; 2] = [0x86, 0xdd];
const ICMPV6: u8 = 58;
const ADVERTISEMENT: u8 = 136;

/// A frame that said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When it was read.
    pub at: SystemTime,
    /// The address.
    pub address: IpAddr,
    /// The hardware address that is to be believed to have it.
    pub mac: String,
}

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Capture {
    heard: Arc<Mutex<Vec<Frame>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Capture {
    /// Listens in this namespace; returns once it does.
    pub fn start(namespace: &str) -> Result<Self> {
        let namespace = Namespace::existing(namespace)?;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let (ready, is_ready) = mpsc::channel();
        let (to, over) = (Arc::clone(&heard), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || namespace.run(|| listen(&to, &over, &ready))?);
        let capture = Self { heard, is_over, thread: Some(thread) };
        is_ready.recv().context("the capture does not start")?;
        Ok(capture)
    }

    /// All that was heard so far, in order.
    pub fn heard(&self) -> Vec<Frame> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Says once on the `eth0` of a namespace that `address` is there (a gratuitous ARP request), as a
/// host would that knows no better.
pub fn claim_by_arp(namespace: &str, address: Ipv4Addr) -> Result<()> {
    ask_by_arp(namespace, address, &[address], Duration::ZERO, 1).map(drop)
}

/// Asks on the `eth0` of a namespace who has each of `wanted`, as the host at `own`, so many times
/// with a pause after each; when that was.
pub fn ask_by_arp(
    namespace: &str,
    own: Ipv4Addr,
    wanted: &[Ipv4Addr],
    pause: Duration,
    times: usize,
) -> Result<Vec<SystemTime>> {
    Namespace::existing(namespace)?.run(|| {
        let links = links::list()?;
        let link = links.iter().find(|link| link.name == "eth0").context("no eth0")?;
        let mac = link.mac.context("eth0 has no hardware address")?;
        let fixed = [0, 1, 8, 0, 6, 4, 0, 1];
        let question = |address: &Ipv4Addr| {
            let (own, address) = (own.octets(), address.octets());
            let parts: [&[u8]; 8] = [&[0xff; 6], &mac, &ARP, &fixed, &mac, &own, &[0; 6], &address];
            parts.concat()
        };
        let questions: Vec<Vec<u8>> = wanted.iter().map(question).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let socket = PacketSocket::open(link.index)?;
            let mut asked = Vec::new();
            for _ in 0..times {
                asked.push(SystemTime::now());
                for frame in &questions {
                    std::future::poll_fn(|context| socket.poll_send(context, frame)).await?;
                }
                tokio::time::sleep(pause).await;
            }
            Ok(asked)
        })
    })?
}

fn listen(heard: &Mutex<Vec<Frame>>, is_over: &AtomicBool, ready: &mpsc::Sender<()>) -> Result<()> {
    let links = links::list()?;
    let link = links.iter().find(|link| link.name == "eth0").context("no eth0")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let socket = PacketSocket::open(link.index)?;
        ready.send(())?;
        let mut frame = [0; 2048];
        while !is_over.load(Ordering::Relaxed) {
            let received = tokio::time::timeout(GLANCE, socket.receive(&mut frame)).await;
            let Ok(Ok(length)) = received else { continue };
            if let Some((address, mac)) = claim(&frame[..length]) {
                let frame = Frame { at: SystemTime::now(), address, mac };
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(frame);
            }
        }
        Ok(())
    })
}

/// The address that a frame claims, and for which hardware address.
fn claim(frame: &[u8]) -> Option<(IpAddr, String)> {
    let kind = frame.get(12..14)?;
    if kind == ARP {
        let address: [u8; 4] = frame.get(28..32)?.try_into().ok()?;
        let address = Ipv4Addr::from(address);
        return (!address.is_unspecified()).then_some((address.into(), mac(frame.get(22..28)?)));
    }
    let is_advertisement =
        kind == IPV6 && frame.get(20) == Some(&ICMPV6) && frame.get(54) == Some(&ADVERTISEMENT);
    let target: [u8; 16] = frame.get(62..78)?.try_into().ok()?;
    is_advertisement.then_some((Ipv6Addr::from(target).into(), mac(frame.get(6..12)?)))
}

fn mac(bytes: &[u8]) -> String {
    let parts: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    parts.join(":")
}
