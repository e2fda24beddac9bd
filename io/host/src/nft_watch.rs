//! Notices what other programs do to the kernel's packet filter.
//!
//! The kernel tells of each change and of the end of each transaction, with the netlink port of
//! whoever asked for it; so what we did ourselves is told apart. Reading costs what changed, never
//! what there is. What cannot be read is passed over. Message layout: linux/netfilter/nf_tables.h.
#![allow(unsafe_code, reason = "libc's netlink address has private padding")]

use std::collections::BTreeSet;
use std::io::{self, Read};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::unix::AsyncFd;

use crate::netlink::{self, attributes};
use crate::socket;

/// Watches the packet filter of the namespace it was opened in.
#[derive(Debug)]
pub struct NftWatch {
    socket: AsyncFd<Socket>,
    /// The table, of any family, that is watched.
    table: Vec<u8>,
    /// Ports of netlink that we changed something through.
    own: BTreeSet<u32>,
    /// A transaction whose end was not read yet touched the table.
    open: bool,
    buffer: Vec<u8>,
}

/// What others did since the last time.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Strangers {
    /// They changed something, somewhere.
    pub changed: bool,
    /// They changed the table that is watched; the programs, as far as they are known.
    pub touched: Option<BTreeSet<String>>,
    /// They changed more than could be followed: the table may be touched.
    pub lost: bool,
}

impl Strangers {
    /// Adds what they did later.
    pub fn merge(&mut self, later: Self) {
        self.changed |= later.changed;
        self.lost |= later.lost;
        if let Some(programs) = later.touched {
            self.touched.get_or_insert_default().extend(programs);
        }
    }
}

const SUBSYSTEM: u16 = 10;
const NEW_GENERATION: u16 = (SUBSYSTEM << 8) | 15;
/// In messages about tables, chains, rules, sets, elements and objects alike.
const TABLE_NAME: u16 = 1;
const GENERATION_BY: u16 = 3;
const FAMILY_HEADER: usize = 4;
/// `NFNLGRP_NFTABLES` as a mask.
const GROUP: u32 = 1 << 6;
const RECEIVE_BUFFER: i32 = 1024 * 1024;
const BUFFER: usize = 64 * 1024;

impl NftWatch {
    /// Starts to watch tables called `table`. Must be called on a thread that runs a tokio
    /// runtime; wants CAP_NET_ADMIN.
    pub fn open(table: &str) -> io::Result<Self> {
        let protocol = Some(Protocol::from(libc::NETLINK_NETFILTER));
        let kind = Type::RAW.nonblocking();
        let socket = Socket::new(Domain::from(libc::AF_NETLINK), kind, protocol)?;
        // Less will do, too.
        let size = &RECEIVE_BUFFER;
        let _ = socket::set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, size);
        socket.bind(&changes())?;
        let table = [table.as_bytes(), &[0]].concat();
        let (own, buffer) = (BTreeSet::new(), vec![0; BUFFER]);
        Ok(Self { socket: socket::register(socket)?, table, own, open: false, buffer })
    }

    /// What comes through this port of netlink is ours.
    pub fn is_own(&mut self, port: u32) {
        self.own.insert(port);
    }

    /// From now on it is anybody's again: the kernel gives ports away anew.
    pub fn is_anybodys(&mut self, port: u32) {
        self.own.remove(&port);
    }

    /// Waits until there is something to read. Nothing is lost when the wait is given up.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await.map(|mut ready| ready.retain_ready())
    }

    /// Reads all that there is.
    pub fn read(&mut self) -> io::Result<Strangers> {
        let mut strangers = Strangers::default();
        loop {
            match self.socket.try_io(tokio::io::Interest::READABLE, |it| {
                let mut reader = it;
                reader.read(&mut self.buffer)
            }) {
                Ok(length) => self.note(length, &mut strangers),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(strangers),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    (strangers.changed, strangers.lost) = (true, true);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn note(&mut self, length: usize, strangers: &mut Strangers) {
        for (kind, port, body) in netlink::events(&self.buffer[..length]) {
            if self.own.contains(&port) {
                self.open = false;
                continue;
            }
            strangers.changed = true;
            let told = || attributes(body.get(FAMILY_HEADER..).unwrap_or_default());
            if kind == NEW_GENERATION {
                if std::mem::take(&mut self.open) {
                    let by = told().find(|it| it.kind == GENERATION_BY);
                    let name = by.map(|it| String::from_utf8_lossy(it.value).into_owned());
                    let name = name.map(|it| it.trim_end_matches('\0').to_owned());
                    strangers.touched.get_or_insert_default().extend(name);
                }
            } else {
                let table = told().find(|it| it.kind == TABLE_NAME);
                self.open |= table.is_some_and(|it| it.value == self.table);
            }
        }
    }
}

/// The address of those who want to know of changes to the packet filter.
fn changes() -> SockAddr {
    // SAFETY: no field of it is a reference or an enum; all zeros is a valid value.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = u16::try_from(libc::AF_NETLINK).expect("families are small");
    address.nl_groups = GROUP;
    socket::address(address)
}

#[cfg(test)]
mod tests;
