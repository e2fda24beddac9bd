check tests/golden/commands/dynamic/conf --providers.file.directory=tests/golden/commands/dynamic/circles
