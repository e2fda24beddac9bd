explain pool/metallb-system/first-pool examples/first-service --node node-1
