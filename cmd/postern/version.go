package main

import (
	"context"
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"

	"postern/cmd/internal/cli"
)

// version is set by the linker for a release: -X main.version=1.2.3.
var version string

// versionString is the one version that everything tells: the release, else
// what the build knows of itself.
func versionString() string {
	info, _ := debug.ReadBuildInfo()
	return versionOf(version, info)
}

// pseudoVersion is what the go command makes up for a commit without a tag.
var pseudoVersion = regexp.MustCompile(`[-.]\d{14}-[0-9a-f]{12}`)

// versionOf prefers the linker's word, then the tag that was installed, then
// the commit that was built.
func versionOf(linked string, info *debug.BuildInfo) string {
	switch {
	case linked != "":
		return strings.TrimPrefix(linked, "v")
	case info == nil:
		return "unknown"
	case strings.HasPrefix(info.Main.Version, "v") && !pseudoVersion.MatchString(info.Main.Version):
		return strings.TrimPrefix(info.Main.Version, "v")
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
