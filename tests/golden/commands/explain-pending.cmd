explain service/monitoring/prometheus-server examples/nginx-homelab --node node-1
