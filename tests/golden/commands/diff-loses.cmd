plan --diff tests/golden/commands/loses/old.yaml tests/golden/commands/loses/new.yaml --node node-1
