plan examples/nginx-homelab tests/golden/commands/class -o traefik
