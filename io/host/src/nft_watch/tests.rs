use std::time::Duration;

use steelyard_model::Family;

use super::*;
use crate::netns::{self, Namespace};
use crate::nft::Nft;
use crate::nft_set::{Filling, Sets, Value};

const TABLE: &str = "table inet ours {
  set s { type ipv4_addr; }
  chain c { ip daddr @s drop; }
}
table ip ours {
  set passed { type ipv4_addr; flags timeout; }
}
";

/// Runs `work` in a namespace of its own where tables called `ours` are watched.
fn watching(name: &str, work: impl AsyncFnOnce(&Nft, NftWatch) + Send) {
    if let Some(why) = netns::unavailable() {
        return eprintln!("skipped: {why}");
    }
    let namespace = Namespace::create(&format!("host-{name}-{}", std::process::id())).unwrap();
    namespace
        .run(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let nft = Nft::find().unwrap();
                nft.run(TABLE, |_| {}).await.unwrap();
                work(&nft, NftWatch::open("ours").unwrap()).await;
            });
        })
        .unwrap();
}

#[test]
fn what_others_do_to_a_table_is_told_from_what_they_do_elsewhere() {
    watching("watch", async |nft, mut watch| {
        let touched = Some(BTreeSet::from(["nft".to_owned()]));
        let table: [(&str, bool, bool); 9] = [
            ("", false, false),
            ("add table ip other\n", true, false),
            ("add element inet ours s { 10.0.0.1 }\n", true, true),
            ("flush set inet ours s\n", true, true),
            ("flush chain inet ours c\n", true, true),
            ("add rule inet ours c accept\n", true, true),
            ("add chain ip other ours\n", true, false),
            ("delete table ip ours\n", true, true),
            ("flush ruleset\n", true, true),
        ];
        for (batch, changed, is_ours) in table {
            nft.run(batch, |_| {}).await.unwrap();
            let told = watch.read().unwrap();
            let want =
                Strangers { changed, touched: touched.clone().filter(|_| is_ours), lost: false };
            assert_eq!(told, want, "{batch}");
            assert_eq!(watch.read().unwrap(), Strangers::default(), "told once");
        }
    });
}

#[test]
fn a_transaction_of_ours_is_known_to_be_in_force() {
    watching("taken", async |nft, mut watch| {
        let run = nft.begin("flush chain inet ours c\n").unwrap();
        let port = run.port().unwrap();
        watch.is_own(port);
        let end = run.end();
        let taken = async {
            while !watch.has_taken(port) {
                watch.readable().await.unwrap();
                assert_eq!(watch.read().unwrap(), Strangers::default());
            }
            assert!(!nft.ruleset().await.unwrap().contains("@s drop"));
        };
        let (told, ()) = tokio::join!(end, taken);
        told.unwrap();
        watch.is_anybodys(port);
        assert!(!watch.has_taken(port), "another one may have it next");

        let refused = nft.begin("add element inet ours nowhere { 10.0.0.1 }\n").unwrap();
        let port = refused.port().unwrap();
        watch.is_own(port);
        refused.end().await.unwrap_err();
        watch.read().unwrap();
        assert!(!watch.has_taken(port));
    });
}

#[test]
fn what_we_do_ourselves_is_not_told() {
    watching("own", async |nft, mut watch| {
        let mut port = None;
        nft.run("flush chain inet ours c\n", |it| port = Some(it)).await.unwrap();
        watch.is_own(port.unwrap());
        assert_eq!(watch.read().unwrap(), Strangers::default());
        watch.is_anybodys(port.unwrap());
        let mut sets = Sets::open().unwrap();
        for n in 1..3 {
            let elements = vec![(
                format!("10.0.0.{n}").parse().unwrap(),
                Value::None,
                Some(Duration::from_secs(9)),
            )];
            let (family, table, set) = (Family::V4, "ours", "passed");
            sets.fill(&[Filling { family: family.into(), table, set, elements }]).unwrap();
            watch.is_own(sets.port().unwrap());
            assert_eq!(watch.read().unwrap(), Strangers::default());
        }
        // Somebody is waited for who comes.
        let (told, ran) = tokio::join!(watch.readable(), nft.run("flush ruleset\n", |_| {}));
        told.unwrap();
        ran.unwrap();
        assert!(watch.read().unwrap().touched.is_some());
    });
}

#[test]
fn more_than_can_be_followed_is_said() {
    watching("flood", async |nft, mut watch| {
        watch.notices.narrow(1024 * 1024);
        let all: Vec<String> = (0..60_000)
            .map(|n: u32| std::net::Ipv4Addr::from(0x0a00_0000 + n).to_string())
            .collect();
        let batch = format!(
            "add table ip other\nadd set ip other big {{ type ipv4_addr; }}\nadd element ip other \
             big {{ {} }}\n",
            all.join(", ")
        );
        nft.run(&batch, |_| {}).await.unwrap();
        let told = watch.read().unwrap();
        assert!(told.changed && told.lost && told.touched.is_none(), "{told:?}");
    });
}
