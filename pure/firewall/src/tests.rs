//! Rulesets as real programs make them, and what they do to packets for a vip.

use std::net::IpAddr;

use proptest::prelude::*;
use steelyard_model::Protocol;

use super::*;

const UFW: &str = include_str!("tests/ufw.nft");
const FIREWALLD: &str = include_str!("tests/firewalld.nft");
const DOCKER: &str = include_str!("tests/docker.nft");
const LEGACY: &str = include_str!("tests/legacy.txt");
const VIP: &str = "10.1.1.100";
const VIP6: &str = "fd00::100";

fn here(vip: &str, port: u16) -> Packet {
    Packet {
        vip: vip.parse().unwrap(),
        protocol: Protocol::Tcp,
        port,
        iif: Some("eth0".to_owned()),
        way: Way::Here { mark: 0x2000, marked_at: 1000, leads: true },
    }
}

fn on(vip: &str, port: u16) -> Packet {
    let to: IpAddr = if vip == VIP { "10.244.0.2" } else { "fd44::2" }.parse().unwrap();
    let way = Way::On { to: (to, 8080).into(), oif: Some("pod0".to_owned()), is_own: false };
    Packet { way, ..here(vip, port) }
}

/// `chain: rule`, with `may` where it is not certain; nothing where the packet arrives.
fn told(ruleset: &Ruleset, packet: &Packet) -> String {
    let Some(found) = judge(ruleset, packet) else { return String::new() };
    let may = if found.is_certain { "" } else { "may " };
    format!("{may}{:?} {}: {}", found.deed, found.place.chain, found.rule)
}

#[test]
fn firewalls_as_they_are_installed() {
    let not_local = "Drops ufw-not-local: drop";
    let refused = "Drops filter_IN_public: reject with icmpx admin-prohibited";
    #[rustfmt::skip]
    let table = [
        ("ufw, allowed", UFW, here(VIP, 80), not_local),
        ("ufw, not allowed", UFW, here(VIP, 81), not_local),
        ("ufw, v6, allowed", UFW, here(VIP6, 80), ""),
        ("ufw, v6, not allowed", UFW, here(VIP6, 81), "Drops INPUT: policy drop"),
        ("ufw, forwarded", UFW, on(VIP, 80), "Drops FORWARD: policy drop"),
        ("firewalld, allowed", FIREWALLD, here(VIP, 80), ""),
        ("firewalld, v6, allowed", FIREWALLD, here(VIP6, 80), ""),
        ("firewalld, not allowed", FIREWALLD, here(VIP, 81), refused),
        ("firewalld, v6, not allowed", FIREWALLD, here(VIP6, 81), refused),
        ("firewalld, forwarded", FIREWALLD, on(VIP, 81), ""),
        ("docker", DOCKER, here(VIP, 80), ""),
        ("docker, forwarded", DOCKER, on(VIP, 80), "Drops FORWARD: policy drop"),
    ];
    for (what, ruleset, packet, want) in table {
        assert_eq!(told(&Ruleset::parse(ruleset), &packet), want, "{what}");
    }
}

#[test]
fn legacy_tables_are_read_as_they_are_translated() {
    let ruleset = Ruleset::parse_legacy(LEGACY);
    assert_eq!(told(&ruleset, &here(VIP, 22)), "");
    assert_eq!(told(&ruleset, &here(VIP, 81)), "");
    let doubtful = told(&ruleset, &here(VIP, 80));
    assert_eq!(doubtful, "may Drops INPUT: policy drop", "an unknown match may have let it in");
    let found = judge(&ruleset, &here(VIP, 80)).unwrap();
    assert_eq!(found.place.to_string(), "iptables-legacy table filter chain INPUT (ip)");
    assert!(found.mend(&here(VIP, 80)).contains("iptables-legacy -I INPUT -m mark"), "{found}");
}

