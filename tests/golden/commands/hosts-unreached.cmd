hosts tests/golden/commands/unreached
