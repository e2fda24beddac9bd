//! The controller under test: `steelyard up` on a folder that has the objects of a case.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use steelyard_tests::process::{Running, Signal};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::{binary, http, wait};

use crate::backend::{Instance, Listening};
use crate::case::Case;
use crate::certs::{self, Made};
use crate::record::Records;
use crate::responder;
use crate::webhook::Webhook;

/// Where instances answer.
pub(crate) const TARGET_PORT: u16 = 8080;
/// Where the program is asked about itself.
const ADMIN_PORT: u16 = 9000;
/// How long objects may take to be taken in, and between two looks.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
/// The ConfigMaps of ports, by protocol.
const PORTS: [(&str, &str); 2] = [("tcp", "tcp-services"), ("udp", "udp-services")];
/// Where it tells health and metrics, as there.
const HEALTH_PORT: u16 = 10254;
/// Where names are, and the node that has a zone.
const HOSTS: &str = ".hosts";
const NODE: &str = "here";
/// An Ingress that says how much was taken in.
const MARK: &str = "zz-mark";

/// A running controller with all around it.
pub(crate) struct Controller<'c> {
    case: &'c Case,
    process: Running,
    /// Where the case asks it.
    webhook: Option<Webhook>,
    /// Where a certificate of the case names one.
    _responder: Option<Running>,
    folder: Scratch,
    listening: Listening,
    pub(crate) records: Arc<Records>,
    pub(crate) certs: BTreeMap<String, Made>,
    /// Backends by name, in their order.
    backends: Vec<(String, Value)>,
    configmap: BTreeMap<String, Value>,
    objects: u32,
    marks: u32,
    ports: BTreeSet<SocketAddr>,
}

impl<'c> Controller<'c> {
    pub(crate) fn start(case: &'c Case) -> Result<Self> {
        let folder = Scratch::new()?;
        let backends = case.content["backends"].as_object().into_iter().flatten();
        let backends = backends.map(|(name, it)| (name.clone(), it.clone())).collect();
        let address = IpAddr::V4(case.address(1));
        let responder = responder::free()?;
        let certs = certs::made(&case.content["certs"], responder);
        let configmap = case.content["settings"]["configmap"].as_object();
        let mut this = Self {
            case,
            // Replaced below; what it takes is not there yet.
            process: Running::start(Command::new("true"))?,
            webhook: None,
            _responder: responding(case, responder, &folder, &certs)?,
            folder,
            listening: Listening::default(),
            records: Arc::default(),
            certs,
            backends,
            configmap: configmap.into_iter().flatten().map(own).collect(),
            objects: 0,
            marks: 0,
            ports: BTreeSet::new(),
        };
        this.process.hush();
        std::fs::create_dir_all(this.folder.file(".tmp"))?;
        this.begin()?;
        let state = this.folder.file(".state");
        let mut command = this.program();
        command.arg("up").arg(this.folder.path()).args(["--unprivileged", "--log-format", "json"]);
        command.arg(format!("--admin={}", SocketAddr::new(address, ADMIN_PORT)));
        for (name, flag, usual) in
            [("web", "http-port=", "80"), ("websecure", "https-port=", "443")]
        {
            let at = SocketAddr::new(address, this.flag(flag, usual).parse()?);
            command.arg(format!("--entrypoints.{name}.address={at}"));
        }
        command.args(PORTS.map(|(protocol, name)| {
            format!("--nginx.{protocol}-services-configmap=ingress-nginx/{name}")
        }));
        let health = [("host", address.to_string()), ("port", HEALTH_PORT.to_string())];
        command.args(health.map(|(name, value)| format!("--nginx.healthz-{name}={value}")));
        command.args(this.flags());
        if this.zone().is_some() {
            command.args(["--node", NODE]);
        }
        command.args([OsStr::new("--state-dir"), state.as_os_str()]);
        this.process = Running::start(command)?;
        this.process.hush();
        this.wait_until_ready()?;
        if case.texts("needs").contains(&"admission".to_owned()) {
            this.webhook = Some(Webhook::start(address, this.folder.path(), &this.flags())?);
        }
        Ok(this)
    }

