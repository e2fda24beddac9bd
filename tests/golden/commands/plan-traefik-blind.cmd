plan tests/golden/commands/blind -o traefik --providers.kubernetesingress.disableingressclasslookup=true
