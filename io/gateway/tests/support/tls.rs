//! TLS in tests: a small CA, Secrets of what it signs, routes over TLS, and a client.

use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use steelyard_gateway::{Bind, Binding, Gateway, GatewayOptions};
use steelyard_model::routing::entry_point::SECURE;
use steelyard_model::routing::id::TlsPolicyId;
use steelyard_model::routing::tls::{Certificate, TlsPolicy};
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{ObjectRef, Protocol, Secret, SecretValue};

use super::{PATIENCE, Received, Served, routing};

/// Signs certificates.
pub(crate) struct Authority(rcgen::CertifiedIssuer<'static, rcgen::KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        Self::of(name, &[])
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// One that was one until the first day of a year.
    pub(crate) fn until(name: &str, year: i32) -> Self {
        Self::made(name, &[], |asked| {
            asked.not_before = rcgen::date_time_ymd(2000, 1, 1);
            asked.not_after = rcgen::date_time_ymd(year, 1, 1);
        })
    }

    /// One that is for these names itself.
    pub(crate) fn of(name: &str, names: &[&str]) -> Self {
        Self::made(name, names, |_| {})
    }

    fn made(
        name: &str,
        names: &[&str],
        change: impl FnOnce(&mut rcgen::CertificateParams),
    ) -> Self {
        let names = names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let mut asked = rcgen::CertificateParams::new(names).unwrap();
        asked.distinguished_name.push(rcgen::DnType::CommonName, name);
        asked.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        change(&mut asked);
        let key = rcgen::KeyPair::generate().unwrap();
        Self(rcgen::CertifiedIssuer::self_signed(asked, key).unwrap())
    }

    /// One that another has signed.
    pub(crate) fn under(name: &str, above: &Self) -> Self {
        let mut asked = rcgen::CertificateParams::new(Vec::new()).unwrap();
        asked.distinguished_name.push(rcgen::DnType::CommonName, name);
        asked.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        Self(rcgen::CertifiedIssuer::signed_by(asked, key, &above.0).unwrap())
    }

    /// What it says of those it believes no more, as PEM.
    pub(crate) fn revokes(&self, serial: &[u8]) -> String {
        let (began, ends) = (rcgen::date_time_ymd(2024, 1, 1), rcgen::date_time_ymd(2090, 1, 1));
        let revoked = rcgen::RevokedCertParams {
            serial_number: serial.to_vec().into(),
            revocation_time: began,
            reason_code: None,
            invalidity_date: None,
        };
        let list = rcgen::CertificateRevocationListParams {
            this_update: began,
            next_update: ends,
            crl_number: vec![1].into(),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        list.signed_by(&self.0).unwrap().pem().unwrap()
    }

    pub(crate) fn key(&self) -> &rcgen::KeyPair {
        self.0.key()
    }

    /// Certificate and key for these names, as PEM.
    pub(crate) fn sign(&self, names: &[&str], key: &rcgen::KeyPair) -> String {
        self.sign_with(names, key, |_| {})
    }

    pub(crate) fn sign_with(
        &self,
        names: &[&str],
        key: &rcgen::KeyPair,
        change: impl FnOnce(&mut rcgen::CertificateParams),
    ) -> String {
        let names = names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let mut asked = rcgen::CertificateParams::new(names).unwrap();
        change(&mut asked);
        asked.signed_by(key, &self.0).unwrap().pem()
    }

    /// The same as its bytes.
    pub(crate) fn der(&self, names: &[&str], key: &rcgen::KeyPair) -> Vec<CertificateDer<'static>> {
        use rustls::pki_types::pem::PemObject;
        vec![CertificateDer::from_pem_slice(self.sign(names, key).as_bytes()).unwrap()]
    }

    /// What a Secret of that name, with a key on P-256, comes to.
    pub(crate) fn certificate(&self, id: &str, names: &[&str]) -> Certificate {
        self.certificate_with(id, names, &rcgen::KeyPair::generate().unwrap())
    }

    pub(crate) fn certificate_with(
        &self,
        id: &str,
        names: &[&str],
        key: &rcgen::KeyPair,
    ) -> Certificate {
        of_secret(id, &self.sign(names, key), &key.serialize_pem())
    }

    /// A client that believes it alone, of these versions and nothing more.
    pub(crate) fn client(&self) -> ClientConfig {
        self.client_of(rustls::ALL_VERSIONS)
    }

    pub(crate) fn client_of(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(provider().into());
        let builder = builder.with_protocol_versions(versions).unwrap();
        builder.with_root_certificates(self.roots()).with_no_client_auth()
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }
}

pub(crate) fn provider() -> rustls::crypto::CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

pub(crate) fn of_secret(id: &str, chain: &str, key: &str) -> Certificate {
    let value = |text: &str| SecretValue::from(text);
    let secret = Secret {
        object: Arc::new(ObjectRef::new("Secret", "default", id)),
        kind: "kubernetes.io/tls".to_owned(),
        data: [("tls.crt".to_owned(), value(chain)), ("tls.key".to_owned(), value(key))].into(),
        unreadable: Default::default(),
        texts: Default::default(),
    };
    steelyard_tls::certificate(&secret).unwrap()
}

