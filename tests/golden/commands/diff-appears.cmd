plan --diff examples/first-service examples/homelab --node node-1 -o json
