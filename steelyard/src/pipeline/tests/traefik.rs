//! Files of Traefik's own kinds, in the versions that edits choose from.

/// Routes for requests: some lead to others, and some to nothing.
pub(super) const ROUTER: &[&str] = &[
    "{apiVersion: traefik.io/v1alpha1, kind: IngressRoute, metadata: {name: r}, spec: {entryPoints: \
     [web], routes: [{match: 'Host(`a.b`)', services: [{name: one, port: 80}]}, {match: \
     'PathPrefix(`/x`)', priority: 9, services: [{name: one, port: 80, weight: 2}, {name: two, \
     port: 80, scheme: h2c, serversTransport: t}]}]}}",
    "{apiVersion: traefik.io/v1alpha1, kind: IngressRoute, metadata: {name: r}, spec: {routes: \
     [{match: 'Host(`a.b`) && Method(`GET`)', services: [{name: shared, kind: TraefikService}]}], \
     tls: {secretName: s, options: {name: o}}}}",
    "{apiVersion: traefik.io/v1alpha1, kind: IngressRoute, metadata: {name: r}, spec: {routes: \
     [{match: 'Host(`a.b`)'}, {match: 'Nonsense(`a`)', services: [{name: one, port: 80}]}]}}\n\
     ---\n{apiVersion: traefik.io/v1alpha1, kind: IngressRoute, metadata: {name: child}, spec: \
     {parentRefs: [{name: r}], routes: [{match: 'Path(`/y`)', services: [{name: one, port: 80}]}]}}",
    "{apiVersion: traefik.io/v1alpha1, kind: IngressRoute, metadata: {name: r}, spec: \
     {ingressClassName: other, routes: [{match: 'Host(`a.b`)', services: [{name: one, port: 80}]}]}}\
     \n---\n{apiVersion: traefik.io/v1alpha1, kind: IngressRoute, metadata: {name: child}, spec: \
     {routes: [{match: 'Host(`b.c`)', middlewares: [{name: m}, {name: other-x1@kubernetescrd}], services: [{name: two, port: 80, \
     nativeLB: true}, {name: pair@file}, {name: one, port: 80, nodePortLB: true}]}]}}",
];

/// Routes for connections and datagrams.
pub(super) const STREAMS: &[&str] = &[
    "{apiVersion: traefik.io/v1alpha1, kind: IngressRouteTCP, metadata: {name: r}, spec: {routes: \
     [{match: 'HostSNI(`a.b`)', services: [{name: one, port: 80, serversTransport: t}]}], tls: \
     {passthrough: true}}}\n---\n{apiVersion: traefik.io/v1alpha1, kind: IngressRouteUDP, metadata: \
     {name: r}, spec: {routes: [{services: [{name: two, port: 53}]}]}}",
    "{apiVersion: traefik.io/v1alpha1, kind: IngressRouteTCP, metadata: {name: r}, spec: \
     {entryPoints: [web], routes: [{match: 'HostSNI(`*`)', services: [{name: one, port: 80, \
     proxyProtocol: {version: 1}}, {name: two, port: 80}]}]}}",
];

/// What routes lead to.
pub(super) const SHARED: &[&str] = &[
    "{apiVersion: traefik.io/v1alpha1, kind: TraefikService, metadata: {name: shared}, spec: \
     {weighted: {services: [{name: one, port: 80, weight: 3}, {name: two, port: 80}]}}}",
    "{apiVersion: traefik.io/v1alpha1, kind: TraefikService, metadata: {name: shared}, spec: \
     {failover: {service: {name: one, port: 80}, fallback: {name: shared, kind: TraefikService}}}}",
    "{apiVersion: traefik.io/v1alpha1, kind: TraefikService, metadata: {name: shared}, spec: \
     {mirroring: {name: one, port: 80, mirrors: [{name: two, port: 80, percent: 10}]}}}",
    "{apiVersion: traefik.io/v1alpha1, kind: TraefikService, metadata: {name: shared}, spec: \
     {highestRandomWeight: {services: [{name: one, port: 80}, {name: gone, port: 80}]}}}",
];

/// How handshakes are held, and endpoints spoken to.
pub(super) const TERMS: &[&str] = &[
    "{apiVersion: traefik.io/v1alpha1, kind: TLSOption, metadata: {name: o}, spec: {minVersion: \
     VersionTLS13}}\n---\n{apiVersion: traefik.io/v1alpha1, kind: TLSStore, metadata: {name: \
     default}, spec: {defaultCertificate: {secretName: s}}}\n---\n{apiVersion: \
     traefik.io/v1alpha1, kind: ServersTransport, metadata: {name: t}, spec: {insecureSkipVerify: \
     true}}",
    "{apiVersion: traefik.io/v1alpha1, kind: TLSOption, metadata: {name: o}, spec: {clientAuth: \
     {secretNames: [s]}}}\n---\n{apiVersion: traefik.io/v1alpha1, kind: TLSOption, metadata: {name: \
     default}, spec: {sniStrict: true}}\n---\n{apiVersion: traefik.io/v1alpha1, kind: TLSOption, \
     metadata: {name: default, namespace: other}, spec: {clientAuth: {clientAuthType: \
     RequireAnyClientCert}}}\n---\n{apiVersion: traefik.io/v1alpha1, kind: ServersTransportTCP, \
     metadata: {name: t}, spec: {tls: {serverName: x}, terminationDelay: 5}}",
    "{apiVersion: traefik.io/v1alpha1, kind: TLSOption, metadata: {name: default}, spec: \
     {sniStrict: true}}\n---\n{apiVersion: traefik.io/v1alpha1, kind: ServersTransport, metadata: \
     {name: t}, spec: {rootCAsSecrets: [s]}}",
];

/// What requests and connections pass.
pub(super) const FILTERS: &[&str] = &[
    "{apiVersion: traefik.io/v1alpha1, kind: Middleware, metadata: {name: m}, spec: {ipAllowList: \
     {sourceRange: [10.0.0.0/8]}}}\n---\n{apiVersion: traefik.io/v1alpha1, kind: MiddlewareTCP, \
     metadata: {name: m}, spec: {inFlightConn: {amount: 3}}}",
    "{apiVersion: traefik.io/v1alpha1, kind: Middleware, metadata: {name: m}, spec: {chain: \
     {middlewares: [{name: users}, {name: pages}]}}}\n---\n{apiVersion: traefik.io/v1alpha1, kind: \
     Middleware, metadata: {name: users}, spec: {basicAuth: {secret: s}}}\n---\n{apiVersion: \
     traefik.io/v1alpha1, kind: Middleware, metadata: {name: pages}, spec: {errors: {status: ['404'], \
     service: {name: one, port: 80}}}}",
    "{apiVersion: traefik.io/v1alpha1, kind: Middleware, metadata: {name: m}, spec: {chain: \
     {middlewares: [{name: m}]}}}\n---\n{apiVersion: traefik.io/v1alpha1, kind: Middleware, metadata: \
     {name: x1, namespace: other}, spec: {plugin: {crowdsec: {}}}}",
    "{apiVersion: traefik.io/v1alpha1, kind: Middleware, metadata: {name: m}, spec: {chain: \
     {middlewares: [{name: gone}, {name: x1, namespace: other}]}}}\n---\n{apiVersion: \
     traefik.io/v1alpha1, kind: Middleware, metadata: {name: other-x1}, spec: {addPrefix: {prefix: \
     /a}}}",
];
