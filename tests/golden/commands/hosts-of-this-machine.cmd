hosts examples/nginx-homelab
