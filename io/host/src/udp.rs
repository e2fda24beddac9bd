//! UDP sockets that carry many datagrams per system call, and answer from the address that was
//! asked.
//!
//! What comes of one sender in a row may come as one [`Train`]: datagrams of one size, and a last
//! one that may be shorter. The kernel makes such trains where it can (`UDP_GRO`, Linux 5.0) and
//! takes them apart on their way out (`UDP_SEGMENT`, Linux 4.18); where it does not, each is one.
#![allow(unsafe_code, reason = "recvmmsg and sendmmsg take structures of C")]

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;

use libc::{c_int, cmsghdr, iovec, mmsghdr, msghdr, sockaddr_storage};
use socket2::SockRef;

use crate::socket::set_option;

/// Most trains that are taken at a time.
const TRAINS: usize = TRAINS_OF_C as usize;

/// The same as the kernel takes it.
const TRAINS_OF_C: u32 = 16;

/// The longest train, in bytes: no datagram is longer, and the kernel joins no more.
const LONGEST: usize = 65_536;

/// The longest train that leaves as one: as long as a datagram of IPv4 may be.
const MOST_BYTES: usize = 65_507;

/// The kernel takes no more datagrams apart (`UDP_MAX_SEGMENTS`).
const MOST_IN_A_TRAIN: usize = 64;

/// Room for what the kernel says beside a datagram: an address and a size, or both addresses.
const CONTROL: usize = 128;

/// Room for what comes. One for all sockets of a thread: it takes a mebibyte where long trains
/// come.
#[derive(Debug)]
pub struct Inbox {
    room: Vec<u8>,
    came: Vec<Came>,
    was_full: bool,
}

/// A train by where it lies.
#[derive(Clone, Copy, Debug)]
struct Came {
    /// Where it begins in the room.
    at: usize,
    length: usize,
    size: usize,
    from: SocketAddr,
    to: Option<IpAddr>,
}

/// Datagrams of one sender, one behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Train<'a> {
    /// All of them.
    pub bytes: &'a [u8],
    /// How long each is but the last, in bytes; of one alone its length.
    pub size: usize,
    /// Who sent them.
    pub from: SocketAddr,
    /// The address that they were sent to, where the socket tells.
    pub to: Option<IpAddr>,
}

#[repr(C, align(8))]
struct Control([u8; CONTROL]);

impl Default for Inbox {
    fn default() -> Self {
        Self { room: vec![0; TRAINS * LONGEST], came: Vec::with_capacity(TRAINS), was_full: false }
    }
}

/// Has a socket take trains, and tell the address that each was sent to if that is wanted.
pub fn prepare(socket: &impl AsFd, tells_address: bool) -> io::Result<()> {
    let socket = SockRef::from(socket);
    let is_v6 = socket.domain()? == socket2::Domain::IPV6;
    if tells_address {
        let (level, name) = match is_v6 {
            true => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
            false => (libc::IPPROTO_IP, libc::IP_PKTINFO),
        };
        set_option::<c_int>(&socket, level, name, &1)?;
    }
    // Older kernels have none; then each datagram comes by itself.
    let _ = set_option::<c_int>(&socket, libc::SOL_UDP, libc::UDP_GRO, &1);
    Ok(())
}

