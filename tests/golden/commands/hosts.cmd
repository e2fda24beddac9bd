hosts examples/homelab
