check tests/golden/check/quiet-notes.in.yaml --severity error
