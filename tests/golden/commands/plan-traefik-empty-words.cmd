plan tests/golden/commands/empty-words -o traefik
