plan --diff examples/first-service tests/golden/commands/moved-pool --node node-1
