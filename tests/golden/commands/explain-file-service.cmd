explain service/http/both@file tests/golden/commands/named --providers.file.directory=tests/golden/commands/named
