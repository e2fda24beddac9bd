package kubelet

import (
	"fmt"
	"path"
	"strings"

	"steelyard.dev/tests/kubernetes/container"
)

// A program that stands for images.
type standIn struct {
	name, program string
}

type images []standIn

// Finds what stands for an image: the longest name that it begins with, up to its tag. Inside, the
// program is `/NAME`, by the name's last part.
func (all images) find(image string) (container.Image, error) {
	var best standIn
	for _, each := range all {
		if each.covers(image) && len(each.name) > len(best.name) {
			best = each
		}
	}
	if best.name == "" {
		return container.Image{}, fmt.Errorf("nothing stands for the image %q", image)
	}
	return container.Image{Program: best.program, Entry: "/" + path.Base(best.name)}, nil
}

func (s standIn) covers(image string) bool {
	rest, ok := strings.CutPrefix(image, s.name)
	return ok && (rest == "" || strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, "@"))
}