impl Inbox {
    /// Takes what has come to a socket, without waiting; how many trains. What one sender has sent
    /// in a row becomes one train also where the kernel has made none.
    pub fn receive(&mut self, socket: &impl AsFd) -> io::Result<usize> {
        self.came.clear();
        let mut names = [const { MaybeUninit::<sockaddr_storage>::zeroed() }; TRAINS];
        let mut controls = [const { Control([0; CONTROL]) }; TRAINS];
        let mut pieces = [const { MaybeUninit::<iovec>::zeroed() }; TRAINS];
        let mut heads = [const { MaybeUninit::<mmsghdr>::zeroed() }; TRAINS];
        let rooms = self.room.chunks_exact_mut(LONGEST);
        for (at, room) in rooms.enumerate() {
            let piece = iovec { iov_base: room.as_mut_ptr().cast(), iov_len: LONGEST };
            let piece = pieces[at].write(piece);
            // SAFETY: all bits zero are a `mmsghdr`: pointers to nothing, and lengths of it.
            let head = unsafe { heads[at].assume_init_mut() };
            head.msg_hdr.msg_name = names[at].as_mut_ptr().cast();
            head.msg_hdr.msg_namelen = length_of::<sockaddr_storage>();
            head.msg_hdr.msg_iov = piece;
            head.msg_hdr.msg_iovlen = 1;
            head.msg_hdr.msg_control = controls[at].0.as_mut_ptr().cast();
            // Widths of lengths and flags differ between C libraries.
            head.msg_hdr.msg_controllen = CONTROL as _;
        }
        // SAFETY: the descriptor is open while `socket` is borrowed; each of the `TRAINS` heads
        // points to a name, a piece of the room and a control that live longer than the call and
        // are as long as it says.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_fd().as_raw_fd(),
                heads.as_mut_ptr().cast(),
                TRAINS_OF_C,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        self.was_full = count == TRAINS;
        for (at, (head, name)) in heads.iter().zip(&names).take(count).enumerate() {
            // SAFETY: it was written above, and the kernel filled it in.
            let head = unsafe { head.assume_init_ref() };
            // SAFETY: all bits zero are a `sockaddr_storage`, and the kernel filled it in.
            let from = address(unsafe { name.assume_init_ref() });
            let length = head.msg_len as usize;
            let (to, size) = said(&head.msg_hdr);
            let size = size.filter(|size| *size > 0).unwrap_or(length).min(length);
            // What says nothing of where it is from is kept in its place all the same.
            let from = from.unwrap_or_else(|| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
            self.take(Came { at: at * LONGEST, length, size, from, to });
        }
        Ok(self.came.len())
    }

    /// Whether there may be more than there was room for.
    pub fn was_full(&self) -> bool {
        self.was_full
    }

    /// Joins what goes on as the one before it did.
    fn take(&mut self, came: Came) {
        if let Some(last) = self.came.last_mut()
            && last.goes_on_with(&came)
        {
            let end = last.at + last.length;
            self.room.copy_within(came.at..came.at + came.length, end);
            last.length += came.length;
        } else {
            self.came.push(came);
        }
    }

    /// What came last.
    pub fn trains(&self) -> impl Iterator<Item = Train<'_>> {
        self.came.iter().map(|came| {
            let Came { at, length, size, from, to } = *came;
            Train { bytes: &self.room[at..at + length], size, from, to }
        })
    }
}

impl Came {
    /// Whether another one is more of the same: none before the last datagram is a short one.
    fn goes_on_with(&self, next: &Self) -> bool {
        let count = (self.length + next.length).div_ceil(self.size.max(1));
        self.size > 0
            && next.length > 0
            && self.length.is_multiple_of(self.size)
            && (next.size == self.size || next.length < self.size)
            && (self.from, self.to) == (next.from, next.to)
            && self.length + next.length <= MOST_BYTES
            && count <= MOST_IN_A_TRAIN
    }
}

impl Train<'_> {
    /// How many datagrams there are.
    pub fn count(&self) -> usize {
        self.bytes.len().div_ceil(self.size.max(1)).max(1)
    }

    /// Sends them on: to `to`, or to whom the socket is connected to; from the address `from` of
    /// this host, or as the kernel chooses. Where a train cannot go as one, each goes by itself.
    ///
    /// # Errors
    /// What the socket says of the first datagram that it does not take; those after it are lost.
    pub fn send(
        &self,
        socket: &impl AsFd,
        to: Option<SocketAddr>,
        from: Option<IpAddr>,
    ) -> io::Result<()> {
        if self.count() > 1 && self.count() <= MOST_IN_A_TRAIN {
            match send(socket, (self.bytes, self.size), to, from) {
                // Too long for the way it goes, or nobody there computes checksums for it.
                Err(error) if is_of_trains(&error) => {}
                sent => return sent,
            }
        }
        if self.bytes.is_empty() {
            return send(socket, (self.bytes, 0), to, from);
        }
        let mut datagrams = self.bytes.chunks(self.size);
        datagrams.try_for_each(|one| send(socket, (one, one.len()), to, from))
    }
}

fn is_of_trains(error: &io::Error) -> bool {
    let own = [libc::EIO, libc::EINVAL, libc::EMSGSIZE, libc::EOPNOTSUPP];
    error.raw_os_error().is_some_and(|code| own.contains(&code))
}

