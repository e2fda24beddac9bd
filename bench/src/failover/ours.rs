//! Steelyard: `up` on each node, the gateway's address, a replica behind it on each.

use anyhow::{Context, Result};
use rustix::process::Pid;
use serde_json::Value;
use steelyard_admin::AdminClient;
use steelyard_host::netns::Namespace;
use steelyard_tests::lab::Lab;
use steelyard_tests::scratch::Scratch;

use super::act::Act;
use super::names::{NODES, VIP, namespace};
use super::site::{Site, pids};

/// Options of `up` for the tuned contender.
pub(super) const TUNED: &[&str] = &["--heartbeat", "50", "--missed-heartbeats", "3"];

const ADMIN: &str = "127.0.0.1:9180";

const MANIFESTS: &str = r#"
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: lan, namespace: metallb-system}
spec: {addresses: [10.1.1.100-10.1.1.150]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: lan, namespace: metallb-system}
---
apiVersion: v1
kind: Service
metadata: {name: gateway, annotations: {steelyard.dev/gateway: "true"}}
spec: {type: LoadBalancer, ports: [{name: web, port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: 3
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: app, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: app}
spec: {selector: {app: app}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: app}
spec:
  rules:
  - host: app.example.com
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: app, port: {number: 80}}}}
"#;

/// A laboratory as it comes.
pub(super) struct Ours {
    lab: Lab,
    _folder: Scratch,
}

impl Ours {
    /// Starts it with further options of `up`.
    pub(super) fn start(name: &str, up: &[&str]) -> Result<Self> {
        let folder = Scratch::new()?;
        folder.write("all.yaml", MANIFESTS)?;
        let mut options = vec!["--nodes", "3", "--"];
        options.extend(up);
        let mut lab = Lab::start_named(name.to_owned(), Some(folder.path()), &options)?;
        lab.process.hush();
        Ok(Self { lab, _folder: folder })
    }

    /// Asks a node's admin API over its own loopback.
    fn ask(&self, node: &str, resources: &[&str]) -> Option<Vec<Value>> {
        let admin = AdminClient { address: ADMIN.to_owned(), token_file: None };
        let inside = Namespace::existing(&namespace(&self.lab, node)).ok()?;
        let ask = || resources.iter().map(|resource| admin.ask(resource).ok()).collect();
        inside.run(ask).ok()?
    }

    /// Whom a node takes for the owner, when it is ready, hears all others and plays its part.
    fn owner_seen_by(&self, node: &str) -> Option<String> {
        let answers = self.ask(node, &["overview", "members", "announcements"])?;
        let [overview, members, announcements] = &answers[..] else { return None };
        let members = members.as_array()?;
        // That another one is up again is told later than by that one itself.
        let is_there = |it: &Value| match it["state"].as_str() {
            Some("starting" | "listening") => it["self"] == false,
            state => state == Some("up"),
        };
        let is_whole = members.len() == NODES.len() && members.iter().all(is_there);
        let row = row(announcements)?;
        let owner = row["owner"].as_str()?;
        let plays = row["state"] == if owner == node { "announced" } else { "standby" };
        (overview["ready"] == true && is_whole && plays).then(|| owner.to_owned())
    }
}

fn row(announcements: &Value) -> Option<&Value> {
    announcements.as_array()?.iter().find(|row| row["address"] == VIP)
}

impl Site for Ours {
    fn lab(&self) -> &Lab {
        &self.lab
    }

    fn settled(&mut self) -> Option<String> {
        let mut seen = NODES.iter().map(|node| self.owner_seen_by(node));
        let owner = seen.next()??;
        seen.all(|other| other.as_ref() == Some(&owner)).then_some(owner)
    }

    fn holder(&mut self, victim: &str) -> Option<String> {
        let has = |node: &&str| {
            let answer = self.ask(node, &["announcements"]);
            answer.is_some_and(|it| row(&it[0]).is_some_and(|row| row["state"] == "announced"))
        };
        NODES.into_iter().filter(|node| *node != victim).find(has).map(str::to_owned)
    }

    fn announcer(&self, node: &str) -> Result<Pid> {
        pids(&self.lab, node)?.first().copied().context("`up` does not run")
    }

    fn restart(&mut self, _: Act, node: &str) -> Result<()> {
        // Who has ended already cannot be killed.
        let _ = self.lab.run(&["kill", node]);
        self.lab.run(&["heal", node]).map(drop)
    }

    fn described(&mut self) -> String {
        let told = NODES.map(|node| (node, self.ask(node, &["members", "announcements"])));
        format!("{told:?}")
    }
}
