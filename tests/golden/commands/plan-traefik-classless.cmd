plan tests/golden/commands/classless -o traefik
