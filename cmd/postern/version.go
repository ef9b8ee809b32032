package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"postern/cmd/internal/cli"
)

// version is set by the linker for a release: -X main.version=1.2.3.
var version string

// versionString is the release, else what the build knows of its commit.
func versionString() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, dirty := "devel", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			revision = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	return revision + dirty
}

// cmdVersion prints the version.
func cmdVersion(_ context.Context, s *stdio, args []string) error {
	if err := cli.NewFlags("version", "\n\nPrints the version, the compiler's, and the system.").Parse(args, 0, 0); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.Out, "postern %s %s %s/%s\n", versionString(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
