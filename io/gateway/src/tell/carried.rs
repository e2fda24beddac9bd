//! What connections of TCP routes and sessions of UDP routes carry, as it goes.

use std::cell::Cell;
use std::ops::AddAssign;
use std::rc::Rc;

use steelyard_host::udp::Train;

/// Connections of TCP routes, and what they carry.
#[derive(Debug, Default)]
pub(super) struct TcpCount {
    pub(super) connections: u64,
    pub(super) carried: Rc<Carried>,
}

/// Counts of the same.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TcpTotals {
    pub(crate) connections: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

/// Bytes that went each way, as they go.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    pub(crate) up: Cell<u64>,
    pub(crate) down: Cell<u64>,
}

/// Sessions of UDP routes, and what they carry.
#[derive(Debug, Default)]
pub(super) struct UdpCount {
    pub(super) sessions: u64,
    pub(super) carried: Rc<CarriedDatagrams>,
}

/// Counts of the same.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct UdpTotals {
    pub(crate) sessions: u64,
    /// Datagrams, and bytes, from clients.
    pub(crate) came: (u64, u64),
    /// The same to them.
    pub(crate) went: (u64, u64),
}

/// What went each way, as it goes.
#[derive(Debug, Default)]
pub(crate) struct CarriedDatagrams {
    pub(crate) up: DatagramCount,
    pub(crate) down: DatagramCount,
}

/// Datagrams, and their bytes.
#[derive(Debug, Default)]
pub(crate) struct DatagramCount {
    datagrams: Cell<u64>,
    bytes: Cell<u64>,
}

impl TcpCount {
    pub(super) fn totals(&self) -> TcpTotals {
        let Carried { up, down } = &*self.carried;
        TcpTotals { connections: self.connections, bytes_in: up.get(), bytes_out: down.get() }
    }
}

impl DatagramCount {
    /// Counts a train.
    pub(crate) fn add(&self, train: &Train<'_>) {
        self.datagrams.set(self.datagrams.get() + train.count() as u64);
        self.bytes.set(self.bytes.get() + train.bytes.len() as u64);
    }

    fn get(&self) -> (u64, u64) {
        (self.datagrams.get(), self.bytes.get())
    }
}

impl UdpCount {
    pub(super) fn totals(&self) -> UdpTotals {
        let CarriedDatagrams { up, down } = &*self.carried;
        UdpTotals { sessions: self.sessions, came: up.get(), went: down.get() }
    }
}

impl AddAssign for UdpTotals {
    fn add_assign(&mut self, other: Self) {
        self.sessions += other.sessions;
        for (sum, more) in [(&mut self.came, other.came), (&mut self.went, other.went)] {
            *sum = (sum.0 + more.0, sum.1 + more.1);
        }
    }
}

impl AddAssign for TcpTotals {
    fn add_assign(&mut self, other: Self) {
        self.connections += other.connections;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
    }
}
