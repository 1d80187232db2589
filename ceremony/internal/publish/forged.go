package publish

import (
	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/folder"
)

// ForgedError: targets in the repository stand in the way of a revocation, and
// the root that it makes does not vouch for them. So others may have signed them,
// with the keys that are revoked.
type ForgedError struct{ err error }

func (e *ForgedError) Error() string { return e.err.Error() }
func (e *ForgedError) Unwrap() error { return e.err }

// Hint says what comes first.
func (e *ForgedError) Hint() string {
	return "if your holders did not sign what lies there, it is forged: put the last good state back first, as `ceremony runbook emergency-b` says, and run the command again; if they did, draft again from it"
}

// forged gives a refusal of targets the reason that a revocation has: the
// published file that is in the way counts under an older root only. One that
// says the same as the bundle's is in the way too: it would stay as it is, with
// signatures that the new root does not count.
func (b *builder) forged(v folder.Version, refused error) error {
	name := fileOf("targets", v.Version, b.newest)
	if b.facts.Report.Plan.Compromise == nil || b.vouchedBy(name, b.newest) {
		return refused
	}
	if refused == nil {
		refused = check.Refused("VERSION-SEQUENCE", name, "it is published already, with signatures that root %d does not count", b.newest.Version)
	}
	return &ForgedError{refused}
}
