// Package plan reads plan.yaml: who signs what, how many must, until when it
// is good, and which checks are waived for which reason. It is the one place
// where policy is decided; no command takes any from a flag.
//
//	p, err := plan.Parse(files[folder.Plan])
//	err = p.Roster.LoadKeys(files)
//
// Devices are provisioned before thresholds are decided; what an unfinished
// plan says of them is read by ParseDevices.
//
// The file is written by people and read aloud, so it is decoded strictly: an
// unknown field, a key that stands twice, an anchor or a second document is an
// error that names line, field and remedy (*Error).
//
// It will not fill in what is missing, read a clock, or look at metadata.
package plan

import (
	"time"

	"tufceremony/ceremony/internal/check"
	"tufceremony/ceremony/internal/roster"
)

// Format is what the first field of every plan says.
const Format = "ceremony-plan-1"

// Kind is the occasion.
type Kind string

// The occasions. Genesis makes version 1 of root and targets; Rotation the
// next root, and targets where its keys change; Targets the next targets;
// Revocation is a rotation that answers a compromise.
const (
	Genesis    Kind = "genesis"
	Rotation   Kind = "rotation"
	Targets    Kind = "targets"
	Revocation Kind = "revocation"
)

// Plan is a plan.yaml that has been read and found complete.
type Plan struct {
	Kind       Kind
	Repository string
	Rehearsal  bool
	Opens      time.Time // of the signing window, UTC, whole seconds
	Closes     time.Time
	// ModuleTimeout is how long a PKCS#11 module may take to answer; 0 is as
	// long as the program thinks.
	ModuleTimeout time.Duration
	Policy        *Policy // nil where nothing is asked of devices
	Roster        roster.Roster
	Root          *Root          // nil in a targets ceremony
	Targets       *TargetsPlan   // nil where targets is not signed
	Lifetimes     map[string]int // days, of snapshot and timestamp, for `publish --online-key`; nil where the plan has none
	Compromise    *Compromise    // what this ceremony answers; nil where nothing is compromised
	Waivers       []check.Waiver
	Supersedes    []Superseded // events that were given up
}

// Root is the root to be made. Roles has all four top-level roles.
type Root struct {
	Version int64
	Expires time.Time
	Roles   map[string]Role
}

// Role is a threshold and the names of tokens.
type Role struct {
	Threshold int
	Tokens    []string
}

// TargetsPlan is the targets metadata to be made, as changes to the trusted
// one.
type TargetsPlan struct {
	Version int64
	Expires time.Time
	Add     []File
	Remove  []string
}

// File is one target: its path in the repository, its length in bytes and its
// SHA-256 in lower-case hex.
type File struct {
	Path   string
	Length int64
	SHA256 string
}

// OnlineRoles are the roles whose keys a machine holds.
var OnlineRoles = map[string]bool{"snapshot": true, "timestamp": true}
