//! What everything in the laboratory is called.

use steelyard_tests::lab::Lab;

/// The nodes.
pub(super) const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];
/// What the client asks for.
pub(super) const VIP: &str = "10.1.1.100";
/// Value of the `Host` field.
pub(super) const HOST: &str = "app.example.com";

/// The namespace of a node.
pub(super) fn namespace(lab: &Lab, node: &str) -> String {
    lab.namespace(&format!("node-{node}"))
}