/// All routes over TLS at `websecure`, and these certificates.
pub(crate) fn secure(routes: &[Served], certificates: &[Certificate]) -> RoutingMap {
    let mut map = routing(routes);
    let point = SECURE.entry_point();
    let listener = point.default_listener();
    map.entry_points.insert(point.id.clone(), Arc::new(point));
    let all: Vec<_> = map.routes.values().cloned().collect();
    for route in all {
        let mut route = (*route).clone();
        route.listeners = vec![listener.clone()];
        map.routes.insert(route.id.clone(), Arc::new(route));
    }
    for certificate in certificates {
        map.certificates.insert(certificate.id.clone(), Arc::new(certificate.clone()));
    }
    map
}

/// The routes of this name are for handshakes by a policy.
pub(crate) fn ask_policy(map: &mut RoutingMap, name: &str, policy: TlsPolicy) {
    let id = format!("default/{name}/0@ingress").as_str().into();
    let mut route = (**map.routes.get(&id).unwrap()).clone();
    route.tls_policy = Some(policy.id.clone());
    map.routes.insert(id, Arc::new(route));
    map.tls_policies.insert(policy.id.clone(), Arc::new(policy));
}

/// A policy that asks for nothing.
pub(crate) fn policy(id: &str) -> TlsPolicy {
    use steelyard_model::routing::tls::{ClientAuthentication, Resumption, TlsVersion};
    TlsPolicy {
        id: TlsPolicyId::from(id),
        place: None,
        versions: (TlsVersion::V1_2, TlsVersion::V1_3),
        ciphers: Vec::new(),
        groups: Vec::new(),
        alpn: vec!["h2".into(), "http/1.1".into()],
        clients: ClientAuthentication::Nothing,
        is_strict: false,
        resumes: Resumption::Tickets,
    }
}

/// A gateway that listens at `websecure`.
pub(crate) fn secure_gateway(map: &RoutingMap, options: GatewayOptions) -> (Gateway, SocketAddr) {
    let gateway = Gateway::start(options).unwrap();
    gateway.apply(map, 1);
    let bind = Bind {
        entry_point: SECURE.name.into(),
        protocol: Protocol::Tcp,
        address: (Ipv4Addr::LOCALHOST, 0).into(),
        binding: Binding::Host,
    };
    let address = gateway.listen(&[bind]).remove(0).1.unwrap();
    (gateway, address)
}

/// A connection over TLS.
pub(crate) struct Secured {
    pub(crate) reader: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

impl Secured {
    pub(crate) fn connect(address: SocketAddr, name: &str, config: &Arc<ClientConfig>) -> Self {
        Self::try_connect(address, name, config).unwrap()
    }

    /// The same by a client that names nobody, and believes whoever is for this name.
    pub(crate) fn connect_unnamed(address: SocketAddr, name: &str, by: &Authority) -> Self {
        let mut config = by.client();
        config.enable_sni = false;
        Self::connect(address, name, &Arc::new(config))
    }

    /// Holds the handshake to its end.
    pub(crate) fn try_connect(
        address: SocketAddr,
        name: &str,
        config: &Arc<ClientConfig>,
    ) -> std::io::Result<Self> {
        Self::over(TcpStream::connect(address)?, name, config)
    }

    /// The same on a connection that is there.
    pub(crate) fn over(
        mut stream: TcpStream,
        name: &str,
        config: &Arc<ClientConfig>,
    ) -> std::io::Result<Self> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut connection = ClientConnection::new(config.clone(), name).unwrap();
        stream.set_read_timeout(Some(PATIENCE))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(Self { reader: BufReader::new(StreamOwned::new(connection, stream)) })
    }

    pub(crate) fn get(&mut self, host: &str, path: &str) -> Received {
        self.try_get(host, path).expect("a response")
    }

    pub(crate) fn try_get(&mut self, host: &str, path: &str) -> Option<Received> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        self.reader.get_mut().write_all(request.as_bytes()).ok()?;
        Received::read(&mut self.reader)
    }

    /// Says something and that this is all, and hears to the end.
    pub(crate) fn talk(&mut self, says: &[u8], hears: &[u8]) {
        let stream = self.reader.get_mut();
        stream.write_all(says).unwrap();
        stream.conn.send_close_notify();
        while stream.conn.wants_write() {
            stream.conn.write_tls(&mut stream.sock).unwrap();
        }
        let mut heard = Vec::new();
        self.reader.read_to_end(&mut heard).unwrap();
        assert_eq!(heard, hears);
    }

    pub(crate) fn agreed(&self) -> &ClientConnection {
        &self.reader.get_ref().conn
    }

    /// What the server has shown first.
    pub(crate) fn shown(&self) -> CertificateDer<'static> {
        self.agreed().peer_certificates().unwrap()[0].clone().into_owned()
    }
}
