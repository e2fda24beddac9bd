//! The built-in example: `examples/homelab`, as it stood when the program was built.

/// Its files: name and content.
pub const HOMELAB: &[(&str, &str)] = &[
    ("apps.yaml", include_str!("../../../examples/homelab/apps.yaml")),
    ("multi-host-ingress.yaml", include_str!("../../../examples/homelab/multi-host-ingress.yaml")),
    ("nodes.yaml", include_str!("../../../examples/homelab/nodes.yaml")),
    ("path-based-ingress.yaml", include_str!("../../../examples/homelab/path-based-ingress.yaml")),
    ("pools.yaml", include_str!("../../../examples/homelab/pools.yaml")),
    ("test-app.yaml", include_str!("../../../examples/homelab/test-app.yaml")),
    ("traefik-service.yaml", include_str!("../../../examples/homelab/traefik-service.yaml")),
];