/// A table with one base chain at `hook`.
fn chain(hook: &str, policy: &str, rules: &str) -> Ruleset {
    let kind = if rules.contains("dnat") || rules.contains("redirect") { "nat" } else { "filter" };
    Ruleset::parse(&format!(
        "table inet wall {{\n\tset ports {{\n\t\ttype inet_service\n\t}}\n\n\tchain first {{\n\t\ttype \
         {kind} hook {hook}; policy {policy};\n{rules}\n\t}}\n\n\tchain web {{\n\t\ttcp dport 80 \
         accept\n\t}}\n\n\tchain back {{\n\t\tip saddr 10.0.0.0/8 return\n\t\tdrop\n\t}}\n}}\n"
    ))
}

/// Each rule alone before `policy drop` (first column) and before `policy accept` (second): `+` it
/// arrives, `-` it does not, `?` it may not.
#[test]
fn each_kind_of_rule_means_what_it_says() {
    #[rustfmt::skip]
    let table = [
        ("", "-+"),
        ("accept", "++"), ("drop", "--"), ("reject with tcp reset", "--"), ("return", "-+"),
        ("counter packets 3 bytes 4 accept comment \"a drop\"", "++"),
        ("log prefix \"accept \" group 2 drop", "--"), ("log flags all", "-+"),
        ("tcp dport 80 accept", "++"), ("tcp dport { 22, 79-81 } accept", "++"),
        ("tcp dport 22 accept", "-+"), ("tcp dport != 80 accept", "-+"), ("udp dport 80 accept", "-+"),
        ("tcp dport > 79 accept", "++"), ("tcp dport < 80 accept", "-+"), ("th dport 80 drop", "--"),
        ("tcp dport @ports accept", "?+"), ("tcp dport @ports drop", "-?"),
        ("meta l4proto { tcp, udp } accept", "++"), ("ip protocol udp drop", "-+"),
        ("meta l4proto tcp tcp dport { 80 } counter packets 0 bytes 0 drop", "--"),
        ("ip daddr 10.1.1.100 drop", "--"), ("ip daddr 10.1.1.0/24 accept", "++"),
        ("ip daddr != 10.1.1.0/24 drop", "-+"), ("ip daddr 10.1.1.1-10.1.1.200 accept", "++"),
        ("ip daddr . tcp dport { 10.1.1.100 . 80 } accept", "++"),
        ("ip daddr . tcp dport { 10.1.1.100 . 81 } accept", "-+"),
        ("ip6 daddr fd00::/8 drop", "-+"), ("meta nfproto ipv6 drop", "-+"),
        ("iifname \"eth0\" accept", "++"), ("iifname { \"eth1\", \"lo\" } accept", "-+"),
        ("iifname \"eth*\" drop", "--"), ("iif \"lo\" accept", "-+"), ("iifname != \"eth0\" drop", "-+"),
        ("ct state new drop", "--"), ("ct state established,related accept", "-+"),
        ("ct state vmap { established : accept, new : drop }", "--"),
        ("ct state vmap { established : accept, new : jump web }", "++"),
        ("ct state { new, untracked } tcp dport 80 accept", "++"), ("ct state invalid drop", "-+"),
        ("tcp dport vmap { 22 : drop, 80 : accept }", "++"),
        ("tcp flags & (fin | syn | rst | ack) != syn ct state new drop", "-+"),
        ("tcp flags syn / fin,syn,rst,ack ct state new accept", "++"),
        ("tcp flags != syn / fin,syn,rst,ack ct state new drop", "-+"),
        ("tcp flags ! fin,syn,rst,psh,ack,urg drop", "-+"), ("tcp flags syn accept", "++"),
        ("fib daddr type local accept", "-+"), ("fib daddr type != local drop", "--"),
        ("fib daddr . iif type { local, broadcast } accept", "-+"),
        ("fib saddr . mark . iif oif missing drop", "-+"), ("fib saddr . iif oif exists accept", "++"),
        ("meta mark & 0x00002000 == 0x00002000 accept", "++"), ("meta mark and 0x2000 == 0 drop", "-+"),
        ("meta mark 0x1 accept", "-+"), ("mark 0x00002000 accept", "++"),
        ("ct status dnat accept", "-+"), ("ct mark 0x1 drop", "-+"), ("meta pkttype multicast drop", "-+"),
        ("icmp type echo-request drop", "-+"), ("rt type 0 drop", "-+"), ("ip protocol icmp accept", "-+"),
        // What depends on the client is meant so.
        ("ip saddr 192.168.0.0/16 accept", "++"), ("ip saddr 10.9.9.9 drop", "-+"),
        ("ip saddr @ports drop", "-+"), ("ip saddr 127.0.0.0/8 accept", "-+"),
        ("limit rate 3/minute burst 5 packets accept", "++"), ("limit rate over 9/second drop", "-+"),
        ("add @ports { ip saddr limit rate over 10/second } drop", "-+"), ("ip ttl < 3 drop", "-+"),
        ("xt match recent counter packets 0 bytes 0 drop", "-+"), ("ct count over 9 drop", "-+"),
        ("jump back", "-+"), ("ip saddr 10.1.1.0/24 jump back", "-+"), ("ether saddr 00:11:22:33:44:55 accept", "++"),
        // What is not understood leaves a doubt.
        ("xt match policy accept", "?+"), ("xt match policy drop", "-?"), ("@th,0,16 80 accept", "?+"),
        ("socket transparent 1 accept", "?+"), ("who knows drop", "-?"),
        ("jump web", "++"), ("goto web", "++"), ("jump nowhere", "-+"), ("tcp dport 81 jump web", "-+"),
        ("ip saddr 10.0.0.0/8 jump web", "++"), ("xt match policy jump web", "?+"),
        ("jump first", "?+"),
        ("tcp sport 1024-65535 accept", "++"), ("tcp sport 80 drop", "-+"),
        ("ct direction original accept", "++"), ("ct direction reply drop", "-+"),
        ("fib saddr type local drop", "-+"), ("fib saddr type unicast accept", "++"),
    ];
    for (rule, want) in table {
        let mark = |policy: &str| {
            let ruleset = chain("input priority filter", policy, rule);
            match judge(&ruleset, &here(VIP, 80)) {
                None => '+',
                Some(found) if found.is_certain => '-',
                Some(_) => '?',
            }
        };
        assert_eq!(String::from_iter(["drop", "accept"].map(mark)), want, "{rule}");
    }
}

