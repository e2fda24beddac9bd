plan tests/golden/commands/provided-services -o traefik