fn send(
    socket: &impl AsFd,
    (bytes, size): (&[u8], usize),
    to: Option<SocketAddr>,
    from: Option<IpAddr>,
) -> io::Result<()> {
    let to = to.map(socket2::SockAddr::from);
    let mut control = Control([0; CONTROL]);
    let mut piece = iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: all bits zero are a `msghdr`: pointers to nothing, and lengths of it.
    let mut head: msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    head.msg_iov = &raw mut piece;
    head.msg_iovlen = 1;
    if let Some(to) = &to {
        head.msg_name = to.as_ptr().cast_mut().cast();
        head.msg_namelen = to.len();
    }
    let mut said = Saying { control: &mut control, length: 0 };
    match from {
        Some(IpAddr::V4(from)) => {
            let source = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(from.octets()) },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            said.say(libc::IPPROTO_IP, libc::IP_PKTINFO, source);
        }
        Some(IpAddr::V6(from)) => {
            let ipi6_addr = libc::in6_addr { s6_addr: from.octets() };
            let source = libc::in6_pktinfo { ipi6_addr, ipi6_ifindex: 0 };
            said.say(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, source);
        }
        None => {}
    }
    if let (true, Ok(size)) = (bytes.len() > size, u16::try_from(size)) {
        said.say(libc::SOL_UDP, libc::UDP_SEGMENT, size);
    }
    let length = said.length;
    if length > 0 {
        head.msg_control = control.0.as_mut_ptr().cast();
        head.msg_controllen = length as _;
    }
    // SAFETY: the descriptor is open while `socket` is borrowed; name, piece and control live
    // longer than the call, are as long as it says, and are only read.
    let sent = unsafe {
        libc::sendmsg(
            socket.as_fd().as_raw_fd(),
            &raw const head,
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
        )
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What is said beside a datagram, as it is put together.
struct Saying<'c> {
    control: &'c mut Control,
    length: usize,
}

impl Saying<'_> {
    fn say<T: Copy>(&mut self, level: c_int, kind: c_int, value: T) {
        // SAFETY: these compute sizes, and touch nothing.
        let (whole, space) = unsafe {
            (libc::CMSG_LEN(length_of::<T>()), libc::CMSG_SPACE(length_of::<T>()) as usize)
        };
        assert!(self.length + space <= CONTROL, "there is room for both that are said");
        let at = self.control.0[self.length..].as_mut_ptr();
        // SAFETY: all bits zero are a `cmsghdr`, which has more fields in some C libraries.
        let mut head: cmsghdr = unsafe { MaybeUninit::zeroed().assume_init() };
        (head.cmsg_len, head.cmsg_level, head.cmsg_type) = (whole as _, level, kind);
        // SAFETY: `space` bytes from `at` are within the control, as was just asserted: the head,
        // and behind it, where `CMSG_DATA` points, the value.
        unsafe {
            ptr::write_unaligned(at.cast(), head);
            ptr::write_unaligned(libc::CMSG_DATA(at.cast()).cast(), value);
        }
        self.length += space;
    }
}

/// What the kernel says beside a datagram: where it was sent to, and the size of each in a train.
fn said(head: &msghdr) -> (Option<IpAddr>, Option<usize>) {
    let (mut to, mut size) = (None, None);
    // SAFETY: the kernel has filled in the control that `head` points to, and its length.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(head) };
    while !next.is_null() {
        // SAFETY: `next` is a whole head within the control, and behind it lies a value of the
        // type that its level and kind name.
        unsafe {
            let value = libc::CMSG_DATA(next);
            match ((*next).cmsg_level, (*next).cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let found: libc::in_pktinfo = ptr::read_unaligned(value.cast());
                    to = Some(Ipv4Addr::from(found.ipi_addr.s_addr.to_ne_bytes()).into());
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let found: libc::in6_pktinfo = ptr::read_unaligned(value.cast());
                    to = Some(Ipv6Addr::from(found.ipi6_addr.s6_addr).into());
                }
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    let found: c_int = ptr::read_unaligned(value.cast());
                    size = usize::try_from(found).ok();
                }
                _ => {}
            }
            next = libc::CMSG_NXTHDR(head, next);
        }
    }
    (to, size)
}

fn address(name: &sockaddr_storage) -> Option<SocketAddr> {
    let at = (&raw const *name).cast::<u8>();
    match c_int::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: by its family it is one, and it is as large as any address.
            let v4: libc::sockaddr_in = unsafe { ptr::read_unaligned(at.cast()) };
            let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: by its family it is one, and it is as large as any address.
            let v6: libc::sockaddr_in6 = unsafe { ptr::read_unaligned(at.cast()) };
            let (ip, port) = (Ipv6Addr::from(v6.sin6_addr.s6_addr), u16::from_be(v6.sin6_port));
            Some(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}

fn length_of<T>() -> u32 {
    u32::try_from(size_of::<T>()).expect("structures of C are small")
}

#[cfg(test)]
mod tests;
