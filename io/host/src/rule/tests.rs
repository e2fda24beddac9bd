//! Rules, routes and paths in network namespaces.

use super::*;
use crate::kernel_watch::KernelWatch;
use crate::netns::{self, Namespace};

const RULE: MarkRule = MarkRule { mark: 0x2000, table: 8192, priority: 50 };

/// A namespace of its own, or none where that is not possible (said on stderr).
fn namespace(name: &str) -> Option<Namespace> {
    if let Some(why) = netns::unavailable() {
        eprintln!("skipped: {why}");
        return None;
    }
    let namespace = Namespace::create(name).unwrap();
    namespace.ip(&["link", "set", "lo", "up"]).unwrap();
    Some(namespace)
}

#[test]
fn the_rule_and_its_routes_come_and_go() {
    let Some(here) = namespace("st-rule-a") else { return };
    let before = (here.ip(&["rule"]).unwrap(), here.ip(&["-6", "rule"]).unwrap());
    let vips: [IpAddr; 2] = ["10.1.1.100".parse().unwrap(), "fd00::100".parse().unwrap()];
    here.run(|| {
        let mut routing = Routing::open().unwrap();
        for _ in 0..2 {
            routing.add_rule(RULE).unwrap();
            for vip in vips {
                routing.add_local(RULE.table, vip).unwrap();
            }
        }
        assert_eq!(routing.addresses(RULE.table).unwrap(), vips);
    })
    .unwrap();
    for (family, vip) in [("-4", "10.1.1.100"), ("-6", "fd00::100")] {
        let rules = here.ip(&[family, "rule"]).unwrap();
        assert_eq!(rules.matches("fwmark 0x2000/0x2000 lookup 8192").count(), 1, "{rules}");
        let routes = here.ip(&[family, "route", "show", "table", "8192"]).unwrap();
        assert!(routes.starts_with(&format!("local {vip} dev lo")), "{routes}");
        assert_eq!(routes.trim().lines().count(), 1, "{routes}");
    }
    here.run(|| {
        let mut routing = Routing::open().unwrap();
        assert_eq!(routing.delete_rule(RULE).unwrap(), 2);
        assert_eq!(routing.delete_rule(RULE).unwrap(), 0);
        for vip in vips {
            routing.delete_route(RULE.table, vip).unwrap();
            routing.delete_route(RULE.table, vip).unwrap();
        }
        assert_eq!(routing.addresses(RULE.table).unwrap(), Vec::<IpAddr>::new());
    })
    .unwrap();
    let after = (here.ip(&["rule"]).unwrap(), here.ip(&["-6", "rule"]).unwrap());
    assert_eq!(after, before);
}

#[test]
fn only_our_rule_is_deleted() {
    let Some(here) = namespace("st-rule-b") else { return };
    for other in [
        ["priority", "50", "fwmark", "0x4000/0x4000", "lookup", "8192"],
        ["priority", "50", "fwmark", "0x2000/0x2000", "lookup", "100"],
        ["priority", "60", "fwmark", "0x2000/0x2000", "lookup", "8192"],
    ] {
        let mut arguments = vec!["rule", "add"];
        arguments.extend(other);
        here.ip(&arguments).unwrap();
    }
    let before = here.ip(&["rule"]).unwrap();
    here.run(|| {
        let mut routing = Routing::open().unwrap();
        routing.add_rule(RULE).unwrap();
        assert_eq!(routing.delete_rule(RULE).unwrap(), 2);
    })
    .unwrap();
    assert_eq!(here.ip(&["rule"]).unwrap(), before);
}

