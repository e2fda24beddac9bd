plan --diff examples/homelab
