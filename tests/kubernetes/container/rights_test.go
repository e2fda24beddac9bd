package container

import (
	"slices"
	"testing"
)

func TestWhatIsDroppedAndAdded(t *testing.T) {
	cases := []struct {
		drop, add, want []string
	}{
		{nil, nil, usual},
		{[]string{"ALL"}, nil, nil},
		{[]string{"ALL"}, []string{"NET_RAW"}, []string{"NET_RAW"}},
		{nil, []string{"ALL"}, capabilities},
		{[]string{"ALL"}, []string{"ALL"}, capabilities},
		{[]string{"KILL"}, []string{"ALL"}, slices.DeleteFunc(All(), isKill)},
	}
	for _, each := range cases {
		got, want := Capabilities(each.drop, each.add), slices.Clone(each.want)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("drop %v, add %v: %v", each.drop, each.add, got)
		}
	}
}

func isKill(name string) bool { return name == "KILL" }