#[test]
fn a_path_tells_own_addresses_pod_links_and_the_rest() {
    let (Some(here), Some(pod)) = (namespace("st-rule-c"), namespace("st-rule-d")) else {
        return;
    };
    netns::cable((&here, "pod0"), (&pod, "eth0")).unwrap();
    for arguments in [
        &["link", "set", "pod0", "up"][..],
        &["addr", "add", "10.9.0.1/24", "dev", "pod0"],
        &["-6", "addr", "add", "fd09::1/64", "dev", "pod0", "nodad"],
        &["route", "add", "10.244.0.2/32", "dev", "pod0"],
        &["-6", "route", "add", "fd44::2/128", "dev", "pod0"],
        &["route", "add", "10.244.0.3/32", "via", "10.9.0.9"],
        &["link", "add", "br0", "type", "bridge"],
        &["link", "set", "br0", "up"],
        &["route", "add", "10.244.0.4/32", "dev", "br0"],
        &["route", "add", "blackhole", "10.244.0.5/32"],
    ] {
        here.ip(arguments).unwrap();
    }
    pod.ip(&["link", "set", "eth0", "up"]).unwrap();
    let index = |name: &str| {
        let links = here.run(crate::links::list).unwrap().unwrap();
        links.into_iter().find(|link| link.name == name).unwrap().index
    };
    let out = |pod_link, name| Path::Out { pod_link, link: index(name) };
    let table = [
        ("10.9.0.1", Path::Local),
        ("127.0.0.1", Path::Local),
        ("fd09::1", Path::Local),
        ("10.244.0.2", out(true, "pod0")),
        ("fd44::2", out(true, "pod0")),
        ("10.244.0.3", out(false, "pod0")),
        ("10.244.0.4", out(false, "br0")),
        ("10.244.0.5", Path::Nowhere),
        ("10.9.0.77", out(false, "pod0")),
        ("192.0.2.1", Path::Nowhere),
        ("2001:db8::1", Path::Nowhere),
    ];
    let bridges = ["pod0", "br0"].map(index);
    here.run(|| {
        let mut routing = Routing::open().unwrap();
        for (address, want) in table {
            assert_eq!(routing.path(address.parse().unwrap()).unwrap(), want, "{address}");
        }
        assert_eq!(bridges.map(|it| routing.is_bridge(it).unwrap()), [false, true]);
    })
    .unwrap();
}

/// Also where somebody else's rule is asked first.
#[test]
fn whether_a_marked_packet_is_delivered_is_asked_of_the_kernel() {
    let Some(here) = namespace("st-deliver") else { return };
    let there = Namespace::create("st-deliver-lan").unwrap();
    netns::cable((&here, "eth0"), (&there, "eth0")).unwrap();
    for arguments in [
        &["addr", "add", "10.9.0.1/24", "dev", "eth0"][..],
        &["-6", "addr", "add", "fd09::1/64", "dev", "eth0", "nodad"],
        &["route", "add", "default", "via", "10.9.0.254"],
        &["-6", "route", "add", "default", "via", "fd09::fe"],
    ] {
        here.ip(arguments).unwrap();
    }
    let pairs = [("10.9.0.100", "10.9.0.5"), ("fd09::100", "fd09::5")]
        .map(|(vip, from)| (vip.parse::<IpAddr>().unwrap(), from.parse::<IpAddr>().unwrap()));
    let delivered = |mark: u32| {
        let ask = || {
            let mut routing = Routing::open().unwrap();
            let links = crate::links::list().unwrap();
            let eth0 = links.iter().find(|link| link.name == "eth0").unwrap().index;
            pairs.map(|(vip, from)| routing.is_delivered(vip, mark, from, eth0).unwrap())
        };
        here.run(ask).unwrap()
    };
    let add = || {
        let mut routing = Routing::open().unwrap();
        routing.add_rule(RULE).unwrap();
        pairs.iter().for_each(|(vip, _)| routing.add_local(RULE.table, *vip).unwrap());
    };
    here.run(add).unwrap();
    assert_eq!(delivered(0x2000), [true, true]);
    assert_eq!(delivered(0), [false, false]);
    here.ip(&["rule", "add", "iif", "eth0", "priority", "10", "lookup", "main"]).unwrap();
    here.ip(&["-6", "rule", "add", "priority", "11", "lookup", "main"]).unwrap();
    assert_eq!(delivered(0x2000), [false, false]);
    let others = || {
        let mut routing = Routing::open().unwrap();
        pairs.map(|(vip, _)| routing.others(vip, RULE).unwrap())
    };
    let main = |priority| vec![OtherRule { priority, action: RuleAction::Lookup(254) }];
    assert_eq!(here.run(others).unwrap(), [main(10), main(11)]);
    here.ip(&["rule", "add", "to", "10.9.0.100", "priority", "5", "blackhole"]).unwrap();
    let said: Vec<String> = here.run(others).unwrap()[0].iter().map(ToString::to_string).collect();
    assert_eq!(said, ["priority 5 blackhole", "priority 10 lookup 254"]);
}

