plan tests/golden/commands/routes -o traefik
