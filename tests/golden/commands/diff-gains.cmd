plan --diff tests/golden/commands/loses/new.yaml tests/golden/commands/loses/old.yaml --node node-1
