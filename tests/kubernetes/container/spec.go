// Package container is what a container runtime does for the stand-in kubelet: a process with
// namespaces, a root folder, a user and capabilities of its own. There are no images; the root
// folder is put together from the programs of this machine, which are read-only, and one program
// that stands for the image.
//
// A container is started by [Start], which runs this program again as the part `container`; that
// one ([Run]) prepares everything from within the new namespaces, and then becomes the program. So
// the program is process 1 of its container, and all that it started ends with it.
package container

// Spec says what a container is made of.
type Spec struct {
	// Folder that its root is put together in; what happens there is seen inside only.
	Root string
	// File of the network namespace it is in; empty for that of who starts it.
	Network  string
	Hostname string
	Image    Image
	Mounts   []Mount
	// What to run; empty for the image's program.
	Command     []string
	Environment []string
	Directory   string
	Rights      Rights
}

// Image is a program that stands for an image: a scratch image with just that in it.
type Image struct {
	// Where it lies on this machine.
	Program string
	// Where it is inside; what runs when nothing else is said.
	Entry string
}

// Mount is a file or folder of this machine that is seen inside.
type Mount struct {
	Source, Target string
	ReadOnly       bool
}

// Rights are what its process may do.
type Rights struct {
	User, Group int
	Groups      []int
	// Names of what it, and whatever it starts, can ever have, as in Pods: `NET_ADMIN`.
	Capabilities []string
	// The kernel's settings and all devices can be used.
	Privileged bool
	// Files with capabilities of their own, or a set-user-id bit, give none.
	NoNewPrivileges bool
	// Nothing can be written but what is mounted.
	ReadOnlyRoot bool
}
