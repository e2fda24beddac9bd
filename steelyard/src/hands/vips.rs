//! Vips that this node answers for, or may: what the speaker is told, kept in step with the plan.
//!
//! One that stayed as it was is the same value as before, so that of many vips the few that an
//! edit concerns are found, and told, at little cost.

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::Sorted;
use steelyard_plan::{Announce, NodePlan, Share};
use steelyard_speaker::Vip;

/// Those of the last plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vips {
    /// All of them, also those behind which nothing works.
    all: Sorted<IpAddr, Arc<Vip>>,
    announce: Sorted<IpAddr, Announce>,
    share: Sorted<IpAddr, Share>,
}

impl Vips {
    /// Takes over those of `node`; where several nodes settle among themselves who has which,
    /// those that this one may have. Returns what is gone, or is answered for elsewhere: that has
    /// to end before anything else begins.
    pub(crate) fn follow(&mut self, node: &NodePlan, is_shared: bool) -> Vec<IpAddr> {
        let before = self.all.clone();
        let changes: Vec<(IpAddr, Option<Arc<Vip>>)> = if is_shared {
            let differing = node.share.differing(&self.share);
            differing.into_iter().map(|it| (*it, node.share.get(it).map(shared))).collect()
        } else {
            let differing = node.announce.differing(&self.announce);
            differing.into_iter().map(|it| (*it, node.announce.get(it).map(alone))).collect()
        };
        (self.announce, self.share) = (node.announce.clone(), node.share.clone());
        let moved = |(address, vip): &(IpAddr, Option<Arc<Vip>>)| {
            let before = before.get(address)?;
            let stays = vip.as_ref().is_some_and(|vip| vip.interfaces == before.interfaces);
            (!stays).then_some(*address)
        };
        let moved = changes.iter().filter_map(moved).collect();
        self.all.change(changes);
        moved
    }

    /// Those that `is_wanted` wants, in order.
    pub(crate) fn filtered(&self, is_wanted: impl Fn(&IpAddr) -> bool) -> Vec<Arc<Vip>> {
        let wanted = self.all.iter().filter(|(address, _)| is_wanted(address));
        wanted.map(|(_, vip)| Arc::clone(vip)).collect()
    }

    /// Whether it is one of them.
    pub(crate) fn contains(&self, vip: IpAddr) -> bool {
        self.all.contains_key(&vip)
    }

    /// All of them, in order.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.all.keys().copied()
    }
}

fn alone(vip: &Announce) -> Arc<Vip> {
    let (address, interfaces) = (vip.address, vip.interfaces.clone());
    Arc::new(Vip { address, interfaces, candidates: Arc::default() })
}

fn shared(vip: &Share) -> Arc<Vip> {
    let (address, interfaces) = (vip.address, vip.interfaces.clone());
    Arc::new(Vip { address, interfaces, candidates: vip.candidates.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(vips: &[(&str, &str)]) -> NodePlan {
        let announce = |(address, interface): &(&str, &str)| {
            let address: IpAddr = address.parse().unwrap();
            let interfaces = vec![(*interface).to_owned()];
            let service = steelyard_model::NamespacedName::new("default", "web");
            (address, Announce { address, service, interfaces })
        };
        let announce = vips.iter().map(announce).collect();
        NodePlan { announce, ..NodePlan::default() }
    }

    #[test]
    fn what_is_gone_or_elsewhere_is_told_and_the_rest_is_the_same_value() {
        let mut vips = Vips::default();
        let nothing: [IpAddr; 0] = [];
        assert_eq!(vips.follow(&node(&[("10.0.0.1", "a"), ("10.0.0.2", "a")]), false), nothing);
        let first = vips.filtered(|_| true);
        let changed = node(&[("10.0.0.1", "a"), ("10.0.0.2", "b"), ("10.0.0.3", "a")]);
        let moved: IpAddr = "10.0.0.2".parse().unwrap();
        assert_eq!(vips.follow(&changed, false), [moved]);
        let second = vips.filtered(|_| true);
        assert!(Arc::ptr_eq(&first[0], &second[0]));
        assert_eq!(second[1].interfaces, ["b"]);
        let gone: Vec<IpAddr> = second.iter().map(|it| it.address).collect();
        assert_eq!(vips.follow(&NodePlan::default(), false), gone);
        assert_eq!(vips.addresses().count(), 0);
    }
}
