check tests/golden/commands/empty