#[test]
fn where_a_rule_stands_decides_what_it_sees() {
    let (served, translated) = (here(VIP, 80), on(VIP, 80));
    let way = Way::Here { mark: 0x2000, marked_at: 1000, leads: false };
    let bound = Packet { way, ..here(VIP, 80) };
    #[rustfmt::skip]
    let table = [
        ("prerouting priority raw", "tcp dport 80 notrack", &served, ""),
        ("prerouting priority raw", "tcp dport 80 notrack", &translated, "Untracks first: tcp dport 80 notrack"),
        ("prerouting priority filter", "tcp dport 80 notrack", &translated, ""),
        ("prerouting priority raw", "fib daddr type != local drop", &translated, "Drops first: fib daddr type != local drop"),
        ("prerouting priority raw", "tcp dport 8080 drop", &translated, ""),
        ("prerouting priority filter", "tcp dport 8080 drop", &translated, "Drops first: tcp dport 8080 drop"),
        ("forward priority filter", "ip daddr 10.244.0.0/16 tcp dport 8080 drop", &translated, "Drops first: ip daddr 10.244.0.0/16 tcp dport 8080 drop"),
        ("forward priority filter", "oifname \"pod0\" drop", &translated, "Drops first: oifname pod0 drop"),
        ("forward priority filter", "ct original daddr 10.1.1.100 ct original proto-dst 80 drop", &translated, "Drops first: ct original daddr 10.1.1.100 ct original proto-dst 80 drop"),
        ("forward priority filter", "drop", &served, ""),
        ("input priority filter", "drop", &translated, ""),
        ("prerouting priority mangle", "meta mark set 0x1", &served, ""),
        ("prerouting priority 2000", "meta mark set 0x1", &served, "Unmarks first: meta mark set 0x1"),
        ("prerouting priority 2000", "meta mark set mark or 0x1", &served, ""),
        ("prerouting priority 2000", "meta mark set mark and 0xffff00ff xor 0x1", &served, "Unmarks first: meta mark set mark and 0xffff00ff xor 0x1"),
        ("prerouting priority 2000", "meta mark set ct mark", &served, "Unmarks first: meta mark set ct mark"),
        ("prerouting priority 2000", "ip saddr 10.0.0.1 meta mark set 0x1", &served, ""),
        ("prerouting priority 2000", "meta mark set 0x1", &translated, ""),
        ("prerouting priority dstnat", "tcp dport 80 redirect to :3128", &served, ""),
        ("prerouting priority dstnat", "tcp dport 80 redirect to :3128", &bound, "Redirects first: tcp dport 80 redirect to :3128"),
        ("prerouting priority -160", "tcp dport 80 redirect to :3128", &served, "Redirects first: tcp dport 80 redirect to :3128"),
        ("prerouting priority dstnat", "tcp dport 80 dnat ip to 10.9.9.9:80", &served, "Redirects first: tcp dport 80 dnat ip to 10.9.9.9:80"),
        ("prerouting priority dstnat", "fib daddr type local tcp dport 80 dnat to 10.9.9.9", &served, ""),
        ("prerouting priority dstnat - 1", "tcp dport 80 dnat ip to 10.9.9.9:80", &translated, "Redirects first: tcp dport 80 dnat ip to 10.9.9.9:80"),
        ("prerouting priority dstnat", "tcp dport 80 dnat ip to 10.9.9.9:80", &translated, "may Redirects first: tcp dport 80 dnat ip to 10.9.9.9:80"),
        ("prerouting priority dstnat + 1", "tcp dport 80 dnat ip to 10.9.9.9:80", &translated, ""),
        ("ingress device \"eth0\" priority 0", "tcp dport 80 drop", &served, "Drops first: tcp dport 80 drop"),
        ("ingress devices = { eth1, eth0 } priority 0", "tcp dport 80 drop", &served, "Drops first: tcp dport 80 drop"),
        ("ingress device \"eth1\" priority 0", "tcp dport 80 drop", &served, ""),
        ("ingress device \"pod0\" priority 0", "tcp sport 8080 drop", &translated, "Drops first: tcp sport 8080 drop"),
        ("egress device \"pod0\" priority 0", "tcp dport 8080 drop", &translated, "Drops first: tcp dport 8080 drop"),
        ("egress device \"eth0\" priority 0", "ip saddr 10.1.1.100 drop", &translated, "Drops first: ip saddr 10.1.1.100 drop"),
        ("egress device \"eth0\" priority 0", "tcp sport 80 drop", &served, "Drops first: tcp sport 80 drop"),
        ("prerouting priority raw", "ip saddr 10.244.0.0/16 notrack", &translated, "Untracks first: ip saddr 10.244.0.0/16 notrack"),
        ("prerouting priority filter", "tcp sport 8080 drop", &translated, "Drops first: tcp sport 8080 drop"),
        ("prerouting priority filter", "tcp sport 80 drop", &served, ""),
        ("forward priority filter", "iifname \"pod0\" ct direction reply drop", &translated, "Drops first: iifname pod0 ct direction reply drop"),
        ("postrouting priority srcnat - 1", "tcp sport 80 drop", &translated, ""),
        ("postrouting priority srcnat + 1", "tcp sport 80 drop", &translated, "Drops first: tcp sport 80 drop"),
        ("postrouting priority srcnat - 1", "tcp sport 80 drop", &served, "Drops first: tcp sport 80 drop"),
        ("postrouting priority srcnat", "tcp dport 9 dnat to 10.9.9.9", &served, ""),
        ("output priority raw", "notrack", &served, ""),
    ];
    for (hook, rule, packet, want) in table {
        assert_eq!(told(&chain(hook, "accept", rule), packet), want, "{hook}: {rule}");
    }
    let own = Way::On { to: "10.1.1.11:9000".parse().unwrap(), oif: None, is_own: true };
    let own = Packet { way: own, ..here(VIP, 80) };
    let ruleset =
        chain("input priority filter", "drop", "fib daddr type local tcp dport 9000 accept");
    assert_eq!(told(&ruleset, &own), "");
    assert_eq!(told(&ruleset, &here(VIP, 80)), "Drops first: policy drop");
}

