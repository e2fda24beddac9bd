//! What is asked of the proxies, and what it may cost.

use clap::ValueEnum;

use crate::peer::{HOST, HTTP2_HOST};

/// One kind of load, which can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Workload {
    /// Small answers over 64 connections
    Small,
    /// Small answers over 1,000 connections
    Many,
    /// Answers of 16 KiB
    Medium,
    /// Answers of 1 MiB
    Large,
    /// A new connection for each request
    Fresh,
    /// Small answers over 16 connections of HTTP/2, 16 streams each
    Http2,
    /// Small answers over 64 connections, from a backend that speaks HTTP/2
    Http2Backend,
    /// 100,000 routes, asked for at random
    Routes,
    /// How long the slowest of a hundred takes, at four fifths of the own maximum
    Pace,
    /// Memory of connections that wait, and of those that were
    Memory,
}

/// What the generator does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) connections: u32,
    pub(super) path: &'static str,
    /// Whom the requests are for: it says which backend answers.
    pub(super) host: &'static str,
    /// Streams of each connection, by HTTP/2.
    pub(super) streams: Option<u32>,
    /// A new connection for each request.
    pub(super) is_fresh: bool,
    /// So many hosts are asked for, at random; none: always the same.
    pub(super) hosts: u32,
    /// Requests in a second; as many as are answered where there is none.
    pub(super) rate: Option<f64>,
}

impl Workload {
    /// All of them, in the order of their rows.
    pub(super) const ALL: [Self; 10] = [
        Self::Small,
        Self::Many,
        Self::Medium,
        Self::Large,
        Self::Fresh,
        Self::Http2,
        Self::Http2Backend,
        Self::Routes,
        Self::Pace,
        Self::Memory,
    ];

    /// How its rows begin.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Small => "small answers, 64 connections",
            Self::Many => "small answers, 1,000 connections",
            Self::Medium => "16 KiB answers, 64 connections",
            Self::Large => "1 MiB answers, 8 connections",
            Self::Fresh => "a new connection per request",
            Self::Http2 => "HTTP/2 from clients, 16 connections of 16 streams",
            Self::Http2Backend => "HTTP/2 to the backend, 64 connections",
            Self::Routes => "100,000 routes, asked at random",
            Self::Pace => "p99 at 80 % of the own maximum",
            Self::Memory => "memory",
        }
    }

    pub(super) fn load(self) -> Load {
        let small = Load {
            connections: 64,
            path: "/s",
            host: HOST,
            streams: None,
            is_fresh: false,
            hosts: 0,
            rate: None,
        };
        match self {
            Self::Small | Self::Routes | Self::Pace | Self::Memory => small,
            Self::Many => Load { connections: 1000, ..small },
            Self::Medium => Load { path: "/m", ..small },
            Self::Large => Load { path: "/l", connections: 8, ..small },
            Self::Fresh => Load { is_fresh: true, ..small },
            Self::Http2 => Load { connections: 16, streams: Some(16), ..small },
            Self::Http2Backend => Load { host: HTTP2_HOST, ..small },
        }
    }

    /// What the ratio of CPU to a peer's is to be at most; none where they are not compared.
    pub(super) fn goal(self, peer: &str) -> Option<f64> {
        Some(match (self, peer) {
            (Self::Small | Self::Many, "f_epoll") => 1.2,
            (Self::Small, "d_feat") => 1.1,
            (Self::Many, "d_feat") => 1.12,
            (Self::Small, "nginx" | "caddy") => 0.7,
            (Self::Small, "haproxy") => 0.75,
            (Self::Many, "nginx" | "haproxy" | "caddy") => 0.6,
            (Self::Medium, "nginx" | "haproxy") => 0.8,
            (Self::Large | Self::Fresh, "nginx" | "haproxy") => 0.9,
            (Self::Fresh, "f_epoll") => 1.05,
            (Self::Http2, "nginx") => 0.55,
            (Self::Http2 | Self::Http2Backend, "haproxy") => 0.8,
            _ => return None,
        })
    }
}

impl Workload {
    /// Whether `peer` is asked for it: the sketches speak HTTP/1, and nginx does to its backends;
    /// Caddy takes so much more that two rows tell it all.
    pub(super) fn concerns(self, peer: &str) -> bool {
        match self {
            Self::Small | Self::Many => true,
            Self::Http2 => ["steelyard", "nginx", "haproxy"].contains(&peer),
            Self::Http2Backend => ["steelyard", "haproxy"].contains(&peer),
            _ => peer != "caddy",
        }
    }
}
