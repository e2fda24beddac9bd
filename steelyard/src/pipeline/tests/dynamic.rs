//! Files of Traefik's dynamic configuration, in the versions that edits choose from: they name what
//! is in each other, and objects of its kinds.

pub(super) const ONE: &[&str] = &[
    "{http: {routers: {web: {rule: 'Host(`f.g`)', service: pair, entryPoints: [web]}}, services: \
     {plain: {loadBalancer: {servers: [{url: 'http://10.7.0.1:80'}, {url: 'http://nas.lan', weight: \
     3}]}}}}, tcp: {routers: {db: {rule: 'HostSNI(`*`)', service: db}}, services: {db: \
     {loadBalancer: {servers: [{address: '10.7.0.2:5432'}]}}}}}",
    "{http: {routers: {web: {rule: 'Host(`f.g`)', service: default-shared@kubernetescrd, tls: \
     {options: strong}}, other: {rule: 'Path(`/z`)', service: gone}}, services: {plain: \
     {loadBalancer: {servers: [{url: 'https://10.7.0.1'}], serversTransport: t}}}}}",
    "{http: {routers: {web: {rule: 'Nonsense(`a`) && Path(`/q`)', service: pair}, child: {rule: \
     'Path(`/c`)', parentRefs: [web], service: plain}}}}",
    "{http: {routers: {web: {rule: 'Host(`f.g`)'}, child: {rule: 'Path(`/c`)', parentRefs: [web], \
     service: plain, middlewares: [m]}}, middlewares: {m: {addPrefix: {prefix: /x}}}}}",
];

pub(super) const TWO: &[&str] = &[
    "{http: {services: {pair: {weighted: {services: [{name: plain, weight: 3}, {name: \
     default-shared@kubernetescrd}]}}}, serversTransports: {t: {insecureSkipVerify: true}}}, tls: \
     {options: {strong: {minVersion: VersionTLS13}}, certificates: [{certFile: named/ca.yaml, keyFile: \
     named/ca.yaml}]}}",
    "{http: {services: {pair: {failover: {service: plain, fallback: pair}}, plain: {loadBalancer: \
     {servers: [{url: 'h2c://10.7.0.9:80'}]}}}}, udp: {routers: {dns: {service: dns}}, services: \
     {dns: {loadBalancer: {servers: [{address: '10.7.0.3:53'}]}}}}, tls: {options: {default: \
     {sniStrict: true, clientAuth: {caFiles: [named/ca.yaml]}}}, stores: {default: \
     {defaultCertificate: {certFile: named/ca.yaml, keyFile: named/gone.yaml}}}}}",
    "{http: {services: {pair: {mirroring: {service: plain, mirrors: [{name: api@internal, percent: \
     5}]}}}, serversTransports: {t: {rootCAs: [named/ca.yaml]}}}}",
    "{http: {middlewares: {m: {chain: {middlewares: [n, default-m@kubernetescrd]}}, n: {rateLimit: \
     {average: 5}}}, services: {pair: {loadBalancer: {servers: [{url: 'http://10.7.0.8'}]}}}}}",
];

/// A file that those name: one that is of use, and one that is not.
pub(super) const NAMED: &[&str] =
    &[include_str!("../../../../pure/filters/src/certificate/authority.pem"), "none"];

pub(super) const BROKEN: &[&str] = &[
    "{http: {routers: {web: {rule: 'Host(`f.g`)', service: pair, entrypoints: [web]}}}}",
    "{http: {routers: {web: {rule: 'Host(`{{ env }}`)'}}}}",
    "{http: {routers: {web: {rule: [",
];
