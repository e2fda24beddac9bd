route tests/golden/commands/routes -r http://web.lan/api --api.insecure --entrypoints.web.address=:18080 --entrypoints.traefik.address=:18081
