//! Who said "this address is mine" on a LAN, in the order in which a host heard it.
//!
//! A [`Capture`] hears on one host's `eth0`, from its start to its end, every ARP packet and
//! neighbor advertisement. It reads them by itself, not with the codec under test: a sender
//! protocol address in ARP (RFC 826), the target of an advertisement (RFC 4861 §4.4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

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

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Capture {
    heard: Arc<Mutex<Vec<(IpAddr, String)>>>,
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

    /// The hardware addresses that claimed `address`, each change once.
    pub fn claimants(&self, address: IpAddr) -> Vec<String> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let macs = heard.iter().filter(|(claimed, _)| *claimed == address);
        let mut macs: Vec<String> = macs.map(|(_, mac)| mac.clone()).collect();
        macs.dedup();
        macs
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

fn listen(
    heard: &Mutex<Vec<(IpAddr, String)>>,
    is_over: &AtomicBool,
    ready: &mpsc::Sender<()>,
) -> Result<()> {
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
            if let Some(claim) = claim(&frame[..length]) {
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(claim);
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
