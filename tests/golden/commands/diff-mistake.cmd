plan --diff tests/golden/commands/mistake/old.yaml tests/golden/commands/mistake/new.yaml --node node-1
