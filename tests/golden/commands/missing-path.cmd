check examples/nowhere
