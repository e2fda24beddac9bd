plan --diff examples/homelab examples/homelab
