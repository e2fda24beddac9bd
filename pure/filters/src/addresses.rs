//! Lets clients of some addresses in, and answers others.

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_http::RequestEdits;
use steelyard_model::routing::filter::access::AllowedClients;

use crate::ask::Got;
use crate::client;
use crate::context::{Context, Note};
use crate::frame::{Enter, Frame};
use crate::response::Response;

/// Who is let in, and with what others are answered.
#[derive(Clone, Debug)]
pub(crate) struct AllowedAddresses(pub(crate) Arc<AllowedClients>);

impl AllowedAddresses {
    pub(crate) fn lets_in(&self, peer: IpAddr, head: &RequestEdits<'_>) -> bool {
        let client = client::address(&self.0.source, peer, head);
        client.is_some_and(|client| self.0.ranges.contains(client))
    }
}

impl RefusedAddresses {
    pub(crate) fn lets_in(&self, peer: IpAddr, head: &RequestEdits<'_>) -> bool {
        let client = client::address(&self.0.source, peer, head);
        client.is_some_and(|client| !self.0.ranges.contains(client))
    }
}

impl Frame for AllowedAddresses {
    fn writes(&self) -> bool {
        false
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        if self.lets_in(cx.journey.peer, head) {
            return Enter::Next;
        }
        cx.notes.push(Note::Reason("the client's address is not among those that are let in"));
        Enter::Answer(Box::new(Response::paged(self.0.status, self.0.page)))
    }
}

/// Who is kept out, and with what they are answered. So is whose address is not known.
#[derive(Clone, Debug)]
pub(crate) struct RefusedAddresses(pub(crate) Arc<AllowedClients>);

impl Frame for RefusedAddresses {
    fn writes(&self) -> bool {
        false
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        if self.lets_in(cx.journey.peer, head) {
            return Enter::Next;
        }
        cx.notes.push(Note::Reason("the client's address is among those that are kept out"));
        Enter::Answer(Box::new(Response::bare(self.0.status)))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use ipnet::IpNet;

    use super::*;
    use crate::tests::{Sent, World};

    #[test]
    fn only_clients_of_the_ranges_are_let_in() {
        let ranges: Vec<IpNet> =
            ["10.0.0.0/8", "2001:db8::/32"].map(|it| it.parse().unwrap()).into();
        for (ranges, peer, is_in) in [
            (&ranges[..], "10.255.255.255", true),
            (&ranges, "11.0.0.0", false),
            (&ranges, "::ffff:10.0.0.1", true),
            (&ranges, "::ffff:11.0.0.1", false),
            (&ranges, "2001:db8::1", true),
            (&ranges, "2001:db9::1", false),
            (&[], "10.0.0.1", false),
        ] {
            let mut frame = AllowedAddresses(Arc::new(ranges.to_vec().into()));
            let mut world = World::of(peer.parse::<IpAddr>().unwrap());
            let mut request = RequestEdits::new(&Sent);
            match frame.enter(&mut world.context(), &mut request, Got::Nothing) {
                Enter::Next => assert!(is_in && world.notes.is_empty(), "{peer}"),
                Enter::Answer(answer) => {
                    assert!(!is_in, "{peer}");
                    assert_eq!((answer.status, world.notes.len()), (403, 1));
                }
                Enter::Ask(ask) => panic!("{ask:?}"),
            }
        }
    }
}