/// As sockets of listeners at vips are, whatever refuses what they say.
#[test]
fn whether_answers_find_a_way_is_asked_of_the_kernel() {
    let Some(here) = namespace("st-answer") else { return };
    let there = Namespace::create("st-answer-lan").unwrap();
    netns::cable((&here, "eth0"), (&there, "eth0")).unwrap();
    for arguments in [
        &["link", "set", "eth0", "up"][..],
        &["addr", "add", "10.9.0.1/24", "dev", "eth0"],
        &["-6", "addr", "add", "fd09::1/64", "dev", "eth0", "nodad"],
    ] {
        here.ip(arguments).unwrap();
    }
    let pairs = [("10.9.0.100", "10.9.0.5"), ("fd09::100", "fd09::5")]
        .map(|(vip, to)| (vip.parse::<IpAddr>().unwrap(), to.parse::<IpAddr>().unwrap()));
    let answered =
        || here.run(|| pairs.map(|(vip, to)| Routing::is_answered(vip, to).unwrap())).unwrap();
    assert_eq!(answered(), [true, true]);
    for refusal in ["prohibit", "blackhole", "unreachable"] {
        let rule = |verb| {
            here.ip(&["rule", verb, "from", "10.9.0.100", "priority", "99", refusal]).unwrap();
            here.ip(&["-6", "rule", verb, "from", "fd09::100", "priority", "99", refusal]).unwrap();
        };
        rule("add");
        assert_eq!(answered(), [false, false], "{refusal}");
        rule("del");
    }
    here.ip(&["rule", "add", "from", "10.9.0.0/24", "priority", "99", "lookup", "77"]).unwrap();
    here.ip(&["route", "add", "unreachable", "default", "table", "77"]).unwrap();
    assert_eq!(answered(), [false, true]);
}

/// What others do to the rule and the table is told from what they do elsewhere, and from what we
/// do.
#[test]
fn what_others_do_to_the_rule_and_its_table_is_told() {
    let Some(here) = namespace("st-rule-w") else { return };
    let vips: [IpAddr; 2] = ["10.1.1.100".parse().unwrap(), "fd00::100".parse().unwrap()];
    let told = |rules, rule, routes| Detours { rules, rule, routes, lost: false };
    let table = [
        ("-4 rule add priority 60 lookup 99", told(true, false, false)),
        ("-6 rule add priority 50 lookup 99", told(true, false, false)),
        ("-6 rule del priority 50 lookup 99", told(true, false, false)),
        ("-4 route add 192.0.2.0/24 dev lo table 99", told(false, false, false)),
        ("-4 rule flush", told(true, true, false)),
        ("-6 rule del priority 50", told(true, true, false)),
        ("-4 route flush table 8192", told(false, false, true)),
        ("-6 route del fd00::100 table 8192", told(false, false, true)),
        ("-4 route add blackhole 10.1.1.100 table 8192", told(false, false, true)),
    ];
    let work = async || {
        let mut routing = Routing::open().unwrap();
        routing.delete_rule(RULE).unwrap();
        let mut watch = RuleWatch::open(RULE).unwrap();
        watch.is_own(routing.port().unwrap());
        for (line, expected) in table {
            routing.add_rule(RULE).unwrap();
            vips.iter().for_each(|vip| routing.add_local(RULE.table, *vip).unwrap());
            assert_eq!(watch.read().unwrap(), Detours::default(), "our own changes, {line}");
            if line.starts_with("-4 route add blackhole") {
                routing.delete_route(RULE.table, vips[0]).unwrap();
            }
            let ran = tokio::process::Command::new("ip").args(line.split(' ')).status().await;
            assert!(ran.unwrap().success(), "{line}");
            assert_eq!(watch.read().unwrap(), expected, "{line}");
        }
    };
    here.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(work());
    })
    .unwrap();
}
