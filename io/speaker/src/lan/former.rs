//! What the speaker wants of whoever handles packets: those of flows that began at a vip's former
//! owner are to reach it.

use std::fmt::Debug;
use std::net::IpAddr;

use steelyard_membership::Output;

/// A vip that was handed to this node, whose older flows are at the node that had it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Former {
    /// The vip.
    pub vip: IpAddr,
    /// That node's address on the segment, of the same family.
    pub address: IpAddr,
    /// The interface to the segment, by number.
    pub link: u32,
}

/// Handles packets. Called on the speaker's thread, before anybody is told of the change: it must
/// return at once, with what it was told in force.
pub trait Formers: Debug + Send + Sync {
    /// From now on packets that belong to no flow known here go to these nodes.
    fn pass(&self, all: &[Former]);
    /// From now on those of these vips go to nobody.
    fn forget(&self, vips: &[IpAddr]);
}

/// What is to be said, of several vips at once.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pass: Vec<Former>,
    forget: Vec<IpAddr>,
}

impl Pending {
    /// Takes note of what concerns former owners; says it before anything else is done.
    pub(crate) fn take(
        &mut self,
        output: Option<&Output>,
        link: u32,
        formers: Option<&dyn Formers>,
    ) {
        match output {
            Some(Output::Pass { vip, to }) => {
                self.forget.retain(|it| it != vip);
                self.pass.push(Former { vip: *vip, address: *to, link });
            }
            Some(Output::Forget(vip)) => {
                self.pass.retain(|it| it.vip != *vip);
                self.forget.push(*vip);
            }
            Some(Output::Keep { .. } | Output::Event(_)) => {}
            _ => self.say(formers),
        }
    }

    fn say(&mut self, formers: Option<&dyn Formers>) {
        let Self { pass, forget } = std::mem::take(self);
        let Some(formers) = formers else { return };
        if !forget.is_empty() {
            formers.forget(&forget);
        }
        if !pass.is_empty() {
            formers.pass(&pass);
        }
    }
}
