explain svc/traefik/traefik examples/homelab --node node-1
