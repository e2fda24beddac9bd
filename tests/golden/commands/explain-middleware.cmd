explain middleware/local tests/golden/check/protection-shadowed.in.yaml
