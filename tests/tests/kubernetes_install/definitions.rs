//! Objects of each kind, as an API server takes them, and as it refuses them.

/// A kind, and objects of it.
pub(crate) struct Kind {
    /// `metallb.io/v1beta1/ipaddresspools`
    pub(crate) path: &'static str,
    pub(crate) kind: &'static str,
    /// Fields beside `metadata`, which are taken.
    pub(crate) good: &'static str,
    /// Fields that are refused, and what is said of them.
    pub(crate) bad: &'static [(&'static str, &'static str)],
}

const fn objects(
    path: &'static str,
    kind: &'static str,
    good: &'static str,
    bad: &'static [(&'static str, &'static str)],
) -> Kind {
    Kind { path, kind, good, bad }
}

/// Each kind and version once.
pub(crate) const KINDS: [Kind; 20] = [
    objects(
        "metallb.io/v1beta1/bfdprofiles",
        "BFDProfile",
        r#""spec": {"receiveInterval": 300, "detectMultiplier": 3, "minimumTtl": 254}"#,
        &[(r#""spec": {"receiveInterval": 9}"#, "spec.receiveInterval")],
    ),
    objects(
        "metallb.io/v1beta1/bgpadvertisements",
        "BGPAdvertisement",
        r#""spec": {"aggregationLength": 24, "communities": ["65000:1"], "localPref": 100}"#,
        &[
            (r#""spec": {"aggregationLength": 0}"#, "spec.aggregationLength"),
            (
                r#""spec": {"aggregationLength": 24,
                   "serviceSelectors": [{"matchLabels": {"a": "b"}}]}"#,
                "single addresses",
            ),
        ],
    ),
    objects(
        "metallb.io/v1beta1/bgppeers",
        "BGPPeer",
        r#""spec": {"myASN": 1, "peerASN": 2, "peerAddress": "10.0.0.1", "nodeSelectors": [
           {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}]}"#,
        &[
            (r#""spec": {"myASN": 1, "peerASN": 2}"#, "spec.peerAddress"),
            (
                r#""spec": {"myASN": 1, "peerASN": 2, "peerAddress": "10.0.0.1",
                   "peerPort": 20000}"#,
                "spec.peerPort",
            ),
        ],
    ),
    objects(
        "metallb.io/v1beta2/bgppeers",
        "BGPPeer",
        r#""spec": {"myASN": 1, "dynamicASN": "external", "peerAddress": "10.0.0.1",
           "connectTime": "5s", "passwordSecret": {"name": "a"}}"#,
        &[
            (r#""spec": {"peerASN": 2}"#, "spec.myASN"),
            (r#""spec": {"myASN": 1, "dynamicASN": "any"}"#, "spec.dynamicASN"),
            (r#""spec": {"myASN": 1, "connectTime": "1500ms"}"#, "whole seconds"),
            (r#""spec": {"myASN": 1, "connectTime": "100000s"}"#, "from 1s to 65535s"),
        ],
    ),
    objects(
        "metallb.io/v1beta1/communities",
        "Community",
        r#""spec": {"communities": [{"name": "a", "value": "65000:1"}]}"#,
        &[(r#""spec": {"communities": [{"name": 1}]}"#, "spec.communities[0].name")],
    ),
    objects("metallb.io/v1beta1/configurationstates", "ConfigurationState", r#""status": {}"#, &[]),
    objects(
        "metallb.io/v1beta1/ipaddresspools",
        "IPAddressPool",
        r#""spec": {"addresses": ["10.0.0.0/24"], "serviceAllocation": {"priority": 1,
           "namespaces": ["a"]}}"#,
        &[
            (r#""spec": {"autoAssign": false}"#, "spec.addresses"),
            (r#""spec": {"addresses": "10.0.0.0/24"}"#, "spec.addresses"),
            ("", "spec: Required"),
        ],
    ),
    objects(
        "metallb.io/v1beta1/l2advertisements",
        "L2Advertisement",
        r#""spec": {"ipAddressPools": ["a"], "preferredNodeSelectors": [
           {"weight": 100, "preference": {"matchLabels": {"a": "b"}}}]}"#,
        &[
            (
                r#""spec": {"preferredNodeSelectors": [{"weight": 101, "preference": {}}]}"#,
                "weight",
            ),
            (
                r#""spec": {"nodeSelectors": [{"matchExpressions": [{"key": "a"}]}]}"#,
                "operator: Required",
            ),
        ],
    ),
    objects(
        "metallb.io/v1beta1/servicebgpstatuses",
        "ServiceBGPStatus",
        r#""spec": {}"#,
        &[(r#""spec": []"#, "spec")],
    ),
    objects(
        "metallb.io/v1beta1/servicel2statuses",
        "ServiceL2Status",
        r#""spec": {}"#,
        &[(r#""spec": []"#, "spec")],
    ),
    objects(
        "traefik.io/v1alpha1/ingressroutes",
        "IngressRoute",
        r#""spec": {"entryPoints": ["web"], "routes": [{"match": "Host(`a`)", "kind": "Rule",
           "services": [{"name": "a", "port": "web", "strategy": "p2c"}]}]}"#,
        &[
            (r#""spec": {"entryPoints": ["web"]}"#, "spec.routes: Required"),
            (r#""spec": {"routes": [{"match": "Host(`a`)", "kind": "Rules"}]}"#, "kind"),
            (
                r#""spec": {"routes": [{"match": "Host(`a`)",
                   "services": [{"name": "a", "weight": -1}]}]}"#,
                "weight",
            ),
        ],
    ),
    objects(
        "traefik.io/v1alpha1/ingressroutetcps",
        "IngressRouteTCP",
        r#""spec": {"routes": [{"match": "HostSNI(`*`)", "services": [{"name": "a", "port": 1,
           "proxyProtocol": {"version": 2}}]}]}"#,
        &[
            (
                r#""spec": {"routes": [{"match": "HostSNI(`*`)", "services": [{"name": "a"}]}]}"#,
                "port: Required",
            ),
            (r#""spec": {"routes": [{"match": "HostSNI(`*`)", "syntax": "v4"}]}"#, "syntax"),
        ],
    ),
    objects(
        "traefik.io/v1alpha1/ingressrouteudps",
        "IngressRouteUDP",
        r#""spec": {"routes": [{"services": [{"name": "a", "port": 53}]}]}"#,
        &[(r#""spec": {"routes": [{"services": [{"port": 53}]}]}"#, "name: Required")],
    ),
    objects(
        "traefik.io/v1alpha1/middlewares",
        "Middleware",
        r#""spec": {"addPrefix": {"prefix": "/a"}, "errors": {"status": ["500-599"]},
           "retry": {"attempts": 2, "initialInterval": "100ms"}, "plugin": {"a": {"b": [1]}}}"#,
        &[
            (r#""spec": {"addPrefix": {"prefix": "a"}}"#, "must start with /"),
            (r#""spec": {"errors": {"status": ["600"]}}"#, "spec.errors.status[0]"),
            (r#""spec": {"retry": {"initialInterval": "soon"}}"#, "initialInterval"),
            (r#""spec": {"rateLimit": {"burst": -1}}"#, "spec.rateLimit.burst"),
            (r#""spec": {"circuitBreaker": {"responseCode": 99}}"#, "responseCode"),
        ],
    ),
    objects(
        "traefik.io/v1alpha1/middlewaretcps",
        "MiddlewareTCP",
        r#""spec": {"ipAllowList": {"sourceRange": ["10.0.0.0/8"]}}"#,
        &[(r#""spec": {"inFlightConn": {"amount": -1}}"#, "spec.inFlightConn.amount")],
    ),
    objects(
        "traefik.io/v1alpha1/serverstransports",
        "ServersTransport",
        r#""spec": {"rootCAs": [{"secret": "a"}], "forwardingTimeouts": {"dialTimeout": 3}}"#,
        &[
            (r#""spec": {"rootCAs": [{"secret": "a", "configMap": "b"}]}"#, "not both"),
            (r#""spec": {"maxIdleConnsPerHost": -2}"#, "maxIdleConnsPerHost"),
        ],
    ),
    objects(
        "traefik.io/v1alpha1/serverstransporttcps",
        "ServersTransportTCP",
        r#""spec": {"dialTimeout": "1m", "tls": {"serverName": "a"}}"#,
        &[(r#""spec": {"proxyProtocol": {"version": 3}}"#, "spec.proxyProtocol.version")],
    ),
    objects(
        "traefik.io/v1alpha1/tlsoptions",
        "TLSOption",
        r#""spec": {"clientAuth": {"clientAuthType": "RequireAndVerifyClientCert",
           "secretNames": ["a"]}}"#,
        &[(r#""spec": {"clientAuth": {"clientAuthType": "Maybe"}}"#, "clientAuthType")],
    ),
    objects(
        "traefik.io/v1alpha1/tlsstores",
        "TLSStore",
        r#""spec": {"defaultCertificate": {"secretName": "a"}}"#,
        &[(r#""spec": {"defaultCertificate": {}}"#, "secretName: Required")],
    ),
    objects(
        "traefik.io/v1alpha1/traefikservices",
        "TraefikService",
        r#""spec": {"mirroring": {"name": "a", "mirrors": [{"name": "b", "percent": 10}]}}"#,
        &[
            (r#""spec": {"mirroring": {"mirrors": []}}"#, "spec.mirroring.name"),
            (r#""spec": {"weighted": {"services": [{"name": "a", "kind": "Pod"}]}}"#, "kind"),
            ("", "spec: Required"),
        ],
    ),
];

/// Columns that `kubectl get` shows, by kind.
pub(crate) const COLUMNS: [(&str, &str); 4] = [
    ("ipaddresspools", "AUTO ASSIGN AVOID BUGGY IPS ADDRESSES"),
    ("l2advertisements", "IPADDRESSPOOLS IPADDRESSPOOL SELECTORS INTERFACES"),
    ("bgppeers", "ADDRESS ASN BFD PROFILE MULTI HOPS"),
    ("bfdprofiles", "PASSIVE MODE TRANSMIT INTERVAL RECEIVE INTERVAL MULTIPLIER"),
];
