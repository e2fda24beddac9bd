route tests/golden/check/protection-shadowed.in.yaml -r http://a9.lan/x
