explain tls-options/tls/modern@file tests/golden/commands/named --providers.file.directory=tests/golden/commands/named