    /// The program; where the case has names, in a mount namespace whose `hosts` has them.
    fn program(&self) -> Command {
        let text = self.case.content.to_string();
        if !text.contains("${name:") && !text.contains("${short:") {
            return Command::new(binary::steelyard());
        }
        let mut command = Command::new("unshare");
        let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
        command.args(["-m", "--propagation", "private", "sh", "-c", script]);
        command.arg(self.folder.file(HOSTS)).arg(binary::steelyard());
        command
    }

    fn zone(&self) -> Option<&str> {
        self.case.content["settings"]["zone"].as_str()
    }

    /// Sends the program a signal, by its name.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        match name {
            "TERM" => self.process.signal(Signal::TERM),
            other => anyhow::bail!("the runner sends no {other}"),
        }
    }

    /// What it tells of itself, where ingress-nginx does.
    pub(crate) fn metrics(&self) -> Result<String> {
        let at = SocketAddr::new(self.address(), HEALTH_PORT);
        Ok(http::get(at, &at.to_string(), "/metrics")?.body)
    }

    /// Flags of ingress-nginx, as this program takes them.
    fn flags(&self) -> Vec<String> {
        let given = self.case.content["settings"]["flags"].as_array().into_iter().flatten();
        let given = given.filter_map(|it| it.as_str()?.strip_prefix("--"));
        let mut flags: Vec<String> = given.map(|flag| format!("--nginx.{flag}")).collect();
        // As it is started, unless a case says otherwise.
        let usual = "--nginx.watch-ingress-without-class";
        if !flags.iter().any(|flag| flag.starts_with(usual)) {
            flags.push(format!("{usual}=false"));
        }
        flags
    }

    fn begin(&mut self) -> Result<()> {
        for index in 0..self.backends.len() {
            let count = self.backends[index].1["replicas"].as_u64().unwrap_or(1);
            self.scale(index, usize::try_from(count)?, 0)?;
        }
        self.write_settings()?;
        for (protocol, _) in PORTS {
            self.write_ports(protocol, &self.case.content["settings"][protocol])?;
        }
        if let Some(zone) = self.zone() {
            self.write(&json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": { "name": NODE, "labels": { "topology.kubernetes.io/zone": zone } },
            }))?;
        }
        self.put(&json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
            "metadata": { "name": "nginx" }, "spec": { "controller": "k8s.io/ingress-nginx" },
        }))?;
        let labels = self.flag("watch-namespace-selector=", "");
        let labels = labels.split_once('=').map(|(key, value)| json!({ key: value }));
        self.write(&json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": MARK, "labels": labels },
        }))?;
        let case = self.case;
        for object in case.content["objects"].as_array().into_iter().flatten() {
            self.put(&self.filled(object, &BTreeMap::new()))?;
        }
        self.mark()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let mut is_alive = true;
        wait::until("readiness", || {
            is_alive = self.process.is_running();
            !is_alive || self.told("/readyz").is_ok_and(|answer| answer.status == 200)
        })
        .with_context(|| self.process.printed())?;
        ensure!(is_alive, "it ended: {}", self.process.printed());
        self.wait_for_mark()
    }

    fn told(&self, path: &str) -> Result<http::Answer> {
        let at = SocketAddr::new(self.address(), ADMIN_PORT);
        http::get(at, &at.to_string(), path)
    }

    pub(crate) fn address(&self) -> IpAddr {
        self.case.address(1).into()
    }

    /// All that it has printed, which has its access log.
    pub(crate) fn printed(&self) -> String {
        self.process.printed()
    }

    /// Writes the objects of a step, and waits until they were taken in.
    pub(crate) fn apply(&mut self, objects: &[Value]) -> Result<()> {
        objects.iter().try_for_each(|object| self.put(object))?;
        self.taken_in()
    }

    /// Asks the webhook about an object, and writes it where it may come in. Whether it may, and
    /// why not.
    pub(crate) fn submit(&mut self, object: &Value) -> Result<(bool, String)> {
        let webhook = self.webhook.as_ref().context("a webhook")?;
        let mut asked = object.clone();
        if asked["metadata"]["namespace"].is_null() {
            asked["metadata"]["namespace"] = "default".into();
        }
        let (is_admitted, why) = webhook.admits(&asked)?;
        if is_admitted {
            self.apply(std::slice::from_ref(object))?;
        }
        Ok((is_admitted, why))
    }

    pub(crate) fn delete(&mut self, objects: &[Value]) -> Result<()> {
        for named in objects {
            let object = json!({ "kind": named["kind"], "metadata": named });
            self.folder.remove(&file_of(&object))?;
        }
        self.taken_in()
    }

    /// Changes the ConfigMap.
    pub(crate) fn configure(&mut self, data: &Value, replaces: bool) -> Result<()> {
        if replaces {
            self.configmap.clear();
        }
        self.configmap.extend(data.as_object().into_iter().flatten().map(own));
        self.write_settings()?;
        self.taken_in()
    }

    pub(crate) fn scale_to(&mut self, name: &str, count: usize, fresh: bool) -> Result<()> {
        let found = self.backends.iter().position(|(it, _)| it == name);
        let first = if fresh { 20 } else { 0 };
        self.scale(found.context("a backend")?, count, first)?;
        self.taken_in()
    }

    /// Nobody answers any more, and nobody is named.
    pub(crate) fn stop(&mut self, names: &[String]) -> Result<()> {
        for index in 0..self.backends.len() {
            if names.is_empty() || names.contains(&self.backends[index].0) {
                self.scale(index, 0, 0)?;
            }
        }
        self.taken_in()
    }

    fn write_settings(&self) -> Result<()> {
        let data: BTreeMap<String, Value> = self
            .configmap
            .iter()
            .map(|(key, value)| (key.clone(), self.filled(value, &BTreeMap::new())))
            .collect();
        self.write(&json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "ingress-nginx-controller", "namespace": "ingress-nginx" },
            "data": data,
        }))
    }

    /// Changes the ConfigMap of TCP services.
    pub(crate) fn open_ports(&mut self, data: &Value) -> Result<()> {
        self.write_ports("tcp", data)?;
        self.taken_in()
    }

    /// Ports that lead to Services as they come.
    fn write_ports(&self, protocol: &str, data: &Value) -> Result<()> {
        let name = PORTS.iter().find(|(it, _)| *it == protocol).map(|(_, name)| *name);
        self.write(&json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": name, "namespace": "ingress-nginx" },
            "data": self.filled(data, &BTreeMap::new()).as_object().cloned().unwrap_or_default(),
        }))
    }

    fn taken_in(&mut self) -> Result<()> {
        self.mark()?;
        self.wait_for_mark()?;
        let settle = self.case.content["timing"]["settle"].as_f64().unwrap_or_default();
        std::thread::sleep(Duration::from_secs_f64(settle));
        Ok(())
    }

    /// The last file that is written: once it was read, all others were.
    fn mark(&mut self) -> Result<()> {
        self.marks += 1;
        let name = format!("{MARK}-{}", self.marks);
        let object = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": { "name": name, "namespace": MARK },
            "spec": { "ingressClassName": self.flag("ingress-class=", "nginx"), "rules": [{
                "host": format!("{name}.test"),
                "http": { "paths": [{
                    "path": "/", "pathType": "Exact",
                    "backend": { "service": { "name": "nobody", "port": { "number": 1 } } },
                }] },
            }] },
        });
        self.folder.write(&format!("{MARK}.yaml"), &object.to_string())
    }

    /// What a flag of the case says.
    fn flag(&self, name: &str, usual: &str) -> String {
        let flags = self.case.content["settings"]["flags"].as_array().into_iter().flatten();
        let mut said = flags.filter_map(|it| it.as_str()?.strip_prefix("--")?.strip_prefix(name));
        said.next().unwrap_or(usual).to_owned()
    }

    fn wait_for_mark(&self) -> Result<()> {
        let name = format!("{MARK}-{}.test", self.marks);
        wait::until_some_within(PATIENCE, PAUSE, "objects to be taken in", || {
            self.told("/api/v1/routes")
                .is_ok_and(|answer| answer.body.contains(&name))
                .then_some(())
        })
        .with_context(|| self.process.printed())
    }

    fn put(&mut self, object: &Value) -> Result<()> {
        let mut object = object.clone();
        self.objects += 1;
        let metadata = &mut object["metadata"];
        if metadata["namespace"].is_null() {
            metadata["namespace"] = "default".into();
        }
        if metadata["creationTimestamp"].is_null() {
            let kept = self.folder.file(&file_of(&object));
            let kept = std::fs::read_to_string(kept).unwrap_or_default();
            let kept: Value = serde_json::from_str(&kept).unwrap_or_default();
            let kept = &kept["metadata"]["creationTimestamp"];
            let (minute, second) = (self.objects / 60, self.objects % 60);
            let now = format!("2026-01-01T00:{minute:02}:{second:02}Z");
            object["metadata"]["creationTimestamp"] =
                if kept.is_null() { now.into() } else { kept.clone() };
        }
        self.write(&object)
    }

    fn write(&self, object: &Value) -> Result<()> {
        self.folder.write(&file_of(object), &object.to_string())
    }

    /// Lets so many instances of a backend answer, from the one that has this number on.
    fn scale(&mut self, index: usize, count: usize, first: usize) -> Result<()> {
        let (name, written) = self.backends[index].clone();
        let port = u16::try_from(written["port"].as_u64().unwrap_or(80))?;
        let role = |number: usize| {
            let role = written.as_str().or_else(|| written["role"].as_str());
            role.or_else(|| written["roles"][number].as_str()).unwrap_or("echo").to_owned()
        };
        let tls = written["tls"].as_str().and_then(|name| self.certs.get(name)).cloned();
        let instance = |number: usize, is_service| {
            let role = role(number);
            let is_tls = ["tls-echo", "grpcbin-tls"].contains(&&*role);
            let tls = tls.clone().or_else(|| is_tls.then(|| certs::plain("echo")));
            let (backend, records) = (name.clone(), self.records.clone());
            Instance { backend, role, number, tls, is_service, records }
        };
        let own: Vec<SocketAddr> =
            self.ports.iter().copied().filter(|it| self.is_of(index, it.ip())).collect();
        for at in own {
            self.listening.close(at);
            self.ports.remove(&at);
        }
        let numbers: Vec<usize> = (first..first + count).collect();
        let mut open = Vec::new();
        for number in &numbers {
            let at = SocketAddr::new(self.instance_address(index, *number), TARGET_PORT);
            self.listening.open(at, instance(*number, false)).with_context(|| at.to_string())?;
            open.push(at);
        }
        if !numbers.is_empty() {
            let at = SocketAddr::new(self.service_address(index), port);
            self.listening.open(at, instance(first, true)).with_context(|| at.to_string())?;
            open.push(at);
        }
        self.ports.extend(open);
        self.write_names()?;
        self.write_service(index, &written, &numbers)
    }

    /// The names of all instances. In place: who has it mounted sees it.
    fn write_names(&self) -> Result<()> {
        let mut text = "127.0.0.1 localhost\n".to_owned();
        for (name, instances) in self.instances() {
            for at in instances {
                let short = short_name(name);
                text.push_str(&format!("{} {short}.names.test {short}\n", at.ip()));
            }
        }
        Ok(std::fs::write(self.folder.file(HOSTS), text)?)
    }

    fn write_service(&mut self, index: usize, written: &Value, numbers: &[usize]) -> Result<()> {
        let (namespace, name) = self.namespaced(index);
        let port = written["port"].as_u64().unwrap_or(80);
        let port_name = written["port_name"].as_str().unwrap_or("http");
        let annotations = match &written["service_annotations"] {
            Value::Null => json!({}),
            it => it.clone(),
        };
        self.put(&json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": name, "namespace": namespace, "annotations": annotations },
            "spec": {
                "clusterIP": self.service_address(index).to_string(),
                "ports": [{ "name": port_name, "port": port, "targetPort": TARGET_PORT }],
            },
        }))?;
        let endpoint = |(at, number): (usize, &usize)| {
            let mut endpoint = json!({
                "addresses": [self.instance_address(index, *number).to_string()],
                "conditions": { "ready": true },
            });
            if let Some(zone) = written["zones"][at].as_str() {
                endpoint["zone"] = zone.into();
                endpoint["hints"] = json!({ "forZones": [{ "name": zone }] });
            }
            endpoint
        };
        let endpoints: Vec<Value> = numbers.iter().enumerate().map(endpoint).collect();
        self.put(&json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "name": format!("{name}-1"), "namespace": namespace,
                "labels": { "kubernetes.io/service-name": name },
            },
            "addressType": "IPv4",
            "ports": [{ "name": port_name, "port": TARGET_PORT }],
            "endpoints": endpoints,
        }))
    }

    /// Backends by name, with the addresses of their instances.
    pub(crate) fn instances(&self) -> impl Iterator<Item = (&str, Vec<SocketAddr>)> {
        self.backends.iter().enumerate().map(|(index, (name, _))| {
            let own = |at: &&SocketAddr| {
                at.port() == TARGET_PORT
                    && at.ip() != self.service_address(index)
                    && self.is_of(index, at.ip())
            };
            (name.as_str(), self.ports.iter().filter(own).copied().collect())
        })
    }

    fn namespaced(&self, index: usize) -> (String, String) {
        let name = &self.backends[index].0;
        let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
        (namespace.to_owned(), name.to_owned())
    }

    fn instance_address(&self, backend: usize, number: usize) -> IpAddr {
        self.case.address(u8::try_from(10 + backend * 30 + number).unwrap()).into()
    }

    fn service_address(&self, backend: usize) -> IpAddr {
        self.case.address(u8::try_from(200 + backend).unwrap()).into()
    }

    fn is_of(&self, backend: usize, address: IpAddr) -> bool {
        (0..30).any(|number| self.instance_address(backend, number) == address)
            || self.service_address(backend) == address
    }

    /// A value with its placeholders filled in.
    pub(crate) fn filled(&self, value: &Value, saved: &BTreeMap<String, String>) -> Value {
        match value {
            Value::String(text) => self.filled_text(text, saved),
            Value::Array(list) => list.iter().map(|it| self.filled(it, saved)).collect(),
            Value::Object(entries) => {
                let fill = |(key, it): (&String, &Value)| match self.filled(it, saved) {
                    Value::Number(port) if key == "name" => (key.clone(), port.to_string().into()),
                    filled => (key.clone(), filled),
                };
                Value::Object(entries.iter().map(fill).collect())
            }
            other => other.clone(),
        }
    }

    fn filled_text(&self, text: &str, saved: &BTreeMap<String, String>) -> Value {
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let Some((name, further)) = after.split_once('}') else { break };
            match self.placeholder(name, saved) {
                // A number, also where it is quoted.
                Some(it) if text == format!("${{{name}}}") && name.starts_with("port:") => {
                    return it.parse::<u64>().map_or(Value::Null, Value::from);
                }
                Some(it) => out.push_str(&it),
                None => out.push_str(&format!("${{{name}}}")),
            }
            rest = further;
        }
        out.push_str(rest);
        Value::String(out)
    }

    fn placeholder(&self, name: &str, saved: &BTreeMap<String, String>) -> Option<String> {
        let (kind, of) = name.split_once(':').unwrap_or((name, ""));
        let backend = || self.backends.iter().position(|(it, _)| it == of);
        Some(match kind {
            "address" => self.address().to_string(),
            "http_port" => "80".to_owned(),
            "https_port" => "443".to_owned(),
            "healthz_port" => HEALTH_PORT.to_string(),
            "name" => format!("{}.names.test", short_name(&self.backends[backend()?].0)),
            "short" => short_name(&self.backends[backend()?].0),
            "webhook" => self.webhook.as_ref()?.at().to_string(),
            "client_cidr" => "127.0.0.0/8".to_owned(),
            "tmp" => self.folder.file(".tmp").display().to_string(),
            "backend" => format!("{}:{TARGET_PORT}", self.instance_address(backend()?, 0)),
            "port" => TARGET_PORT.to_string(),
            "cert" => self.certs.get(of)?.chain.clone(),
            "key" => self.certs.get(of)?.key.clone(),
            "saved" => saved.get(of)?.clone(),
            _ => return None,
        })
    }
}

/// A backend's name as one label.
fn short_name(backend: &str) -> String {
    backend.replace('/', "-")
}

/// Starts a responder where a certificate names one: in the name of who has signed it.
fn responding(
    case: &Case,
    at: SocketAddr,
    folder: &Scratch,
    certs: &BTreeMap<String, Made>,
) -> Result<Option<Running>> {
    let mut written = case.content["certs"].as_object().into_iter().flatten();
    let asks = written.find(|(_, it)| it["ocsp"].is_string());
    let signer = asks.and_then(|(_, it)| certs.get(it["signed_by"].as_str()?));
    signer.map(|it| responder::start(at, folder, [&it.chain, &it.key])).transpose()
}

fn own((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

fn file_of(object: &Value) -> String {
    let text = |it: &Value| it.as_str().unwrap_or("default").to_owned();
    let metadata = &object["metadata"];
    let (kind, namespace) = (text(&object["kind"]), text(&metadata["namespace"]));
    format!("{kind}-{namespace}-{}.yaml", text(&metadata["name"])).to_lowercase()
}
