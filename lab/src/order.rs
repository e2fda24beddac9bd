//! What can be done to the nodes of a running laboratory.

use clap::{Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

const CUT_EXAMPLES: &str = "\
Examples:
  sudo steelyard lab cut worker-1                  carrier lost, as by a pulled plug
  sudo steelyard lab cut worker-1 --one-way out    it hears, and is not heard
  sudo steelyard lab cut worker-1 --heartbeats     the others think it dead; it is not
  sudo steelyard lab cut worker-1 --heartbeats --one-way in
                                                   it hears no heartbeats, and is heard
  sudo steelyard lab heal";

/// What can be done to the nodes.
#[derive(Subcommand, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Kill a node's `steelyard up` at once (SIGKILL)
    Kill {
        /// The node
        node: String,
    },
    /// Stop a node's `steelyard up` in its tracks (SIGSTOP): it holds everything, does nothing
    Stop {
        /// The node
        node: String,
    },
    /// Let a stopped node go on (SIGCONT)
    Cont {
        /// The node
        node: String,
    },
    /// Let a node hand over what it owns, and end (SIGTERM)
    Leave {
        /// The node
        node: String,
    },
    /// Pull nodes' plugs, or only drop some of what passes
    #[command(after_help = CUT_EXAMPLES)]
    Cut {
        /// The nodes, each from everybody
        #[arg(required = true, value_name = "NODE")]
        nodes: Vec<String>,
        /// Drop one direction only: what comes in to the node, or what goes out
        #[arg(long, value_enum, value_name = "WAY")]
        one_way: Option<WireSide>,
        /// Drop heartbeats only (UDP 9181); the rest of the LAN is intact
        #[arg(long)]
        heartbeats: bool,
    },
    /// Let these nodes hear only each other, and the others (with client and router) only
    /// themselves
    Partition {
        /// The nodes on the far side
        #[arg(required = true, value_name = "NODE")]
        nodes: Vec<String>,
    },
    /// Lose some of the frames of a node, in and out
    Loss {
        /// The node
        node: String,
        /// Of all frames; 0 ends it
        #[arg(value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
        percent: u8,
    },
    /// Undo everything that was done to nodes: wires, stops, and those that ended start again
    Heal {
        /// The nodes [default: all]
        #[arg(value_name = "NODE")]
        nodes: Vec<String>,
    },
}

/// A direction of a wire, as seen from the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WireSide {
    /// What comes in
    In,
    /// What goes out
    Out,
}
