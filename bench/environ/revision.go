package environ

import "runtime/debug"

// Revision is the git revision that this program was built from, with "+dirty"
// if there were changes; "unknown" if it was built without.
func Revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknown
	}
	return revision(info)
}

func revision(info *debug.BuildInfo) string {
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	rev := orUnknown(settings["vcs.revision"])
	if settings["vcs.modified"] == "true" {
		rev += "+dirty"
	}
	return rev
}
