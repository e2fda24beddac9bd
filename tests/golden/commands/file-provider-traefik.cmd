plan tests/golden/commands/dynamic/conf --providers.file.directory=tests/golden/commands/dynamic/files --entrypoints.dns.address=:53/udp --node node-1 -o traefik
