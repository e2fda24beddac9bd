up examples/homelab --providers.docker=true
