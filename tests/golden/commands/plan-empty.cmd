plan tests/golden/commands/empty