/// The same for what clients are answered, on its way through the hook output.
#[test]
fn each_kind_of_rule_about_answers_means_what_it_says() {
    #[rustfmt::skip]
    let table = [
        ("", "-+"), ("accept", "++"), ("drop", "--"),
        ("ct state established,related accept", "++"), ("ct state new drop", "-+"), ("ct state invalid drop", "-+"),
        ("ct state vmap { established : accept, new : drop }", "++"),
        ("tcp sport 80 accept", "++"), ("tcp sport { 22, 443 } accept", "-+"), ("tcp sport 80 drop", "--"),
        ("tcp dport 22 accept", "-+"), ("tcp dport { 53, 80, 443 } accept", "-+"), ("tcp dport 8080 drop", "-+"),
        ("tcp dport 1024-65535 accept", "++"), ("tcp dport 32768-60999 accept", "++"), ("tcp dport != 22 drop", "--"),
        ("ip saddr 10.1.1.100 accept", "++"), ("ip saddr 10.1.1.11 accept", "-+"), ("ip saddr != 10.1.1.11 drop", "--"),
        ("ip daddr 192.168.0.0/16 drop", "-+"), ("ip daddr 0.0.0.0/0 drop", "--"), ("ip daddr @ports drop", "-+"),
        ("ip saddr @ports accept", "?+"), ("fib saddr type != local drop", "--"), ("fib daddr type unicast accept", "++"),
        ("oifname \"eth0\" accept", "++"), ("oif \"lo\" accept", "-+"), ("iifname \"eth0\" accept", "-+"),
        ("ct direction reply accept", "++"), ("ct direction original drop", "-+"),
        ("ct mark & 0x00002000 == 0x00002000 accept", "++"), ("meta mark & 0x2000 == 0x2000 accept", "-+"),
        ("ct original daddr 10.1.1.100 accept", "++"), ("ct status seen-reply accept", "++"),
        ("tcp flags syn / fin,syn,rst,ack drop", "-+"), ("tcp flags & (syn | ack) == syn | ack accept", "++"),
        ("meta skuid 0 accept", "++"), ("socket transparent 1 drop", "-?"),
    ];
    for (rule, want) in table {
        let mark = |policy: &str| match judge(
            &chain("output priority filter", policy, rule),
            &here(VIP, 80),
        ) {
            None => '+',
            Some(found) if found.is_certain => '-',
            Some(_) => '?',
        };
        assert_eq!(String::from_iter(["drop", "accept"].map(mark)), want, "{rule}");
    }
}

