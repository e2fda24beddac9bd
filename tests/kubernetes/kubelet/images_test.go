package kubelet

import "testing"

func TestWhatStandsForAnImage(t *testing.T) {
	all := images{{"ghcr.io/x/steelyard", "/bin/a"}, {"echo", "/bin/b"}, {"echo/more", "/bin/c"}}
	cases := []struct{ image, program, entry string }{
		{"ghcr.io/x/steelyard:v1", "/bin/a", "/steelyard"},
		{"ghcr.io/x/steelyard@sha256:00", "/bin/a", "/steelyard"},
		{"echo", "/bin/b", "/echo"},
		{"echo/more:1", "/bin/c", "/more"},
		{"echoes:1", "", ""},
	}
	for _, each := range cases {
		image, err := all.find(each.image)
		if image.Program != each.program || image.Entry != each.entry {
			t.Errorf("%s: %v, %v", each.image, image, err)
		}
		if (err == nil) != (each.program != "") {
			t.Errorf("%s: %v", each.image, err)
		}
	}
}
