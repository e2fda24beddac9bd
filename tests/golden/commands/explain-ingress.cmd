explain ingress/default/test-app examples/homelab --node node-1
