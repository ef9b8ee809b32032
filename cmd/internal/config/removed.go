package config

// removed are the settings that earlier versions had, each with what to do in
// its stead; renamed ones too.
var removed = map[string]string{
	"TRUSTED_FORWARDERS": "set POSTERN_TRUSTED_RELAYS, the MTAs whose Received lines are believed, and POSTERN_TRUST_RESULTS_OF to believe a relay's own verdict",
}

// removedSetting is what to do in place of an earlier version's variable, "" for
// one that there never was.
func removedSetting(variable string) string {
	if len(variable) <= len(Prefix) {
		return ""
	}
	return removed[variable[len(Prefix):]]
}
