module steelyard.dev/tests/tls

go 1.26.0