#[test]
fn our_own_tables_do_not_count_and_several_chains_all_do() {
    let mut ruleset = chain("input priority filter", "accept", "accept");
    ruleset.merge(chain("input priority filter + 1", "drop", ""));
    assert_eq!(told(&ruleset, &here(VIP, 80)), "Drops first: policy drop", "accepting is local");
    assert_eq!(told(&ruleset.without("wall"), &here(VIP, 80)), "");
}

#[test]
fn each_finding_names_the_line_that_mends_it() {
    let iptables = Ruleset::parse(
        "table ip filter {\n chain INPUT {\n type filter hook input priority filter; policy drop;\n \
         }\n}\ntable ip raw {\n chain PREROUTING {\n type filter hook prerouting priority raw;\n tcp \
         dport 81 notrack\n }\n}\n",
    );
    let output = Ruleset::parse(
        "table ip filter {\n chain OUTPUT {\n type filter hook output priority filter; policy drop;\n \
         }\n}\n",
    );
    let wall = |hook| chain(hook, "drop", "");
    let firewall = Ruleset::parse(FIREWALLD);
    #[rustfmt::skip]
    let table = [
        (Ruleset::parse(UFW), here(VIP, 80), "-A ufw-before-input -m mark --mark 0x2000/0x2000 -j ACCEPT"),
        (Ruleset::parse(UFW), here(VIP6, 81), "`ufw allow 81/tcp`"),
        (firewall, here(VIP, 81), "`firewall-cmd --permanent --zone=public --add-port=81/tcp`"),
        (iptables.clone(), here(VIP, 80), "`iptables -I INPUT -m mark --mark 0x2000/0x2000 -j ACCEPT`"),
        (iptables, on(VIP, 81), "`iptables -t raw -I PREROUTING -d 10.1.1.100 -j ACCEPT`"),
        (Ruleset::parse(DOCKER), on(VIP, 80), "`iptables -I FORWARD -m conntrack --ctstate DNAT -j ACCEPT`"),
        (wall("input priority 0"), here(VIP6, 80), "`nft insert rule inet wall first meta mark & 0x2000 == 0x2000 accept`"),
        (wall("forward priority 0"), on(VIP, 80), "`nft insert rule inet wall first ct status dnat accept`"),
        (wall("prerouting priority 0"), here(VIP6, 80), "`nft insert rule inet wall first ip6 daddr fd00::100 accept`"),
        (wall("output priority 0"), here(VIP6, 80), "`nft insert rule inet wall first ct mark & 0x2000 == 0x2000 accept`"),
        (wall("postrouting priority 0"), here(VIP, 80), "`nft insert rule inet wall first ct mark & 0x2000 == 0x2000 accept`"),
        (chain("forward priority 0", "accept", "ct direction reply drop"), on(VIP, 80), "`nft insert rule inet wall first ct status dnat accept`"),
        (chain("egress device \"eth0\" priority 0", "accept", "tcp sport 80 drop"), here(VIP, 80), "first ip saddr 10.1.1.100 accept`"),
        (chain("prerouting priority 0", "accept", "tcp sport 8080 drop"), on(VIP, 80), "first ct status dnat accept`"),
        (output, here(VIP, 80), "`iptables -I OUTPUT -m connmark --mark 0x2000/0x2000 -j ACCEPT`"),
        (chain("prerouting priority 2000", "accept", "meta mark set 0x1"), here(VIP, 80), "--fwmark"),
    ];
    for (ruleset, packet, want) in table {
        let found = judge(&ruleset, &packet).unwrap();
        let mend = found.mend(&packet);
        assert!(mend.contains(want), "{found}: {mend}");
        assert!(!mend.contains("  ") && !mend.ends_with('.'), "{mend}");
        assert!(found.to_string().starts_with("another firewall "), "{found}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn anything_is_read_without_a_panic(text in "[a-z0-9{}@.,:;\"# \n&|!=<>()/-]{0,300}") {
        let mut ruleset = Ruleset::parse(&text);
        ruleset.merge(Ruleset::parse_legacy(&text));
        judge(&ruleset, &here(VIP, 80));
        judge(&chain("input priority 0", "drop", &text), &here(VIP, 80));
    }

    /// What is cut off a real ruleset, or twice in it.
    #[test]
    fn damaged_rulesets_are_read_without_a_panic(at: usize, length in 0..400_usize) {
        for whole in [UFW, FIREWALLD, DOCKER, LEGACY] {
            let at = at % whole.len();
            let end = (at + length).min(whole.len());
            let damaged = format!("{}{}", &whole[..at], &whole[end..]);
            for packet in [here(VIP, 80), on(VIP6, 81)] {
                judge(&Ruleset::parse(&damaged), &packet);
                judge(&Ruleset::parse_legacy(&damaged), &packet);
            }
        }
    }
}
