hosts tests/golden/commands/empty
