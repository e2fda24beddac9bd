//! Vips that several machines share: what is said beside them, and who is asked.

use super::*;

const MARK: Mark = Mark([7; 22]);

fn shared() -> Responder {
    let mut responder = Responder::new(Config::new(US));
    let marks = [VIP4.into(), VIP6.into()].map(|vip: IpAddr| (vip, Some(MARK)));
    responder.handle(start(), Input::Cleared(&marks.into()));
    pass(&mut responder, 10_000);
    responder
}

fn parsed(outputs: &[Output]) -> Vec<EtherFrame<'_>> {
    let frames = outputs.iter().filter_map(|it| match it {
        Output::Transmit(frame) => Some(EtherFrame::parse(frame).expect("one of ours")),
        _ => None,
    });
    frames.collect()
}

/// Its answers say by which claim, and a question to everybody leads to one question of its own.
#[test]
fn what_is_shared_is_marked_and_asked_for_when_others_ask() {
    let mut responder = shared();
    let ask = arp_frame(Mac::BROADCAST, arp(CLIENT, CLIENT4, VIP4));
    for (at, count) in [(0, 2), (100, 1), (250, 2)] {
        responder.handle(later() + ms(at), Input::Frame(&ask));
        let said = drain(&mut responder, later() + ms(at));
        let frames = parsed(&said);
        assert_eq!(frames.len(), count, "{said:?}");
        assert!(matches!(frames[0].body, FrameBody::Arp(Arp { mark: Some(MARK), .. })), "{said:?}");
        let probes =
            frames.iter().filter(|it| matches!(it.body, FrameBody::Arp(arp) if arp.is_probe()));
        assert_eq!(probes.count(), count - 1);
    }
    // What asks us alone, or asks whether anybody has it, is not somebody who wants to know.
    for frame in [
        arp_frame(US, arp(CLIENT, CLIENT4, VIP4)),
        arp_frame(Mac::BROADCAST, arp(RIVAL, Ipv4Addr::UNSPECIFIED, VIP4)),
    ] {
        responder.handle(later() + ms(900), Input::Frame(&frame));
        assert_eq!(parsed(&drain(&mut responder, later() + ms(900))).len(), 1);
    }
    let ask = solicit(CLIENT6, true, VIP6, Some(CLIENT));
    responder.handle(later(), Input::Frame(&ask));
    let said = drain(&mut responder, later());
    let marks = parsed(&said).into_iter().filter(|it| match it.body {
        FrameBody::Neighbor { message: NeighborMessage::Advertisement(it), .. } => {
            it.mark == Some(MARK)
        }
        _ => false,
    });
    assert_eq!((marks.count(), said.len()), (1, 2), "{said:?}");
}

/// Whoever hears nothing asks those whom it heard last.
#[test]
fn hosts_that_were_heard_can_be_asked() {
    let mut responder = shared();
    responder.take_heard();
    let host = |last| Ipv4Addr::new(10, 1, 1, last);
    for last in [1, 2, 3, 4, 5, 6, 7, 1] {
        let frame = arp_frame(Mac::BROADCAST, arp(CLIENT, host(last), OTHER4));
        responder.handle(later(), Input::Frame(&frame));
    }
    assert!(responder.take_heard() && !responder.take_heard());
    let known: Vec<IpAddr> = responder.acquaintances().collect();
    assert_eq!(known, [1, 7, 6, 5, 4, 3].map(|last| IpAddr::V4(host(last))));
    let (who, sender) = (IpAddr::V4(host(1)), IpAddr::V4(host(9)));
    responder.handle(later(), Input::Ask { who, sender });
    let said = drain(&mut responder, later());
    let FrameBody::Arp(asked) = parsed(&said)[0].body else { panic!("{said:?}") };
    assert_eq!((asked.sender_ip, asked.target_ip), (host(9), host(1)));
    // Our own frames are nobody's.
    let own = arp_frame(Mac::BROADCAST, arp(US, host(9), OTHER4));
    let frame = EtherFrame { source: US, ..EtherFrame::parse(&own).unwrap() }.emit();
    responder.handle(later(), Input::Frame(&frame));
    assert!(!responder.take_heard());
}

/// Of two that probe for a vip at the same moment, the one with the lower address goes on.
#[test]
fn who_probes_at_the_same_moment_goes_first_or_waits() {
    for (other, waits) in [(Mac([2, 0, 0, 0, 0, 0]), true), (RIVAL, false)] {
        let mut responder = Responder::new(Config::new(US));
        for vip in [VIP4.into(), VIP6.into()] {
            responder.handle(start(), Input::Probe(vip));
            drain(&mut responder, start());
        }
        let probe4 = arp_frame(Mac::BROADCAST, arp(other, Ipv4Addr::UNSPECIFIED, VIP4));
        let mut probe6 = solicit(Ipv6Addr::UNSPECIFIED, true, VIP6, None);
        probe6[6..12].copy_from_slice(&other.0);
        for (vip, frame) in [(VIP4.into(), probe4), (VIP6.into(), probe6)] {
            responder.handle(start(), Input::Frame(&frame));
            let answered = Output::Answered(vip, other, None);
            assert_eq!(drain(&mut responder, start()).contains(&answered), waits, "{vip}");
        }
    }
}

/// One by one it comes to the same as all at once, and a mark is changed, and taken back.
#[test]
fn vips_are_taken_one_by_one() {
    let (one, other): (IpAddr, IpAddr) = (VIP4.into(), VIP6.into());
    let mut together = Responder::new(Config::new(US));
    together.handle(start(), Input::Cleared(&[(one, Some(MARK)), (other, None)].into()));
    let mut each = Responder::new(Config::new(US));
    each.handle(start(), Input::Take(one, None));
    each.handle(start(), Input::Take(other, None));
    each.handle(start(), Input::Take(one, Some(MARK)));
    let phases = |it: &Responder| it.phases(start()).collect::<Vec<_>>();
    assert_eq!(phases(&each), phases(&together));
    pass(&mut each, 10_000);
    let ask = arp_frame(Mac::BROADCAST, arp(CLIENT, CLIENT4, VIP4));
    for (at, mark) in [(0, Some(MARK)), (10, None)] {
        each.handle(later() + ms(at), Input::Take(one, mark));
        each.handle(later() + ms(at), Input::Frame(&ask));
        let said = drain(&mut each, later() + ms(at));
        let frames = parsed(&said);
        let answer = frames.first().expect("an answer");
        let is_marked = matches!(answer.body, FrameBody::Arp(arp) if arp.mark == mark);
        assert!(is_marked, "{said:?}");
    }
    each.handle(later() + ms(20), Input::Release(one));
    each.handle(later() + ms(20), Input::Frame(&ask));
    assert_eq!(parsed(&drain(&mut each, later() + ms(20))).len(), 0);
    assert_eq!(each.phases(later()).map(|(vip, _)| vip).collect::<Vec<_>>(), [other]);
}
