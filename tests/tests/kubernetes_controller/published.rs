//! What Ingresses report where options say by what they are reached: what DNS is made of.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use steelyard_tests::cluster::{self, Cluster};
use steelyard_tests::needs_cluster;

use super::replica::{Replica, patch, start};

const NODES: &str = "/api/v1/nodes";
const EDGE: &str = "/api/v1/namespaces/default/services/edge";

const OBJECTS: &str = r"
apiVersion: v1
kind: Service
metadata: {name: edge, namespace: default}
spec: {type: NodePort, ports: [{port: 80, nodePort: 30080}]}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: traefik}
spec: {controller: traefik.io/ingress-controller}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: of-traefik, namespace: default}
spec:
  ingressClassName: traefik
  rules: [{host: a.lan, http: {paths: [{path: /, pathType: Prefix,
    backend: {service: {name: edge, port: {number: 80}}}}]}}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: of-nginx, namespace: default}
spec:
  ingressClassName: nginx
  rules: [{host: b.lan, http: {paths: [{path: /, pathType: Prefix,
    backend: {service: {name: edge, port: {number: 80}}}}]}}]
";

fn reported(cluster: &Cluster, ingress: &str) -> Value {
    let path = format!("/apis/networking.k8s.io/v1/namespaces/default/ingresses/{ingress}");
    cluster.api().get(&path).unwrap_or_default()["status"]["loadBalancer"]["ingress"].clone()
}

fn until_reported(
    cluster: &Cluster,
    replica: &Replica,
    ingress: &str,
    wanted: &Value,
) -> Result<()> {
    cluster::until("what an Ingress reports", || reported(cluster, ingress) == *wanted)
        .with_context(|| format!("{}\n{}", reported(cluster, ingress), replica.running.printed()))
}

/// The addresses of a node.
fn set_node(cluster: &Cluster, external: &str) -> Result<()> {
    let addresses = json!([
        { "type": "InternalIP", "address": "198.51.100.1" },
        { "type": "ExternalIP", "address": external },
    ]);
    let status = json!({ "status": { "addresses": addresses } });
    patch(cluster, &format!("{NODES}/a/status"), "kubelet", &status)
}

#[test]
fn ingresses_report_what_options_publish() -> Result<()> {
    needs_cluster!();
    let cluster = start("published", "192.0.2.1-192.0.2.4")?;
    let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "a" } });
    let answer = cluster.api().send("POST", NODES, &node.to_string())?;
    ensure!(answer.status == 201, "{} {}", answer.status, answer.body);
    set_node(&cluster, "203.0.113.1")?;
    cluster.apply(OBJECTS)?;
    let options = [
        "--providers.kubernetesingress.ingressendpoint.publishedservice=default/edge",
        "--nginx.publish-status-address=192.0.2.77,lb.example.com",
    ];
    let replica = Replica::start(&cluster, "c-1", 9181, &options)?;
    replica.wait_leads()?;
    let at =
        |ip: &str, port: u16| json!([{ "ip": ip, "ports": [{ "port": port, "protocol": "TCP" }] }]);
    let said = json!([{ "ip": "192.0.2.77" }, { "hostname": "lb.example.com" }]);
    until_reported(&cluster, &replica, "of-nginx", &said)?;
    until_reported(&cluster, &replica, "of-traefik", &at("203.0.113.1", 30080))?;
    // A node's address, and what the Service says of itself, are followed.
    set_node(&cluster, "203.0.113.2")?;
    until_reported(&cluster, &replica, "of-traefik", &at("203.0.113.2", 30080))?;
    let within = json!({ "spec": { "type": "ClusterIP", "externalIPs": ["203.0.113.9"],
        "ports": [{ "port": 80, "protocol": "TCP", "nodePort": null }] } });
    patch(&cluster, EDGE, "kubectl", &within)?;
    until_reported(&cluster, &replica, "of-traefik", &at("203.0.113.9", 80))?;
    // Where nothing is published any more, nothing is reported.
    patch(&cluster, EDGE, "kubectl", &json!({ "spec": { "externalIPs": null } }))?;
    until_reported(&cluster, &replica, "of-traefik", &Value::Null)?;
    ensure!(reported(&cluster, "of-nginx") == said);
    Ok(())
}
